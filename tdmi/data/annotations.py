"""The one in-memory form of every data set and of every prediction: flat numpy columns.

Videos, frames and persons are three tables; persons point to frames and frames to videos by row
number. All coordinates are pixels of the full frame; the centre of the top left pixel is (0, 0).
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np

from tdmi.data.records import Flags, Floats, Ints
from tdmi.data.skeletons import Skeleton

# poseval's own value for a joint without a score: it ranks below every real one.
UNSCORED = -9999.0
# Files may hold negative track ids (poseval accepts them), so no small number means "none".
NO_TRACK = int(np.iinfo(np.int64).min)
# The same value for a person without an identity across videos.
NO_PERSON_ID = NO_TRACK
UNSTATED: Any = None
"""A column that is left out when annotations are built; it is filled with "unknown"."""
Columns = dict[str, Any]
"""Columns of `Annotations` by name."""


@dataclass
class Annotations:
    """V videos, F frames (sorted by video, then time), N persons (sorted by frame, file order)."""

    skeleton: Skeleton
    video_names: list[str]
    """[V] file stem of the video's annotation file, e.g. ``000342_mpii_test``."""

    frame_video: Ints
    """[F] int64, row in `video_names`."""
    frame_index: Ints
    """[F] int64, position in its video, from 0."""
    frame_file: list[str]
    """[F] image path relative to the data set's root, e.g. ``images/val/<video>/000000.jpg``."""
    frame_id: Ints
    """[F] int64, the file's own image id (the position where the form has none)."""
    frame_labelled: Flags
    """[F] bool, the file's ``is_labeled``."""
    frame_annotated: Flags
    """[F] bool, the file lists at least one person here, even if it has no joints, and even if
    the reader left it out of the persons below because its joint list is missing."""
    ignore_regions: list[list[Floats]]
    """[F] lists of polygons [P, 2] inside which joints are not evaluated."""

    person_frame: Ints
    """[N] int64, row in the frame columns."""
    track_id: Ints
    """[N] int64; NO_TRACK where the file has none."""
    keypoints: Floats
    """[N, J, 2] float64 (x, y); 0 where absent."""
    present: Flags
    """[N, J] bool, the joint is annotated (ground truth) or predicted."""
    visible: Flags
    """[N, J] bool, the joint is annotated and not hidden."""
    joint_score: Floats
    """[N, J] float64; UNSCORED where the file has none."""
    box: Floats
    """[N, 4] float64 x, y, width, height; NaN where the file has none."""
    head_box: Floats
    """[N, 4] float64 x1, y1, x2, y2; NaN where the file has none."""
    score: Floats
    """[N] float64 score of the whole person or box; NaN where the file has none."""
    area: Floats = UNSTATED
    """[N] float64 px^2 as the file states it; NaN where it has none (all, if left out here)."""
    crowd: Flags = UNSTATED
    """[N] bool, the file's ``iscrowd``; False where it has none (all, if left out here)."""
    person_id: Ints = UNSTATED
    """[N] int64 identity across videos (PoseTrack21); NO_PERSON_ID where the file has none."""
    action: list[str] = UNSTATED
    """[N] what the person does (HiEve); empty where the file does not say."""
    frame_number: Ints = UNSTATED
    """[F] int64, number of the frame in the real video: the first number of its file's name, or
    its position where the name has none. Differences of it are real frame distances."""
    frame_size: Ints = UNSTATED
    """[F, 2] int64 width and height in pixels; 0 where the file does not state them."""
    frame_boxed: Flags = UNSTATED
    """[F] bool, every person here has a box, with or without joints (PoseTrack21's
    ``has_labeled_person``); False where the file does not say."""
    video_length: Ints = UNSTATED
    """[V] int64, frames of the whole video as the file states them (``nframes``); 0 if unstated."""

    def __post_init__(self) -> None:
        people, frames = self.persons, self.frames
        unknown: Columns = {
            "area": np.full(people, np.nan),
            "crowd": np.zeros(people, dtype=bool),
            "person_id": np.full(people, NO_PERSON_ID, dtype=np.int64),
            "action": [""] * people,
            "frame_size": np.zeros((frames, 2), dtype=np.int64),
            "frame_boxed": np.zeros(frames, dtype=bool),
            "video_length": np.zeros(len(self.video_names), dtype=np.int64),
        }
        for name, column in unknown.items():
            if getattr(self, name) is UNSTATED:
                setattr(self, name, column)
        if self.frame_number is UNSTATED:
            self.frame_number = frame_numbers(self.frame_file, self.frame_index)

    @property
    def persons(self) -> int:
        return len(self.person_frame)

    @property
    def frames(self) -> int:
        return len(self.frame_video)

    def frames_of(self, video: int) -> Ints:
        """Return the rows of the frames of one video, in time order."""
        return np.arange(*np.searchsorted(self.frame_video, [video, video + 1]))


