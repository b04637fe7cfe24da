"""Person windows cut from annotated videos, and the endless sequence of training samples."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np

from tdmi.annotations import Annotations
from tdmi.clips.augmentation import Augmentation, draw_geometry
from tdmi.clips.crops import (
    ENLARGEMENT,
    GEOMETRIES,
    crop_matrix,
    crop_regions,
    transform,
    warp,
)
from tdmi.clips.frames import FrameStore
from tdmi.clips.person_boxes import BOX_CLEANING
from tdmi.clips.windows import WINDOW_ENDS, window_offsets
from tdmi.errors import UserError
from tdmi.heatmaps import crop_to_heatmap, encode
from tdmi.options import choose

OUTSIDE_JOINTS = ("dropped", "kept")


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
    box_enlargement: float = ENLARGEMENT
    """Factor on the box, see `tdmi.clips.crops.crop_regions`; 1.15 in HRNet's on PoseTrack."""
    geometry: str = "pixel_centres"
    """How pixels of frame, crop and heatmap lie to each other, see `tdmi.clips.crops`."""
    outside_joints: str = "dropped"
    """Labelled joints beyond the crop: ``dropped`` from the loss (DCPose's and TDMI's code), or
    ``kept`` as long as a part of their Gaussian is inside (HRNet's)."""

    def __post_init__(self) -> None:
        choose("crop.window_ends", self.window_ends, WINDOW_ENDS)
        choose("crop.box_cleaning", self.box_cleaning, BOX_CLEANING)
        choose("crop.geometry", self.geometry, GEOMETRIES)
        choose("crop.outside_joints", self.outside_joints, OUTSIDE_JOINTS)

    @property
    def heatmap_size(self) -> tuple[int, int]:
        return self.size[0] // 4, self.size[1] // 4

    @property
    def aspect(self) -> float:
        return self.size[1] / self.size[0]

    def regions(self, boxes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """`crop_regions` of boxes [N, 4] at this aspect, enlargement and geometry."""
        return crop_regions(boxes, self.aspect, self.box_enlargement, self.geometry)


class FrameCue(Protocol):
    """What a method wants to be cut from whole frames beside the crops."""

    def cut(
        self,
        store: FrameStore,
        key: str,
        files: Sequence[str],
        matrix: np.ndarray,
        size: tuple[int, int],
    ) -> np.ndarray:
        """[T, C, h, w] for the frames `files` of the window whose key frame is `key`, as names in
        `store`; `matrix` [2, 3] and `size` (height, width) are those of the crops."""
        ...

    def mirrored(self, cue: Any) -> Any:
        """The tensor [..., C, h, w] for the mirrored crops."""
        ...


@dataclass(frozen=True)
class Sample:
    """One person window."""

    frames: np.ndarray
    """[T, h, w, 3] uint8 RGB crops."""
    offsets: np.ndarray
    """[T] int64, real distances from the key frame."""
    heatmaps: np.ndarray
    """[J, h/4, w/4] float32 target."""
    weight: np.ndarray
    """[J] float32, 0 for joints that are not annotated."""
    cue: np.ndarray | None = None
    """[T, C, h, w], see `FrameCue`."""


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

    def cut(self, frame: int, matrix: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Crops [T, h, w, 3] of the window of frame row `frame`, and their offsets [T] in frames.

        All frames get the same matrix: the crop of the key frame's person.
        """
        rows = self._rows[self.annotations.frame_video[frame]]
        number = int(self.annotations.frame_number[frame])
        offsets = window_offsets(number, rows, self.window, self.crop.window_ends)
        crops: dict[int, np.ndarray] = {}
        for k in set(offsets):
            file = self.annotations.frame_file[rows[number + k]]
            crops[k] = warp(self.store.read(file), matrix, self.crop.size)
        return np.stack([crops[k] for k in offsets]), np.array(offsets)

    def cut_cue(
        self, cue: FrameCue, frame: int, offsets: np.ndarray, matrix: np.ndarray
    ) -> np.ndarray:
        """What `cue` cuts of the window whose `offsets` `cut` has returned."""
        rows = self._rows[self.annotations.frame_video[frame]]
        number = int(self.annotations.frame_number[frame])
        files = [self.annotations.frame_file[rows[number + k]] for k in offsets.tolist()]
        key = self.annotations.frame_file[frame]
        return cue.cut(self.store, key, files, matrix, self.crop.size)


class TrainingSamples:
    """Endless sequence of augmented samples; item p depends on (seed, p) alone.

    Each pass over the persons (an epoch) has its own order. Randomness is drawn from
    (seed, epoch, sample index), so that worker count, resumption and load change nothing.
    """

    def __init__(
        self,
        windows: Windows,
        augmentation: Augmentation,
        seed: int,
        cue: FrameCue | None = None,
    ) -> None:
        self.windows = windows
        self.cue = cue
        self.augmentation = augmentation
        self.seed = seed
        annotations = windows.annotations
        usable = annotations.present.any(axis=1) & (annotations.box[:, 2:] > 0).all(axis=1)
        self.persons = np.flatnonzero(usable)
        self._centres, self._sizes = windows.crop.regions(annotations.box)
        self._order: tuple[int, np.ndarray] = (-1, self.persons)

    def __len__(self) -> int:
        """Samples in one epoch."""
        return len(self.persons)

    def person_at(self, position: int) -> tuple[int, int]:
        """(epoch, person row) of a position in the endless sequence."""
        epoch, index = divmod(position, len(self.persons))
        if self._order[0] != epoch:
            generator = np.random.Generator(
                np.random.PCG64(np.random.SeedSequence([self.seed, epoch]))
            )
            self._order = epoch, generator.permutation(self.persons)
        return epoch, int(self._order[1][index])

    def __getitem__(self, position: int) -> Sample:
        epoch, person = self.person_at(position)
        generator = np.random.Generator(
            np.random.PCG64(np.random.SeedSequence([self.seed, epoch, person]))
        )
        annotations, crop = self.windows.annotations, self.windows.crop
        points, present = annotations.keypoints[person], annotations.present[person]
        drawn = draw_geometry(
            self.augmentation,
            generator,
            self._centres[person],
            float(self._sizes[person, 0]),
            points,
            present,
            annotations.skeleton,
            crop.aspect,
        )
        matrix = crop_matrix(
            drawn.centre, drawn.width, crop.size, drawn.rotation, drawn.flip, crop.geometry
        )
        frame = int(annotations.person_frame[person])
        frames, offsets = self.windows.cut(frame, matrix)
        cue = self.cue and self.windows.cut_cue(self.cue, frame, offsets, matrix)
        points = transform(points, matrix)
        if drawn.flip:
            order = annotations.skeleton.flip_order
            points, present = points[order], present[order]
        if crop.outside_joints == "dropped":
            low = 0.0 if crop.geometry == "official" else -0.5
            high = (crop.size[1] + low, crop.size[0] + low)
            present = present & ((points >= low) & (points <= high)).all(axis=1)
        heatmaps, weight = encode(
            crop_to_heatmap(points, geometry=crop.geometry)[None],
            present[None],
            crop.heatmap_size,
            crop.sigma,
            crop.target_centre,
        )
        return Sample(frames, offsets, heatmaps[0], weight[0], cue)
