"""Annotations brought from one PoseTrack form to the other, with notes on what is dropped or made.

Both directions leave annotations exactly as the reader of the target form gives them back, to the
last bit. Joints go by name: head_bottom of 2018 is the neck of 2017 (never the middle of the
shoulders, as one published conversion has it).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from tdmi.core.errors import UserError
from tdmi.data.annotations import (
    NO_PERSON_ID,
    NO_TRACK,
    PERSON_COLUMNS,
    UNSCORED,
    UNSTATED,
    Annotations,
    Columns,
    frame_numbers,
    in_frame_order,
    on_skeleton,
    unknown_persons,
)
from tdmi.data.boxes import box_of_joints
from tdmi.data.records import Flags, Ints
from tdmi.data.skeletons import POSETRACK17, POSETRACK18, Skeleton
from tdmi.formats.posetrack17 import video_key

KINDS = {"mpii": 1, "bonn": 2, "mpiinew": 3}
"""First digit T of an image id T SSSSSS FFFF, by the kind of video in its folder's name."""
LARGEST_FRAME_NUMBER = 9999


def to_posetrack17(annotations: Annotations) -> tuple[Annotations, list[str]]:
    """Return what the PoseTrack2017 form can hold, and a line per field that was dropped.

    Scores of joints that are absent go without a note: files have them as fillers.
    """
    result = _plain(annotations, POSETRACK17)
    listed = _listed_frames(annotations)
    numbers = frame_numbers(annotations.frame_file, result.frame_index)
    notes = _joints_dropped(annotations, POSETRACK17)
    notes += _notes(
        "persons",
        {
            "box": np.isfinite(annotations.box).all(axis=1),
            "area": ~np.isnan(annotations.area),
            "iscrowd": annotations.crowd,
            "person_id": annotations.person_id != NO_PERSON_ID,
            "action": np.array(annotations.action, dtype=object).astype(bool),
        },
    )
    notes += _notes(
        "frames",
        {
            "image id": annotations.frame_id != result.frame_index,
            "image size": annotations.frame_size.any(axis=1),
            "has_labeled_person": annotations.frame_boxed,
            "frame number": annotations.frame_number != numbers,
        },
    )
    length = annotations.video_length
    notes += _notes("videos", {"nframes": (length != 0) & (length != listed)})
    unstated = ("area", "crowd", "person_id", "action", "frame_size", "frame_boxed",
                "frame_number", "video_length")  # fmt: skip
    result = replace(
        result,
        joint_score=np.where(result.present, result.joint_score, UNSCORED),
        box=np.full((result.persons, 4), np.nan),
        frame_id=result.frame_index.copy(),
        **dict.fromkeys(unstated, UNSTATED),
    )
    return result, notes


def to_posetrack18(annotations: Annotations) -> tuple[Annotations, list[str]]:
    """Return the PoseTrack2018 form of annotations, and a line per field dropped or made.

    Made are: boxes of persons that have none (`box_of_joints`); image ids where the file states
    none (`image_ids`); ``nframes`` where it states none, as many as it lists (without a note); and,
    in a frame that is annotated though nobody is listed, one person without joints, because
    otherwise evaluation would leave the frame out.
    UserError if an image id cannot be made.
    """
    notes = _joints_dropped(annotations, POSETRACK18)
    result = _plain(annotations, POSETRACK18)
    numbers = frame_numbers(annotations.frame_file, result.frame_index)
    notes += _notes("frames", {"frame number": annotations.frame_number != numbers})
    made = box_of_joints(result.keypoints, result.present)
    boxless = ~np.isfinite(result.box).all(axis=1)
    with_joints = boxless & ~np.isnan(made).any(axis=1)
    notes += _notes("persons", {"box made from the joints": with_joints})
    ids, invented = image_ids(result)
    notes += _notes("frames", {"image id made from folder and frame number": invented})
    result = replace(
        result,
        box=np.where(boxless[:, None], made, result.box),
        frame_id=ids,
        frame_number=UNSTATED,
        video_length=np.where(
            result.video_length == 0, _listed_frames(result), result.video_length
        ),
    )
    deserted = annotations.frame_annotated.copy()
    deserted[annotations.person_frame] = False
    notes += _notes("frames", {"person without joints made, as nobody is listed": deserted})
    return _with_empty_persons(result, np.flatnonzero(deserted)), notes