def frame_numbers(files: Sequence[str], positions: Ints) -> Ints:
    """Return each frame's number [F]: the first in its file's name, else its position."""
    found = (re.search(r"\d{1,18}", file.rpartition("/")[2]) for file in files)
    return np.array(
        [int(m[0]) if m else int(p) for m, p in zip(found, positions, strict=True)], dtype=np.int64
    )


def unknown_persons(frame: Ints, skeleton: Skeleton) -> Columns:
    """Return person columns for the frame rows `frame` [N], of whom nothing else is known."""
    count, joints = len(frame), len(skeleton)
    return {
        "person_frame": frame,
        "track_id": np.full(count, NO_TRACK),
        "keypoints": np.zeros((count, joints, 2)),
        "present": np.zeros((count, joints), dtype=bool),
        "visible": np.zeros((count, joints), dtype=bool),
        "joint_score": np.full((count, joints), UNSCORED),
        "box": np.full((count, 4), np.nan),
        "head_box": np.full((count, 4), np.nan),
        "score": np.full(count, np.nan),
    } | dict.fromkeys(("area", "crowd", "person_id", "action"), UNSTATED)


def select_frames(annotations: Annotations, keep: Flags) -> Annotations:
    """Return the frames with `keep` [F] true and their persons; empty videos stay."""
    people = keep[annotations.person_frame]
    columns = _rows(annotations, FRAME_COLUMNS, keep) | _rows(annotations, PERSON_COLUMNS, people)
    columns["person_frame"] = (np.cumsum(keep) - 1)[columns["person_frame"]]
    return replace(annotations, **columns)


def select_persons(annotations: Annotations, keep: Flags) -> Annotations:
    """Return the persons with `keep` [N] true, in all frames; `frame_annotated` stays as it was."""
    return replace(annotations, **_rows(annotations, PERSON_COLUMNS, keep))


def in_frame_order(annotations: Annotations) -> Annotations:
    """Return the persons sorted by frame, those of one frame in the order they had."""
    order = np.argsort(annotations.person_frame, kind="stable")
    return replace(annotations, **_rows(annotations, PERSON_COLUMNS, order))


def select_videos(annotations: Annotations, names: Sequence[str]) -> Annotations:
    """Return the videos `names`, in that order; ValueError for a name that is not there."""
    unknown = sorted(set(names) - set(annotations.video_names))
    if unknown:
        raise ValueError(f"no such video: {', '.join(unknown)}")
    parts = []
    for name in names:
        video = annotations.video_names.index(name)
        part = select_frames(annotations, annotations.frame_video == video)
        first = np.zeros(part.frames, dtype=np.int64)
        length = part.video_length[[video]]
        parts.append(replace(part, video_names=[name], frame_video=first, video_length=length))
    return concatenate(parts)


def _rows(annotations: Annotations, names: Sequence[str], chosen: Flags | Ints) -> Columns:
    """Return the chosen rows of columns, by a mask or by row numbers."""
    rows = np.flatnonzero(chosen) if chosen.dtype == bool else chosen
    columns = {name: getattr(annotations, name) for name in names}
    return {
        name: [column[row] for row in rows] if isinstance(column, list) else column[rows]
        for name, column in columns.items()
    }


VIDEO_COLUMNS = ("video_names", "video_length")
FRAME_COLUMNS = (
    "frame_video", "frame_index", "frame_file", "frame_id", "frame_labelled", "frame_annotated",
    "frame_number", "frame_size", "frame_boxed", "ignore_regions",
)  # fmt: skip
PERSON_COLUMNS = (
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
    columns: Columns = {}
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
    """Return the same persons on another joint set, joints paired by name.

    Joints that only the old set has are dropped; joints that only the new one has are absent.
    """
    if annotations.skeleton == skeleton:
        return annotations
    slots = skeleton.slots_in(annotations.skeleton)
    columns: Columns = {}
    for name, missing in _JOINT_COLUMNS.items():
        column = getattr(annotations, name).take(slots, axis=1)
        column[:, slots < 0] = missing
        columns[name] = column
    return replace(annotations, skeleton=skeleton, **columns)
