"""Flow from a window's key frame to its neighbours, as methods use it."""

from __future__ import annotations

from functools import partial
from typing import Any, NamedTuple

from torch import Tensor

from baselines.flow.estimators import DISFlow, FarnebackFlow, FlowEstimator, denormalised
from baselines.flow.fields import resize_field, resize_flow, visible_pixels, warp
from baselines.flow.raft import RAFTFlow
from tdmi.options import build, choose

ESTIMATORS = {
    "dis": DISFlow,
    "farneback": FarnebackFlow,
    "raft_small": partial(RAFTFlow, "small"),
    "raft_large": partial(RAFTFlow, "large"),
}


class KeyFlow(NamedTuple):
    """Flow from the key frame to every frame of the window."""

    flow: Tensor
    """[B, T, 2, H, W], (dx, dy) in pixels of the crop; zero for the key frame itself."""
    visible: Tensor | None
    """[B, T, 1, H, W], 1 where the key frame's pixel is seen in that frame, else 0; None if that
    was not asked for."""


class WindowFlow:
    """Flow between the crops of a window, at their own resolution, once for every pair of frames.

    `estimator`: dis (default), farneback, raft_small, raft_large, or any `FlowEstimator`.
    `occlusion`: also find by the forward-backward check what the neighbour does not show, which
    takes a second flow for every pair. All other options are the estimator's own: `preset` of
    `DISFlow`, `weights` and `download` of `RAFTFlow`.

    Flow is not kept between calls: a crop belongs to one person in one key frame (and is drawn anew
    by the augmentation), so no pair of crops comes twice in an epoch or in an evaluation.
    """

    def __init__(
        self, estimator: str | FlowEstimator = "dis", occlusion: bool = False, **options: Any
    ) -> None:
        if callable(estimator):
            build("flow of a given estimator", lambda: None, options)  # it takes none
            self.estimator: FlowEstimator = estimator
        else:
            kind = ESTIMATORS[choose("flow.estimator", estimator, ESTIMATORS)]
            self.estimator = build(f"flow of estimator {estimator}", kind, options)
        self.occlusion = occlusion

    def __call__(self, frames: Tensor, offsets: Tensor, key: int) -> KeyFlow:
        """`frames` [B, T, 3, H, W] normalised; `offsets` [B, T]; `key` the key frame's index.

        A neighbour that stands in for a missing one (offset 0, the key frame itself) has no flow
        and is fully visible. Nothing has a gradient.
        """
        images = denormalised(frames.detach())
        batch, length, _, height, width = images.shape
        flow = images.new_zeros(batch, length, 2, height, width)
        visible = images.new_ones(batch, length, 1, height, width) if self.occlusion else None
        sample, frame = (offsets != 0).nonzero(as_tuple=True)
        if len(sample):
            first, second = images[sample, key], images[sample, frame]
            forward = self.estimator(first, second).to(images)
            flow[sample, frame] = forward
            if visible is not None:
                backward = self.estimator(second, first).to(images)
                visible[sample, frame] = visible_pixels(forward, backward)
        return KeyFlow(flow, visible)


def aligned_to_key(maps: Tensor, found: KeyFlow) -> tuple[Tensor, Tensor | None]:
    """Every frame's maps, sampled where the key frame's points are in that frame.

    `maps` [B, T, C, h, w] -> the same shape, zeros where the flow leaves the frame; and [B, T, 1,
    h, w], the share 0..1 of each cell that is visible, or None.
    """
    batch, size = maps.shape[:2], maps.shape[-2:]
    flow = resize_flow(found.flow.flatten(0, 1), size)
    warped = warp(maps.flatten(0, 1), flow).unflatten(0, batch)
    if found.visible is None:
        return warped, None
    return warped, resize_field(found.visible.flatten(0, 1), size).unflatten(0, batch)
