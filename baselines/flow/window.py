"""Flow from a window's key frame to its neighbours, as methods use it."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, Literal, NamedTuple

from torch import Tensor

from baselines.flow.estimators import DISFlow, FarnebackFlow, FlowEstimator, denormalised
from baselines.flow.fields import resize_field, resize_flow, visible_pixels, warp
from baselines.flow.frames import FrameFlow
from baselines.flow.raft import RAFTFlow
from tdmi.core.checks import build, choose
from tdmi.core.errors import UserError

ESTIMATORS: dict[str, Callable[..., FlowEstimator]] = {
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

    `where`: "crop" computes flow between crops and does not keep it: a crop belongs to one person
    in one key frame and is drawn anew by the augmentation. "frame" computes it between whole
    frames, once for all people and epochs, keeps it in `cache` and cuts it like the crops
    (`FrameFlow`, for the OpenCV estimators, which run beside the training as the loading does).

    UserError: "frame" with an estimator that is not OpenCV's.
    """

    def __init__(
        self,
        estimator: str | FlowEstimator = "dis",
        occlusion: bool = False,
        where: Literal["crop", "frame"] = "crop",
        cache: str | Path = "data/flow",
        **options: Any,
    ) -> None:
        of_frames = choose("flow.where", where, ("crop", "frame")) == "frame"
        if of_frames and estimator not in ("dis", "farneback"):
            raise UserError(
                f"option flow.estimator: found {estimator!r} with flow.where: frame, expected dis "
                "or farneback, which run beside the training; use flow.where: crop"
            )
        if callable(estimator):
            build("flow of a given estimator", lambda: None, options)  # it takes none
            self.estimator: FlowEstimator = estimator
        else:
            kind = ESTIMATORS[choose("flow.estimator", estimator, ESTIMATORS)]
            self.estimator = build(f"flow of estimator {estimator}", kind, options)
        self.occlusion = occlusion
        self.of_frames: FrameFlow | None = None
        if of_frames:
            name = "-".join([str(estimator), *map(str, options.values())])
            self.of_frames = FrameFlow(self.estimator, name, cache, backward=occlusion)

    def __call__(
        self, frames: Tensor, offsets: Tensor, key: int, known: Tensor | None = None
    ) -> KeyFlow:
        """`frames` [B, T, 3, H, W] normalised; `offsets` [B, T]; `key` the key frame's index.

        `known` [B, T, 2 or 4, H, W]: flow that `of_frames` has cut; without it flow is computed
        here, between the crops. A neighbour that stands in for a missing one (offset 0, the key
        frame itself) has no flow and is fully visible. Nothing has a gradient.
        """
        if known is not None:
            return self._checked(known.to(frames), offsets)
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

    def _checked(self, known: Tensor, offsets: Tensor) -> KeyFlow:
        """`known` as it is, with the forward-backward check if it has the flow back."""
        if not self.occlusion:
            return KeyFlow(known, None)
        forward, backward = known[:, :, :2], known[:, :, 2:]
        seen = visible_pixels(forward.flatten(0, 1), backward.flatten(0, 1))
        visible = seen.unflatten(0, known.shape[:2])
        visible[offsets == 0] = 1
        return KeyFlow(forward, visible)


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
