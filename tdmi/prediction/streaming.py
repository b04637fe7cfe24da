"""Prediction in which every frame of a person goes through the backbone once.

Exact prediction crops a window by the key frame's box, so a frame is cropped, and run through the
backbone, once for every window that holds it. Streaming crops each frame by the person's own box in
it, once, and moves the neighbours' features to where they lie in the key frame's crop. The features
of the key frame are exact, those of its neighbours are resampled. (A choice of this project. One
crop for several key frames would save the resampling, but networks trained on centred people
stand no other place: crops moved by a twentieth of their width took 18 of 52 AP on the validation
split of the embedded suite.)
"""

from __future__ import annotations

import numpy as np
import torch
import torch.nn.functional as F

from tdmi.clips.crops import invert, normalise
from tdmi.clips.samples import Windows
from tdmi.data.boxes import overlap
from tdmi.models.method import PoseMethod

OVERLAP = 0.3
"""Least intersection over union of a person's boxes in neighbouring key frames."""


def linked(video: np.ndarray, number: np.ndarray, boxes: np.ndarray, reach: int) -> np.ndarray:
    """Link the boxes of one person: return a number [D] that neighbouring key frames share.

    A box belongs to the one in the key frame before that it overlaps, one to one, with the greatest
    sum of intersections over union.

    Args:
        video, number: [D] video and frame number of each box, in any order.
        boxes: [D, 4] x, y, width, height in frame pixels.
        reach: frames from the first to the last of a window; windows farther apart share none.
    """
    from scipy.optimize import (
        linear_sum_assignment,
    )  # here, because a training imports this module as well

    person = np.arange(len(boxes))
    before, previous = np.zeros(0, np.int64), (-1, 0)
    for v, n in sorted(set(zip(video.tolist(), number.tolist(), strict=True))):
        rows = np.flatnonzero((video == v) & (number == n))
        if v == previous[0] and n - previous[1] <= reach:
            shared = overlap(boxes[before], boxes[rows])
            for a, b in zip(*linear_sum_assignment(shared, maximize=True), strict=True):
                if shared[a, b] >= OVERLAP:
                    person[rows[b]] = person[before[a]]
        before, previous = rows, (v, n)
    return person


