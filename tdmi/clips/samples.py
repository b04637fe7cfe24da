"""Person windows cut from annotated videos, and the endless sequence of training samples."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from tdmi.annotations import Annotations
from tdmi.clips.augmentation import Augmentation, Geometry, draw_geometry
from tdmi.clips.crops import (
    crop_matrix,
    crop_regions,
    from_reduced,
    scale_of,
    transform,
    warp,
)
from tdmi.clips.frames import REDUCTIONS, FrameStore
from tdmi.clips.order import SampleOrder
from tdmi.clips.person_boxes import BOX_CLEANING
from tdmi.clips.windows import WINDOW_ENDS, window_offsets
from tdmi.errors import UserError
from tdmi.heatmaps import crop_to_heatmap, encode
from tdmi.options import choose


@dataclass(frozen=True)
class CropOptions:
    """Size and target of a crop, shared by every method of a suite."""

    size: tuple[int, int] = (384, 288)
    """(height, width) in pixels, multiples of 4."""
    sigma: float = 3.0
    """Of the target Gaussian, in heatmap pixels."""
    target_centre: str = "subpixel"
    """``subpixel`` or ``rounded``, see `tdmi.heatmaps.encode`."""
    window_ends: str = "repeat_key"
    """What stands in for missing neighbours, see `tdmi.clips.windows.window_offsets`."""
    box_cleaning: str = "none"
    """What happens to ground-truth boxes, see `tdmi.clips.person_boxes.cleaned`."""
    reduced_decoding: bool = False
    """Read a frame 2, 4 or 8 times smaller where the crop is at least that much smaller than what
    it shows. Pixels that become one are averaged then, while bilinear sampling skips some: crops of
    the embedded suite change by 1.9 of 255 in the mean."""

    def __post_init__(self) -> None:
        choose("crop.window_ends", self.window_ends, WINDOW_ENDS)
        choose("crop.box_cleaning", self.box_cleaning, BOX_CLEANING)

    @property
    def heatmap_size(self) -> tuple[int, int]:
        return self.size[0] // 4, self.size[1] // 4

    @property
    def aspect(self) -> float:
        return self.size[1] / self.size[0]


@dataclass(frozen=True)
class Sample:
    """One person window, or several with one more axis in front."""

    frames: np.ndarray
    """[T, h, w, 3] uint8 RGB crops."""
    offsets: np.ndarray
    """[T] int64, real distances from the key frame."""
    heatmaps: np.ndarray
    """[J, h/4, w/4] float32 target."""
    weight: np.ndarray
    """[J] float32, 0 for joints that are not annotated."""


@dataclass
class Windows:
    """Cuts person windows out of one split; knows where each frame's neighbours are."""

    annotations: Annotations
    store: FrameStore
    window: Sequence[int]
    crop: CropOptions
    _rows: list[dict[int, int]] = field(init=False)
    """For each video the rows of its frames by frame number."""

    def __post_init__(self) -> None:
        annotations = self.annotations
        self._rows = [{} for _ in annotations.video_names]
        videos, numbers = annotations.frame_video.tolist(), annotations.frame_number.tolist()
        for row, (video, number) in enumerate(zip(videos, numbers, strict=True)):
            other = self._rows[video].setdefault(number, row)
            if other != row:
                raise UserError(
                    f"{annotations.video_names[video]}: {annotations.frame_file[other]} and "
                    f"{annotations.frame_file[row]} both have frame number {number}, expected the "
                    "first number of the name to count the frames of the video; rename the frames"
                )

    def neighbours(self, frame: int) -> tuple[list[int], tuple[int, ...]]:
        """Frame rows [T] of the window of frame row `frame`, and their offsets [T] in frames."""
        rows = self._rows[self.annotations.frame_video[frame]]
        number = int(self.annotations.frame_number[frame])
        offsets = window_offsets(number, rows, self.window, self.crop.window_ends)
        return [rows[number + k] for k in offsets], offsets

    def cut(
        self, frame: int, matrix: np.ndarray, out: np.ndarray | None = None
    ) -> tuple[np.ndarray, np.ndarray]:
        """Crops [T, h, w, 3] of the window of frame row `frame`, and their offsets [T] in frames.

        All frames get the same matrix: the crop of the key frame's person. With `out`, the crops
        are written there.
        """
        rows, offsets = self.neighbours(frame)
        return self.crops(rows, matrix, out), np.array(offsets)

    def crops(
        self, rows: Sequence[int], matrix: np.ndarray, out: np.ndarray | None = None
    ) -> np.ndarray:
        """Crops [N, h, w, 3] of frame rows, all by one matrix; written to `out` if it is given."""
        if out is None:
            out = np.empty((len(rows), *self.crop.size, 3), np.uint8)
        reduction = 1
        if self.crop.reduced_decoding:
            reduction = max(r for r in REDUCTIONS if r == 1 or r * scale_of(matrix) <= 1)
            matrix = from_reduced(matrix, reduction)
        # Frame by frame: joining the frames to warp them in one call, or sampling all of them at
        # positions computed once, was measured and is slower.
        for i, row in enumerate(rows):
            if (first := rows.index(row)) < i:
                out[i] = out[first]
            else:
                frame = self.store.read(self.annotations.frame_file[row], reduction)
                warp(frame, matrix, self.crop.size, out[i])
        return out


