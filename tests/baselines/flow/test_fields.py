"""Displacement fields, the flow of a window, and maps aligned along it."""

import pytest
import torch

from baselines.flow.fields import resize_flow, visible_pixels, warp
from baselines.flow.window import KeyFlow, WindowFlow, aligned_to_key
from tdmi.core.errors import UserError
from tests.support.flow_scenes import known_flow, normalised, scene


def constant(dx: float, dy: float, height: int, width: int) -> torch.Tensor:
    return torch.tensor([dx, dy]).float().view(1, 2, 1, 1).repeat(1, 1, height, width)


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
    warped = warp(neighbour, constant(dx, dy, 12, 9))
    torch.testing.assert_close(warped, wanted, rtol=0, atol=1e-5)


def test_warp_by_half_a_pixel():
    warped = warp(torch.tensor([[[[0.0, 4.0, 8.0, 2.0]]]]), constant(0.5, 0, 1, 4))
    torch.testing.assert_close(warped, torch.tensor([[[[2.0, 6.0, 5.0, 1.0]]]]))


def test_flow_is_scaled_to_the_heatmap():
    flow = torch.zeros(1, 2, 8, 8)
    flow[:, 0] = 8
    flow[:, 1, :4] = -4
    small = resize_flow(flow, (2, 2))
    assert small[0, 0].tolist() == [[2, 2], [2, 2]]
    assert small[0, 1].tolist() == [[-1, -1], [0, 0]]


def test_a_pixel_that_leaves_the_image_is_not_visible():
    seen = visible_pixels(constant(2, 0, 1, 6), constant(-2, 0, 1, 6))
    assert seen.flatten().tolist() == [1, 1, 1, 1, 0, 0]


@pytest.mark.parametrize(("back", "seen"), [(0.70, 1), (0.72, 0)])
def test_bound_of_the_forward_backward_check(back, seen):
    """0.01 b² + 0.5 against b²: equal at b = 0.7107."""
    assert visible_pixels(constant(0, 0, 1, 1), constant(back, 0, 1, 1)).item() == seen


def test_bound_grows_with_the_flow():
    """A flow of 20 px may return 2 px off: 4 <= 0.01 (400 + 484) + 0.5, but not 4 px."""
    assert visible_pixels(constant(20, 0, 1, 40), constant(-22, 0, 1, 40))[0, 0, 0, 5] == 1
    assert visible_pixels(constant(20, 0, 1, 40), constant(-24, 0, 1, 40))[0, 0, 0, 5] == 0


