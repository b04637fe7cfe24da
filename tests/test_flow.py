"""Optical flow between crops and warping along it."""

import cv2
import numpy as np
import pytest
import torch

from baselines.flow import (
    IMAGENET_MEAN,
    IMAGENET_STD,
    DISFlow,
    grey_images,
    resize_flow,
    warp,
    window_flow,
)
from baselines.flow_pooling import FlowPooling
from tdmi.models.hrnet import HRNet


def texture(height: int, width: int, seed: int = 0) -> np.ndarray:
    """A smooth random 8-bit grey image."""
    noise = np.random.default_rng(seed).normal(size=(height, width))
    smooth = cv2.GaussianBlur(noise, (0, 0), 3)
    return np.interp(smooth, (smooth.min(), smooth.max()), (0, 255)).round().astype(np.uint8)


def normalised(images: np.ndarray) -> torch.Tensor:
    """Grey [..., H, W] -> normalised RGB [..., 3, H, W]."""
    rgb = torch.from_numpy(images / 255).float().unsqueeze(-3)
    return (rgb - torch.tensor(IMAGENET_MEAN).view(3, 1, 1)) / torch.tensor(IMAGENET_STD).view(
        3, 1, 1
    )


def moved_window(shift: tuple[int, int], height=96, width=72) -> torch.Tensor:
    """[1, 2, 3, H, W]: the key frame, and a neighbour whose content moved by (dx, dy)."""
    dx, dy = shift
    big = texture(height + 40, width + 40)
    key = big[20 : 20 + height, 20 : 20 + width]
    neighbour = big[20 - dy : 20 - dy + height, 20 - dx : 20 - dx + width]
    return normalised(np.stack([key, neighbour]))[None]


def test_grey_images_are_recovered():
    grey = np.stack([texture(20, 16, seed) for seed in range(3)])
    assert np.array_equal(grey_images(normalised(grey)), grey)
    red = torch.zeros(3, 2, 2)
    red[0] = 1
    frames = (red - torch.tensor(IMAGENET_MEAN).view(3, 1, 1)) / torch.tensor(IMAGENET_STD).view(
        3, 1, 1
    )
    assert grey_images(frames).tolist() == [[76, 76], [76, 76]]  # 0.299 * 255


@pytest.mark.parametrize("shift", [(3, -2), (-4, 5), (0, 3)])
@pytest.mark.parametrize("preset", ["fast", "medium"])
def test_flow_points_from_key_to_neighbour(shift, preset):
    flow = window_flow(moved_window(shift), torch.tensor([[0, 1]]), 0, DISFlow(preset))
    assert flow.shape == (1, 2, 2, 96, 72)
    assert not flow[:, 0].any()
    inner = flow[0, 1, :, 12:-12, 12:-12]
    error = (inner - torch.tensor(shift).view(2, 1, 1)).norm(dim=0)
    assert error.median() < 0.3


def test_missing_neighbour_has_no_flow():
    frames = moved_window((3, 0)).repeat(2, 1, 1, 1, 1)
    flow = window_flow(frames, torch.tensor([[0, 0], [0, 2]]), 0, DISFlow("fast"))
    assert not flow[0].any()
    assert flow[1, 1].any()


@pytest.mark.parametrize("size", [(96, 72), (48, 36), (64, 48)])
def test_flow_is_repeatable(size):
    estimator = DISFlow("fast")
    key, neighbour = texture(*size, seed=1), texture(*size, seed=2)
    first = estimator(key, neighbour)
    estimator(texture(*size, seed=3), texture(*size, seed=4))
    assert np.array_equal(estimator(key, neighbour), first)


@pytest.mark.parametrize("shift", [(0, 0), (3, -2), (-1, 4), (20, 0)])
def test_warp_by_whole_pixels(shift):
    """The neighbour's maps, moved by (dx, dy), come back to where the key frame has them."""
    dx, dy = shift
    key = torch.rand(1, 2, 12, 9)
    neighbour = torch.zeros_like(key)
    rows = [(y, y + dy) for y in range(12) if 0 <= y + dy < 12]
    columns = [(x, x + dx) for x in range(9) if 0 <= x + dx < 9]
    wanted = torch.zeros_like(key)
    for y, to_y in rows:
        for x, to_x in columns:
            neighbour[:, :, to_y, to_x] = key[:, :, y, x]
            wanted[:, :, y, x] = key[:, :, y, x]
    flow = torch.tensor(shift).float().view(1, 2, 1, 1).expand(1, 2, 12, 9)
    torch.testing.assert_close(warp(neighbour, flow), wanted, rtol=0, atol=1e-5)


def test_warp_by_half_a_pixel():
    flow = torch.zeros(1, 2, 1, 4)
    flow[:, 0] = 0.5
    warped = warp(torch.tensor([[[[0.0, 4.0, 8.0, 2.0]]]]), flow)
    torch.testing.assert_close(warped, torch.tensor([[[[2.0, 6.0, 5.0, 1.0]]]]))


def test_flow_is_scaled_to_the_heatmap():
    flow = torch.zeros(1, 2, 8, 8)
    flow[:, 0] = 8
    flow[:, 1, :4] = -4
    small = resize_flow(flow, (2, 2))
    assert small[0, 0].tolist() == [[2, 2], [2, 2]]
    assert small[0, 1].tolist() == [[-1, -1], [0, 0]]


@pytest.mark.parametrize("pooling", ["mean", "max", "learned"])
def test_pooling_by_hand(pooling):
    trunk = HRNet(8, 2, modules=(1,), blocks=1, stem_width=8, stem_blocks=1)
    method = FlowPooling(trunk, 2, window=(-1, 0, 1), pooling=pooling)
    maps = torch.tensor([[1.0, 2.0], [3.0, 1.0], [2.0, 9.0]]).view(1, 3, 2, 1, 1)
    if pooling == "learned":
        with torch.no_grad():
            method.weights.copy_(torch.tensor([[0.0, 1.0, 2.0], [1.0, -1.0, 0.5]]))
    wanted = {"mean": [2.0, 4.0], "max": [3.0, 9.0], "learned": [7.0, 5.5]}[pooling]
    assert method._pool(maps).flatten().tolist() == wanted


def test_learned_weights_begin_as_documented():
    def weights(**options):
        trunk = HRNet(8, 2, modules=(1,), blocks=1, stem_width=8, stem_blocks=1)
        return FlowPooling(trunk, **options).weights

    assert weights().shape == (17, 5)
    assert weights()[3].tolist() == [0, 0, 1, 0, 0]
    torch.testing.assert_close(
        weights(start="paper")[16], torch.tensor([0.1, 0.25, 0.3, 0.25, 0.1])
    )


def test_moving_blob_is_brought_back():
    """A neighbour whose maps moved with its image gives, pooled alone, the key frame's maps."""
    frames = moved_window((4, -4))
    flow = window_flow(frames, torch.tensor([[0, 1]]), 0, DISFlow())
    key = torch.from_numpy(texture(24, 18)).float()[None, None] / 255
    neighbour = torch.roll(key, shifts=(-1, 1), dims=(2, 3))
    warped = warp(neighbour, resize_flow(flow[:, 1], (24, 18)))
    error = (warped - key)[..., 3:-3, 3:-3].abs().mean()
    assert error < 0.1 * (neighbour - key)[..., 3:-3, 3:-3].abs().mean()
