"""Dense optical flow between the crops of a window, and warping along it.

Flow is a displacement field: the point that is at p in the key frame is at p + flow(p) in the
neighbour, so sampling the neighbour there brings it into line with the key frame.
"""

from __future__ import annotations

from typing import Literal, Protocol

import cv2
import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from tdmi.errors import UserError

IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)
LUMA = (0.299, 0.587, 0.114)  # ITU-R BT.601, as OpenCV converts RGB to grey

Preset = Literal["ultrafast", "fast", "medium"]


class FlowEstimator(Protocol):
    """Anything that gives the flow from one grey image to another."""

    def __call__(self, key: NDArray[np.uint8], neighbour: NDArray[np.uint8]) -> NDArray[np.float32]:
        """[H, W] and [H, W] -> [H, W, 2]: (dx, dy) in pixels from `key` to `neighbour`."""
        ...


class DISFlow:
    """Dense inverse search (Kroeger et al., ECCV 2016) of OpenCV, on the CPU.

    Each pair gets a new OpenCV object: a used one keeps parts of its buffers and, at some image
    sizes, returns slightly different flow for the same pair.
    """

    def __init__(self, preset: Preset = "medium") -> None:
        presets = {
            "ultrafast": cv2.DISOPTICAL_FLOW_PRESET_ULTRAFAST,
            "fast": cv2.DISOPTICAL_FLOW_PRESET_FAST,
            "medium": cv2.DISOPTICAL_FLOW_PRESET_MEDIUM,
        }
        if preset not in presets:
            raise UserError(
                f"optical flow: preset is {preset!r}; expected one of {', '.join(presets)}"
            )
        self.preset = presets[preset]

    def __call__(self, key: NDArray[np.uint8], neighbour: NDArray[np.uint8]) -> NDArray[np.float32]:
        return cv2.DISOpticalFlow_create(self.preset).calc(key, neighbour, None)


def grey_images(frames: Tensor) -> NDArray[np.uint8]:
    """ImageNet-normalised RGB [..., 3, H, W] -> 8-bit grey [..., H, W]."""
    std, mean, luma = (
        frames.new_tensor(v).view(3, 1, 1) for v in (IMAGENET_STD, IMAGENET_MEAN, LUMA)
    )
    grey = ((frames * std + mean) * luma).sum(dim=-3) * 255
    return grey.round().clamp(0, 255).to(torch.uint8).cpu().numpy()


def window_flow(frames: Tensor, offsets: Tensor, key: int, estimator: FlowEstimator) -> Tensor:
    """Flow from the key frame to every frame of the window, in pixels of the crop.

    `frames` [B, T, 3, H, W] normalised; `offsets` [B, T]; `key` the key frame's index. Returns
    [B, T, 2, H, W], (dx, dy), zero for the key frame and for neighbours that stand in for a
    missing one (offset 0, the key frame itself). No gradient.
    """
    images = grey_images(frames.detach())
    batch, length, height, width = images.shape
    flow = np.zeros((batch, length, 2, height, width), np.float32)
    for b, t in np.argwhere(offsets.cpu().numpy() != 0):
        flow[b, t] = estimator(images[b, key], images[b, t]).transpose(2, 0, 1)
    return torch.from_numpy(flow).to(frames)


def resize_flow(flow: Tensor, size: tuple[int, int]) -> Tensor:
    """Flow [N, 2, H, W] in its own pixels -> [N, 2, h, w] in those of a smaller map of `size`.

    Areas are averaged: heatmap pixel i covers crop pixels 4 i to 4 i + 3, so a four times smaller
    map needs no further shift.
    """
    height, width = flow.shape[-2:]
    scale = flow.new_tensor([size[1] / width, size[0] / height]).view(2, 1, 1)
    return F.interpolate(flow, size=size, mode="area") * scale


def warp(maps: Tensor, flow: Tensor) -> Tensor:
    """Sample `maps` [N, C, h, w] at p + flow(p), bilinear, zeros outside; flow [N, 2, h, w] px."""
    height, width = maps.shape[-2:]
    x = torch.arange(width, device=maps.device) + flow[:, 0]
    y = torch.arange(height, device=maps.device)[:, None] + flow[:, 1]
    grid = torch.stack([(2 * x + 1) / width - 1, (2 * y + 1) / height - 1], dim=-1)
    return F.grid_sample(maps, grid, mode="bilinear", padding_mode="zeros", align_corners=False)
