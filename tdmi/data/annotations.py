"""The one in-memory form of every data set and of every prediction: flat numpy columns.

Videos, frames and persons are three tables; persons point to frames and frames to videos by row
number. All coordinates are pixels of the full frame; the centre of the top left pixel is (0, 0).
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, fields, replace

import numpy as np

from tdmi.data.skeletons import Skeleton

# poseval's own value for a joint without a score: it ranks below every real one.
UNSCORED = -9999.0
# Files may hold negative track ids (poseval accepts them), so no small number means "none".
NO_TRACK = int(np.iinfo(np.int64).min)
# The same value for a person without an identity across videos.
NO_PERSON_ID = NO_TRACK


@dataclass
class Annotations:
    """V videos, F frames (sorted by video, then time), N persons (sorted by frame, file order)."""

    skeleton: Skeleton
    video_names: list[str]
    """[V] file stem of the video's annotation file, e.g. ``000342_mpii_test``."""

    frame_video: np.ndarray
    """[F] int64, row in `video_names`."""
    frame_index: np.ndarray
    """[F] int64, position in its video, from 0."""
    frame_file: list[str]
    """[F] image path relative to the data set's root, e.g. ``images/val/<video>/000000.jpg``."""
    frame_id: np.ndarray
    """[F] int64, the file's own image id (the position where the form has none)."""
    frame_labelled: np.ndarray
    """[F] bool, the file's ``is_labeled``."""
    frame_annotated: np.ndarray
    """[F] bool, the file lists at least one person here, even if it has no joints, and even if
    the reader left it out of the persons below because its joint list is missing."""
    ignore_regions: list[list[np.ndarray]]
    """[F] lists of polygons [P, 2] inside which joints are not judged."""

    person_frame: np.ndarray
    """[N] int64, row in the frame columns."""
    track_id: np.ndarray
    """[N] int64; NO_TRACK where the file has none."""
    keypoints: np.ndarray
    """[N, J, 2] float64 (x, y); 0 where absent."""
    present: np.ndarray
    """[N, J] bool, the joint is annotated (ground truth) or predicted."""
    visible: np.ndarray
    """[N, J] bool, the joint is annotated and not hidden."""
    joint_score: np.ndarray
    """[N, J] float64; UNSCORED where the file has none."""
    box: np.ndarray
    """[N, 4] float64 x, y, width, height; NaN where the file has none."""
    head_box: np.ndarray
    """[N, 4] float64 x1, y1, x2, y2; NaN where the file has none."""
    score: np.ndarray
    """[N] float64 score of the whole person or box; NaN where the file has none."""
    area: np.ndarray | None = None
    """[N] float64 px^2 as the file states it; NaN where it has none (all, if left out here)."""
    crowd: np.ndarray | None = None
    """[N] bool, the file's ``iscrowd``; False where it has none (all, if left out here)."""
    person_id: np.ndarray | None = None
    """[N] int64 identity across videos (PoseTrack21); NO_PERSON_ID where the file has none."""
    action: list[str] | None = None
    """[N] what the person does (HiEve); empty where the file does not say."""
    frame_number: np.ndarray | None = None
    """[F] int64, number of the frame in the real video: the first number of its file's name, or
    its position where the name has none. Differences of it are real frame distances."""
    frame_size: np.ndarray | None = None
    """[F, 2] int64 width and height in pixels; 0 where the file does not state them."""
    frame_boxed: np.ndarray | None = None
    """[F] bool, every person here has a box, with or without joints (PoseTrack21's
    ``has_labeled_person``); False where the file does not say."""
    video_length: np.ndarray | None = None
    """[V] int64, frames of the whole video as the file states them (``nframes``); 0 if unstated."""

    def __post_init__(self) -> None:
        people, frames = self.persons, self.frames
        missing = {
            "area": lambda: np.full(people, np.nan),
            "crowd": lambda: np.zeros(people, dtype=bool),
            "person_id": lambda: np.full(people, NO_PERSON_ID, dtype=np.int64),
            "action": lambda: [""] * people,
            "frame_number": lambda: frame_numbers(self.frame_file, self.frame_index),
            "frame_size": lambda: np.zeros((frames, 2), dtype=np.int64),
            "frame_boxed": lambda: np.zeros(frames, dtype=bool),
            "video_length": lambda: np.zeros(len(self.video_names), dtype=np.int64),
        }
        for name, default in missing.items():
            if getattr(self, name) is None:
                setattr(self, name, default())

    @property
    def persons(self) -> int:
        return len(self.person_frame)

    @property
    def frames(self) -> int:
        return len(self.frame_video)

    def frames_of(self, video: int) -> np.ndarray:
        """Rows of the frames of one video, in time order."""
        return np.arange(*np.searchsorted(self.frame_video, [video, video + 1]))


def frame_numbers(files: Sequence[str], positions: np.ndarray) -> np.ndarray:
    """Number of each frame [F]: the first number in its file's name, else its position."""
    found = (re.search(r"\d{1,18}", file.rpartition("/")[2]) for file in files)
    return np.array(
        [int(m[0]) if m else int(p) for m, p in zip(found, positions, strict=True)], dtype=np.int64
    )