def between_crops(key: np.ndarray, other: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Map places of one crop to another: affine matrices [..., 2, 3] in -1..1 units.

    In these units all maps of a crop have the same places, whatever their stride.

    Args:
        key, other: [..., 2, 3] frame pixels to pixels of either crop.
        size: (height, width) of the crops.
    """

    def whole(matrices: np.ndarray) -> np.ndarray:
        last = np.broadcast_to([0.0, 0.0, 1.0], (*matrices.shape[:-2], 1, 3))
        return np.concatenate([matrices, last], axis=-2)

    height, width = size
    # Pixel p of n lies at (2 p + 1) / n - 1.
    units = np.array([[2 / width, 0, 1 / width - 1], [0, 2 / height, 1 / height - 1], [0, 0, 1]])
    moved = whole(other) @ whole(invert(key))
    return (units @ moved @ np.linalg.inv(units))[..., :2, :]


class Streamed:
    """Heatmaps of boxes, with the features of each frame of a person computed once.

    Boxes have to be asked for in `order`: features are kept as long as the next windows may hold
    their frame.
    """

    def __init__(
        self,
        method: PoseMethod,
        windows: Windows,
        frames: np.ndarray,
        boxes: np.ndarray,
        flip: bool,
    ) -> None:
        self.method, self.windows, self.frames, self.flip = method, windows, frames, flip
        annotations = windows.annotations
        video, number = annotations.frame_video[frames], annotations.frame_number[frames]
        reach = method.window[-1] - method.window[0]
        self.person = linked(video, number, boxes, reach)
        self.order = np.lexsort((number, self.person))
        self.matrices = windows.matrices(boxes)
        self._key_frames: dict[int, list[int]] = {}
        for d in self.order.tolist():
            self._key_frames.setdefault(int(self.person[d]), []).append(d)
        self._places: dict[tuple[int, int], int] = {}
        """Places of the features of (person, frame row) in `_maps`."""
        self._maps: list[list[torch.Tensor]] = []
        """[N, C, h, w] for each view (the crop and, with `flip`, its mirror) and depth."""

    def heatmaps(self, rows: np.ndarray, device: torch.device) -> list[torch.Tensor]:
        """[B, J, h, w] for boxes `rows`; with `flip`, also those of the mirrored crops."""
        found = [self.windows.neighbours(int(self.frames[d])) for d in rows]
        wanted = [
            [(int(self.person[d]), row) for row in window]
            for d, (window, _) in zip(rows, found, strict=True)
        ]
        self._load(list(dict.fromkeys(key for keys in wanted for key in keys)), device)
        places = torch.tensor([[self._places[k] for k in keys] for keys in wanted], device=device)
        offsets = torch.tensor([offsets for _, offsets in found], device=device)
        crops = np.stack([[self.matrices[self._own(*k)] for k in keys] for keys in wanted])
        moves = between_crops(self.matrices[rows][:, None], crops, self.windows.crop.size)
        maps = []
        for view, features in enumerate(self._maps):
            theta = moves * [[1, -1, -1], [-1, 1, 1]] if view else moves
            moved = [self._moved(m[places], torch.tensor(theta, device=device)) for m in features]
            maps.append(self.method.aggregate(moved, offsets).heatmaps)
        return maps

    def _moved(self, maps: torch.Tensor, theta: torch.Tensor) -> torch.Tensor:
        batch, length, _, height, width = maps.shape
        flat, theta = maps.flatten(0, 1), theta.flatten(0, 1).to(maps.dtype)
        identity = torch.eye(2, 3, device=theta.device, dtype=theta.dtype)
        rows = ((theta - identity).abs().amax(dim=(1, 2)) > 1e-6).nonzero()[:, 0]
        if len(rows):
            grid = F.affine_grid(theta[rows], [len(rows), 1, height, width], align_corners=False)
            flat[rows] = F.grid_sample(
                flat[rows], grid, padding_mode="border", align_corners=False
            ).to(flat.dtype)
        return flat.unflatten(0, (batch, length))

    def _own(self, person: int, row: int) -> int:
        """Return the box (a row) that crops a person in a frame: that of the nearest key frame."""
        number = self.windows.annotations.frame_number
        return min(
            self._key_frames[person],
            key=lambda d: abs(int(number[self.frames[d]]) - int(number[row])),
        )

    def _load(self, keys: list[tuple[int, int]], device: torch.device) -> None:
        """Make `_maps` hold the features of these frames, and no others."""
        kept = [key for key in keys if key in self._places]
        new = [key for key in keys if key not in self._places]
        parts: list[list[list[torch.Tensor]]] = []
        if kept:
            places = torch.tensor([self._places[key] for key in kept], device=device)
            parts.append([[m[places] for m in maps] for maps in self._maps])
        if new:
            crops = [
                self.windows.crop_frames([row], self.matrices[self._own(p, row)]) for p, row in new
            ]
            parts.append(self._features(normalise(np.concatenate(crops), device)))
        self._maps = [
            [torch.cat(maps) for maps in zip(*depths, strict=True)]
            for depths in zip(*parts, strict=True)
        ]
        self._places = {key: i for i, key in enumerate(kept + new)}

    def _features(self, frames: torch.Tensor) -> list[list[torch.Tensor]]:
        """Features of crops [N, 3, H, W], in the form of `_maps`."""
        views = [frames, frames.flip(-1)] if self.flip else [frames]
        found = [self.method.features(v[None], self.method.feature_depths) for v in views]
        return [[m[0] for m in maps] for maps in found]