def occluding_square() -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Exact flows of an 8 px square that moves 6 px to the right over a resting background, and the
    background that it covers."""
    forward, backward = torch.zeros(2, 1, 2, 32, 40)
    forward[:, 0, 12:20, 10:18] = 6
    backward[:, 0, 12:20, 16:24] = -6
    covered = torch.zeros(32, 40)
    covered[12:20, 18:24] = 1
    return forward, backward, covered


def test_what_a_moving_square_covers_is_hidden():
    forward, backward, covered = occluding_square()
    assert torch.equal(visible_pixels(forward, backward)[0, 0], 1 - covered)


def test_estimated_flow_finds_what_a_moving_square_covers():
    """A square of 40 px that moves 8 px over a resting background, four times."""
    frames = torch.stack([scene(height=96, width=96)] * 2).repeat(4, 1, 1, 1, 1)
    for sample, seed in enumerate((5, 6, 7, 8)):
        square = scene(seed=seed, height=40, width=40)
        frames[sample, 0, :, 28:68, 24:64] = square
        frames[sample, 1, :, 28:68, 32:72] = square
    found = WindowFlow(occlusion=True)(normalised(frames), torch.tensor([[0, 1]] * 4), key=0)
    visible = found.visible[:, 1, 0]
    assert visible[:, 30:66, 65:71].mean() < 0.25  # covered in the neighbour
    assert visible[:, 34:62, 30:58].mean() > 0.95  # inside the square
    assert visible[:, :20].mean() > 0.95 and visible[:, 76:].mean() > 0.95


def test_flow_points_from_the_key_frame_to_its_neighbours():
    frames = torch.stack([scene((-2, 1)), scene(), scene((3, -2))])
    found = WindowFlow()(normalised(frames)[None], torch.tensor([[-1, 0, 1]]), key=1)
    assert found.flow.shape == (1, 3, 2, 96, 72) and found.visible is None
    inner = found.flow[0, :, :, 12:-12, 12:-12].flatten(2).median(dim=2).values
    torch.testing.assert_close(
        inner, torch.tensor([[-2.0, 1.0], [0.0, 0.0], [3.0, -2.0]]), rtol=0, atol=0.1
    )


def test_missing_neighbours_have_no_flow_and_are_visible():
    frames = torch.rand(2, 3, 3, 8, 8)
    offsets = torch.tensor([[0, 0, 1], [-1, 0, 0]])
    found = WindowFlow(known_flow((1, 2), (3, 4)), occlusion=True)(frames, offsets, key=1)
    assert found.flow[0, 2, :, 0, 0].tolist() == [1, 2]
    assert found.flow[1, 0, :, 0, 0].tolist() == [3, 4]
    for sample, frame in [(0, 0), (0, 1), (1, 1), (1, 2)]:
        assert not found.flow[sample, frame].any()
        assert found.visible[sample, frame].all()


def test_a_video_of_one_frame_asks_for_no_flow():
    def estimator(first, second):
        raise AssertionError("called")

    found = WindowFlow(estimator, occlusion=True)(
        torch.rand(2, 5, 3, 8, 8), torch.zeros(2, 5), key=2
    )
    assert not found.flow.any() and found.visible.all()


@pytest.mark.parametrize("occlusion", [False, True])
def test_every_pair_is_estimated_once(occlusion):
    asked = []

    def estimator(first, second):
        asked.extend(
            (a[0, 0, 0].item(), b[0, 0, 0].item()) for a, b in zip(first, second, strict=True)
        )
        return first.new_zeros(len(first), 2, 8, 8)

    frames = normalised(torch.arange(6.0).view(2, 3, 1, 1, 1).expand(2, 3, 3, 8, 8))
    WindowFlow(estimator, occlusion)(frames, torch.tensor([[-1, 0, 1], [-1, 0, 1]]), key=1)
    forward = [(1, 0), (1, 2), (4, 3), (4, 5)]
    wanted = forward + [(b, a) for a, b in forward] if occlusion else forward
    assert torch.allclose(torch.tensor(asked), torch.tensor(wanted).float(), atol=1e-5)


def test_flow_follows_the_frames_in_type_and_has_no_gradient():
    frames = torch.rand(1, 2, 3, 40, 40, dtype=torch.float64, requires_grad=True)
    found = WindowFlow(occlusion=True)(frames, torch.tensor([[0, 1]]), key=0)
    assert found.flow.dtype == found.visible.dtype == torch.float64
    assert not found.flow.requires_grad and not found.visible.requires_grad


def test_maps_are_aligned_and_their_visible_share_averaged():
    maps = torch.zeros(1, 2, 1, 4, 4)
    maps[0, 0, 0, 1, 1] = maps[0, 1, 0, 2, 3] = 1  # moved by (2, 1) cells
    flow = torch.zeros(1, 2, 2, 16, 16)
    flow[0, 1, 0], flow[0, 1, 1] = 8, 4
    visible = torch.ones(1, 2, 1, 16, 16)
    visible[0, 1, 0, 4:8, 4:7] = 0
    aligned, share = aligned_to_key(maps, KeyFlow(flow, visible))
    torch.testing.assert_close(aligned[0, 1], maps[0, 0], rtol=0, atol=1e-5)
    torch.testing.assert_close(aligned[0, 0], maps[0, 0], rtol=0, atol=1e-5)
    assert share[0, 1, 0, 1, 1] == 0.25 and share.sum() == 31.25


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"estimator": "lucas_kanade"}, "option flow.estimator: found 'lucas_kanade', expected"),
        ({"preset": "slow"}, "option flow.preset: found 'slow'"),
        ({"estimator": "farneback", "preset": "fast"}, "found unknown 'preset'"),
        ({"weights": "raft.pth"}, "option flow of estimator dis: found unknown 'weights'"),
        ({"estimator": known_flow(), "preset": "fast"}, "found unknown 'preset'"),
    ],
)
def test_wrong_options_are_refused(options, words):
    with pytest.raises(UserError) as error:
        WindowFlow(**options)
    assert words in str(error.value) and "\n" not in str(error.value)