def select_frames(annotations: Annotations, keep: np.ndarray) -> Annotations:
    """The frames with `keep` [F] true and their persons; every video stays, even if empty."""
    row = np.cumsum(keep) - 1
    people = keep[annotations.person_frame]
    columns = {}
    for name in _FRAME_COLUMNS:
        columns[name] = _rows(getattr(annotations, name), keep)
    for name in _PERSON_COLUMNS:
        columns[name] = _rows(getattr(annotations, name), people)
    columns["person_frame"] = row[columns["person_frame"]]
    return replace(annotations, **columns)


def select_persons(annotations: Annotations, keep: np.ndarray) -> Annotations:
    """The persons with `keep` [N] true, in all frames; ``frame_annotated`` stays as it was."""
    columns = {name: _rows(getattr(annotations, name), keep) for name in _PERSON_COLUMNS}
    return replace(annotations, **columns)


def in_frame_order(annotations: Annotations) -> Annotations:
    """The persons sorted by frame, those of one frame in the order they had."""
    order = np.argsort(annotations.person_frame, kind="stable")
    columns = {}
    for name in _PERSON_COLUMNS:
        column = getattr(annotations, name)
        columns[name] = [column[i] for i in order] if isinstance(column, list) else column[order]
    return replace(annotations, **columns)


def select_videos(annotations: Annotations, names: Sequence[str]) -> Annotations:
    """The videos `names`, in that order; ValueError for a name that is not there."""
    unknown = sorted(set(names) - set(annotations.video_names))
    if unknown:
        raise ValueError(f"no such video: {', '.join(unknown)}")
    rows = [annotations.video_names.index(name) for name in names]
    if not rows:
        raise ValueError("no video to select")
    return concatenate([_single_video(annotations, video) for video in rows])


def _single_video(annotations: Annotations, video: int) -> Annotations:
    chosen = select_frames(annotations, annotations.frame_video == video)
    return replace(
        chosen,
        video_names=[annotations.video_names[video]],
        frame_video=np.zeros(chosen.frames, dtype=np.int64),
        video_length=annotations.video_length[[video]],
    )


def _rows(column: np.ndarray | list, keep: np.ndarray) -> np.ndarray | list:
    if isinstance(column, list):
        return [value for value, kept in zip(column, keep, strict=True) if kept]
    return column[keep]


_FRAME_COLUMNS = (
    "frame_video", "frame_index", "frame_file", "frame_id", "frame_labelled", "frame_annotated",
    "frame_number", "frame_size", "frame_boxed", "ignore_regions",
)  # fmt: skip
_PERSON_COLUMNS = (
    "person_frame", "track_id", "person_id", "action", "keypoints", "present", "visible",
    "joint_score", "box", "head_box", "score", "area", "crowd",
)  # fmt: skip
_JOINT_COLUMNS = {"keypoints": 0.0, "present": False, "visible": False, "joint_score": UNSCORED}


def concatenate(parts: Sequence[Annotations]) -> Annotations:
    """Join annotations of different videos, in the order given.

    Raises ValueError if there is no part, if a video name comes twice, or if skeletons differ
    (`on_skeleton` brings them together).
    """
    if not parts:
        raise ValueError("nothing to concatenate")
    if any(part.skeleton != parts[0].skeleton for part in parts):
        raise ValueError("annotations with different skeletons cannot be concatenated")
    names = [name for part in parts for name in part.video_names]
    if len(set(names)) < len(names):
        twice = sorted({name for name in names if names.count(name) > 1})
        raise ValueError(f"videos in more than one part: {', '.join(twice)}")

    shift = {
        "frame_video": np.cumsum([0] + [len(part.video_names) for part in parts]),
        "person_frame": np.cumsum([0] + [part.frames for part in parts]),
    }
    columns: dict[str, object] = {}
    for field in fields(Annotations):
        values = [getattr(part, field.name) for part in parts]
        if field.name == "skeleton":
            columns[field.name] = values[0]
        elif isinstance(values[0], list):
            columns[field.name] = [item for value in values for item in value]
        elif field.name in shift:
            moved = [value + by for value, by in zip(values, shift[field.name], strict=False)]
            columns[field.name] = np.concatenate(moved)
        else:
            columns[field.name] = np.concatenate(values)
    return Annotations(**columns)


def on_skeleton(annotations: Annotations, skeleton: Skeleton) -> Annotations:
    """The same persons on another joint set, joints paired by name.

    Joints that only the old set has are dropped; joints that only the new one has are absent.
    """
    if annotations.skeleton == skeleton:
        return annotations
    slots = skeleton.slots_in(annotations.skeleton)
    columns = {}
    for name, missing in _JOINT_COLUMNS.items():
        column = getattr(annotations, name).take(slots, axis=1)
        column[:, slots < 0] = missing
        columns[name] = column
    return replace(annotations, skeleton=skeleton, **columns)
