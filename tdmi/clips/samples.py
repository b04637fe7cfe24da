"""Person windows cut from annotated videos, and the endless sequence of training samples."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from tdmi.clips.augmentation import Drawn, draw
from tdmi.clips.crops import (
    PixelCentres,
    crop_matrices,
    crop_matrix,
    crop_regions,
    geometry_of,
    transform,
    warp,
)
from tdmi.clips.frames import FrameCue, FrameReader
from tdmi.clips.order import SampleOrder
from tdmi.clips.targets import encode
from tdmi.clips.windows import window_offsets
from tdmi.config.inputs import Augmentation, Crop, JointWeights
from tdmi.core.errors import UserError
from tdmi.data.annotations import Annotations
from tdmi.data.skeletons import Skeleton

LIMB_WEIGHTS = {"elbow": 1.2, "knee": 1.2, "wrist": 1.5, "ankle": 1.5}
"""Joint weights of HRNet's code, which multiplies prediction and target by them; the TDMI authors'
code has them switched off. Joints that are not named have 1."""


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
    """[J] float32, 0 for joints that are not annotated, else the joint's weight."""
    cue: np.ndarray | None = None
    """[T, C, h, w], see `tdmi.clips.frames.FrameCue`."""


@dataclass
class Windows:
    """Cuts person windows out of one split; knows where each frame's neighbours are."""

    annotations: Annotations
    store: FrameReader
    window: Sequence[int]
    crop: Crop
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

    @property
    def geometry(self) -> PixelCentres:
        return geometry_of(self.crop)

    def matrices(self, boxes: np.ndarray) -> np.ndarray:
        """[N, 2, 3] from frame pixels to those of each box's crop, neither turned nor moved."""
        return crop_matrices(boxes, self.crop)

    def crop_window(
        self, frame: int, matrix: np.ndarray, out: np.ndarray | None = None
    ) -> tuple[np.ndarray, np.ndarray]:
        """Crops [T, h, w, 3] of the window of frame row `frame`, and their offsets [T] in frames.

        All frames get the same matrix: the crop of the key frame's person. With `out`, the crops
        are written there.
        """
        rows, offsets = self.neighbours(frame)
        return self.crop_frames(rows, matrix, out), np.array(offsets)

    def crop_frames(
        self, rows: Sequence[int], matrix: np.ndarray, out: np.ndarray | None = None
    ) -> np.ndarray:
        """Crops [N, h, w, 3] of frame rows, all by one matrix; written to `out` if it is given."""
        if out is None:
            out = np.empty((len(rows), *self.crop.size, 3), np.uint8)
        # Frame by frame: joining the frames to warp them in one call, or sampling all of them at
        # positions computed once, was measured and is slower.
        for i, row in enumerate(rows):
            if (first := rows.index(row)) < i:
                out[i] = out[first]
            else:
                frame = self.store.read(self.annotations.frame_file[row])
                warp(frame, matrix, self.crop.size, out[i])
        return out

    def auxiliary_input(self, cue: FrameCue, frame: int, matrix: np.ndarray) -> np.ndarray:
        """Cut the auxiliary input of the window that `crop_window` crops with these arguments."""
        rows, _ = self.neighbours(frame)
        files = [self.annotations.frame_file[row] for row in rows]
        key = self.annotations.frame_file[frame]
        return cue.cut(self.store, key, files, matrix, self.crop.size)


class TrainingSamples:
    """Endless sequence of augmented samples; item p depends on (seed, order, p) only.

    Each pass over the persons (an epoch) has its own order. Randomness is drawn from
    (seed, epoch, sample index), so that worker count, resumption and load change nothing.
    """

    def __init__(
        self,
        windows: Windows,
        augmentation: Augmentation,
        seed: int,
        *,
        cue: FrameCue | None = None,
        order: SampleOrder | None = None,
    ) -> None:
        self.windows = windows
        self.cue = cue
        self.augmentation = augmentation
        self.seed = seed
        self.order = order or SampleOrder()
        annotations = windows.annotations
        usable = annotations.present.any(axis=1) & (annotations.box[:, 2:] > 0).all(axis=1)
        self.persons = np.flatnonzero(usable)
        self._centres, self._sizes = crop_regions(annotations.box, windows.crop)
        self._epoch: tuple[int, np.ndarray] = (-1, self.persons)
        self._joint_weights = joint_weights(windows.crop.joint_weights, annotations.skeleton)

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
        columns = {name: c[0] for name, c in vars(batch).items() if c is not None}
        return Sample(**columns)

    def batch(self, positions: Sequence[int]) -> Sample:
        """The samples at these positions, [B, ...]."""
        crop, geometry = self.windows.crop, self.windows.geometry
        skeleton = self.windows.annotations.skeleton
        count, length = len(positions), len(self.windows.window)
        frames = np.empty((count, length, *crop.size, 3), np.uint8)
        offsets = np.empty((count, length), np.int64)
        points = np.empty((count, len(skeleton), 2))
        present = np.empty((count, len(skeleton)), bool)
        cues = []
        for i, position in enumerate(positions):
            epoch, person = self.person_at(position)
            drawn = self._draw(epoch, person)
            matrix = crop_matrix(
                drawn.centre, drawn.width, crop.size, drawn.rotation, drawn.flip, geometry
            )
            row = int(self.windows.annotations.person_frame[person])
            _, offsets[i] = self.windows.crop_window(row, matrix, frames[i])
            if self.cue is not None:
                cues.append(self.windows.auxiliary_input(self.cue, row, matrix))
            points[i], present[i] = self._joints(person, matrix, drawn.flip)
        points = geometry.to_heatmap(points)
        heatmaps, weight = encode(
            points, present, crop.heatmap_size, crop.sigma, crop.target_centre
        )
        stacked = np.stack(cues) if cues else None
        return Sample(frames, offsets, heatmaps, weight * self._joint_weights, stacked)

    def _draw(self, epoch: int, person: int) -> Drawn:
        annotations = self.windows.annotations
        return draw(
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
        """Crop pixels [J, 2] of a person's joints, and which of them [J] the loss sees."""
        annotations, crop = self.windows.annotations, self.windows.crop
        points = transform(annotations.keypoints[person], matrix)
        present = annotations.present[person]
        if flip:
            order = annotations.skeleton.flip_order
            points, present = points[order], present[order]
        if crop.outside_joints == "dropped":
            low, high = self.windows.geometry.bounds(crop.size)
            present = present & ((points >= low) & (points <= high)).all(axis=1)
        return points, present


def joint_weights(kind: JointWeights, skeleton: Skeleton) -> np.ndarray:
    """[J] float32 of `crop.joint_weights`; left and right have the same."""
    named = LIMB_WEIGHTS if kind == "limbs" else {}
    weights = [named.get(joint.rpartition("_")[2], 1.0) for joint in skeleton.joints]
    return np.array(weights, np.float32)


def _generator(*numbers: int) -> np.random.Generator:
    return np.random.Generator(np.random.PCG64(np.random.SeedSequence(numbers)))