def image_ids(annotations: Annotations) -> tuple[Ints, Flags]:
    """Return image ids [F] that are different for all frames, and which of them [F] were made.

    A video keeps its ids, unless they are only positions (which is what the 2017 form gives) or
    those of an earlier video. Made ids are T SSSSSS FFFF: kind and number of the video as its
    folder's name states them (``000342_mpii_test``; T is 0 for other names), then the frame number,
    or the position where numbers repeat or are too large. PoseTrack2017's video numbers collide
    between collections: a later video, in the order given, then gets 10 added to T, as often as
    needed, so that the last eleven digits still say what they say (choice of this project).
    UserError for a video with more than 10,000 frames.
    """
    ids = annotations.frame_id.copy()
    invented = np.zeros(annotations.frames, dtype=bool)
    taken: set[int] = set()
    videos = [annotations.frames_of(video) for video in range(len(annotations.video_names))]
    for rows in videos:
        stated = set(ids[rows].tolist())
        positions = (ids[rows] == np.arange(len(rows))).all()
        if positions or len(stated) < len(rows) or stated & taken:
            invented[rows] = True
        else:
            taken |= stated
    for video, rows in enumerate(videos):
        if len(rows) and invented[rows[0]]:
            made = _video_ids(annotations, video, rows)
            while taken & set(made.tolist()):
                made += 10 * 10**10
            ids[rows] = made
            taken |= set(made.tolist())
    return ids, invented


def _video_ids(annotations: Annotations, video: int, rows: Ints) -> Ints:
    name = annotations.video_names[video]
    folder = video_key(annotations.frame_file[rows[0]]).rpartition("/")[2]
    found = re.match(r"(\d{1,6})_(mpiinew|mpii|bonn)(?:_|$)", folder)
    if found:
        kind, sequence = KINDS[found[2]], int(found[1])
    else:
        digits = re.search(r"\d{1,6}", folder)
        kind, sequence = 0, int(digits[0]) if digits else video % 10**6
    numbers = annotations.frame_number[rows]
    if len(rows) > LARGEST_FRAME_NUMBER + 1:
        raise UserError(
            f"{name}: {len(rows)} frames and no image ids, expected at most "
            f"{LARGEST_FRAME_NUMBER + 1}, which is what an id has digits for; split the video"
        )
    unique = len(set(numbers.tolist())) == len(rows)
    if not unique or numbers.min() < 0 or numbers.max() > LARGEST_FRAME_NUMBER:
        numbers = np.arange(len(rows))
    return kind * 10**10 + sequence * 10**4 + numbers


def _plain(annotations: Annotations, skeleton: Skeleton) -> Annotations:
    """Return annotations on `skeleton`, as readers give absent joints, with positions from 0."""
    result = on_skeleton(annotations, skeleton)
    annotated = result.frame_annotated.copy()
    annotated[result.person_frame] = True
    partial = np.isnan(result.head_box).any(axis=1)
    videos = result.frame_video
    return replace(
        result,
        frame_index=np.arange(result.frames) - np.searchsorted(videos, videos),
        frame_annotated=annotated,
        keypoints=np.where(result.present[:, :, None], result.keypoints, 0.0),
        visible=result.visible & result.present,
        head_box=np.where(partial[:, None], np.nan, result.head_box),
    )


def _with_empty_persons(annotations: Annotations, frames: Ints) -> Annotations:
    """Add a person to each of `frames`: no joints, a track of its own, an empty head box."""
    if len(frames) == 0:
        return annotations
    tracks = annotations.track_id[annotations.track_id != NO_TRACK]
    added = replace(annotations, **unknown_persons(frames, annotations.skeleton))
    added.track_id = tracks.max(initial=-1) + 1 + np.arange(len(frames))
    # Evaluators demand one of everybody, also where there is nothing to measure by it.
    added.head_box = np.zeros((len(frames), 4))
    columns: Columns = {}
    for name in PERSON_COLUMNS:
        both = getattr(annotations, name), getattr(added, name)
        columns[name] = [*both[0], *both[1]] if isinstance(both[0], list) else np.concatenate(both)
    return in_frame_order(replace(annotations, **columns))


def _listed_frames(annotations: Annotations) -> Ints:
    return np.bincount(annotations.frame_video, minlength=len(annotations.video_names))


def _joints_dropped(annotations: Annotations, skeleton: Skeleton) -> list[str]:
    columns = zip(annotations.skeleton.joints, annotations.present.T, strict=True)
    return _notes("persons", {joint: c for joint, c in columns if joint not in skeleton.joints})


def _notes(what: str, fields: Mapping[str, Flags]) -> list[str]:
    """Return ``12 persons: box`` for every field that any row [N] bool has."""
    counts = {field: int(rows.sum()) for field, rows in fields.items() if rows.any()}
    return [f"{n} {what if n > 1 else what[:-1]}: {field}" for field, n in counts.items()]