class TrainingSamples:
    """Endless sequence of augmented samples; item p depends on (seed, order, p) alone.

    Each pass over the persons (an epoch) has its own order. Randomness is drawn from
    (seed, epoch, sample index), so that worker count, resumption and load change nothing.
    """

    def __init__(
        self,
        windows: Windows,
        augmentation: Augmentation,
        seed: int,
        order: SampleOrder | None = None,
    ) -> None:
        self.windows = windows
        self.augmentation = augmentation
        self.seed = seed
        self.order = order or SampleOrder()
        annotations = windows.annotations
        usable = annotations.present.any(axis=1) & (annotations.box[:, 2:] > 0).all(axis=1)
        self.persons = np.flatnonzero(usable)
        self._centres, self._sizes = crop_regions(annotations.box, windows.crop.aspect)
        self._epoch: tuple[int, np.ndarray] = (-1, self.persons)

    def __len__(self) -> int:
        """Samples in one epoch."""
        return len(self.persons)

    def person_at(self, position: int) -> tuple[int, int]:
        """(epoch, person row) of a position in the endless sequence."""
        epoch, index = divmod(position, len(self.persons))
        if self._epoch[0] != epoch:
            annotations = self.windows.annotations
            frame = annotations.person_frame[self.persons]
            visited = self.order.epoch(
                annotations.frame_video[frame],
                annotations.frame_number[frame],
                first=epoch * len(self.persons),
                generator=_generator(self.seed, epoch),
            )
            self._epoch = epoch, self.persons[visited]
        return epoch, int(self._epoch[1][index])

    def __getitem__(self, position: int) -> Sample:
        batch = self.batch([position])
        return Sample(batch.frames[0], batch.offsets[0], batch.heatmaps[0], batch.weight[0])

    def batch(self, positions: Sequence[int]) -> Sample:
        """The samples at these positions, [B, ...]."""
        crop, skeleton = self.windows.crop, self.windows.annotations.skeleton
        count, length = len(positions), len(self.windows.window)
        frames = np.empty((count, length, *crop.size, 3), np.uint8)
        offsets = np.empty((count, length), np.int64)
        points = np.empty((count, len(skeleton), 2))
        present = np.empty((count, len(skeleton)), bool)
        for i, position in enumerate(positions):
            epoch, person = self.person_at(position)
            geometry = self._draw(epoch, person)
            matrix = crop_matrix(
                geometry.centre, geometry.width, crop.size, geometry.rotation, geometry.flip
            )
            row = int(self.windows.annotations.person_frame[person])
            _, offsets[i] = self.windows.cut(row, matrix, frames[i])
            points[i], present[i] = self._joints(person, matrix, geometry.flip)
        heatmaps, weight = encode(
            crop_to_heatmap(points), present, crop.heatmap_size, crop.sigma, crop.target_centre
        )
        return Sample(frames, offsets, heatmaps, weight)

    def _draw(self, epoch: int, person: int) -> Geometry:
        annotations = self.windows.annotations
        return draw_geometry(
            self.augmentation,
            _generator(self.seed, epoch, person),
            self._centres[person],
            float(self._sizes[person, 0]),
            annotations.keypoints[person],
            annotations.present[person],
            annotations.skeleton,
            self.windows.crop.aspect,
        )

    def _joints(self, person: int, matrix: np.ndarray, flip: bool) -> tuple[np.ndarray, np.ndarray]:
        """Crop pixels [J, 2] of a person's joints, and which of them [J] lie in the crop."""
        annotations = self.windows.annotations
        points = transform(annotations.keypoints[person], matrix)
        present = annotations.present[person]
        if flip:
            order = annotations.skeleton.flip_order
            points, present = points[order], present[order]
        height, width = self.windows.crop.size
        inside = ((points >= -0.5) & (points <= (width - 0.5, height - 0.5))).all(axis=1)
        return points, present & inside


def _generator(*numbers: int) -> np.random.Generator:
    return np.random.Generator(np.random.PCG64(np.random.SeedSequence(numbers)))
