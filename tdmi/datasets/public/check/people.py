"""Persons of one label file: boxes, joints and track ids that cannot be right, or are odd."""

from __future__ import annotations

import numpy as np

from tdmi.data.annotations import NO_TRACK, Annotations
from tdmi.datasets.public.check.findings import SHOWN, Findings

FAR = 100.0
"""Pixels outside the picture from which a joint counts as far outside (choice of this project:
users of PoseTrack17 labels drop joints below -100)."""
BOXES = ("box", "head box")
_TOLERANCE = 1.0
"""Pixels that a joint or box may leave the picture: labels count pixels from 0 or from 1."""


def check_people(
    annotations: Annotations, sizes: np.ndarray, head_boxes: bool, findings: Findings
) -> None:
    """Check persons; `sizes` [F, 2] are the pictures' width and height, 0 if unknown.

    `head_boxes`: whether the data set gives head boxes at all.
    """
    present = annotations.present
    has_joints = present.any(axis=1)
    size = sizes[annotations.person_frame].astype(np.float64)
    size[size == 0] = np.inf

    def add(kind: str, wrong: np.ndarray) -> None:
        rows = np.flatnonzero(wrong)
        findings.add(kind, [place(annotations, row) for row in rows[:SHOWN]], len(rows))

    def add_joints(kind: str, wrong: np.ndarray) -> None:
        rows = np.argwhere(wrong)
        places = [joint_place(annotations, row, joint) for row, joint in rows[:SHOWN]]
        findings.add(kind, places, len(rows))

    def add_boxes(kind: str, wrong: np.ndarray) -> None:
        rows = np.argwhere(wrong)
        places = [f"{place(annotations, row)}, {BOXES[which]}" for row, which in rows[:SHOWN]]
        findings.add(kind, places, len(rows))

    add("person-without-joints", ~has_joints)
    add("duplicate-track", duplicate_tracks(annotations))
    if head_boxes:
        add("head-box-missing", has_joints & np.isnan(annotations.head_box).all(axis=1))

    finite = np.isfinite(annotations.keypoints).all(axis=2)
    boxes = np.stack([annotations.box, _with_width(annotations.head_box)], axis=1)
    boxed = ~np.isnan(boxes).all(axis=2)
    boxes_finite = np.isfinite(boxes).all(axis=2)
    add("number-not-finite", (present & ~finite).any(axis=1) | (boxed & ~boxes_finite).any(axis=1))

    beyond = np.maximum(-annotations.keypoints, annotations.keypoints - size[:, None]).max(axis=2)
    beyond[~(present & finite)] = 0
    add_joints("joint-far-outside", beyond > FAR)
    add_joints("joint-outside", (beyond > _TOLERANCE) & (beyond <= FAR))

    area = boxes_finite & (boxes[..., 2:] > 0).all(axis=2)
    low, high = boxes[..., :2], boxes[..., :2] + boxes[..., 2:]
    limit = size[:, None]
    # Heads are also labelled outside the picture; a person wholly outside it cannot be seen.
    gone = area & (np.array(BOXES) == "box") & ((high <= 0) | (low >= limit)).any(axis=2)
    leaves = ((low < -_TOLERANCE) | (high > limit + _TOLERANCE)).any(axis=2)
    add_boxes("box-useless", (boxes_finite & ~area) | gone)
    add_boxes("box-outside", area & leaves & ~gone)


def _with_width(corners: np.ndarray) -> np.ndarray:
    """x1, y1, x2, y2 -> x, y, width, height."""
    return np.concatenate([corners[:, :2], corners[:, 2:] - corners[:, :2]], axis=1)


def duplicate_tracks(annotations: Annotations) -> np.ndarray:
    """[N] bool, a person before in the same frame has the same track id."""
    pairs = np.stack([annotations.person_frame, annotations.track_id], axis=1)
    first = np.zeros(annotations.persons, dtype=bool)
    first[np.unique(pairs, axis=0, return_index=True)[1]] = True
    return ~first & (annotations.track_id != NO_TRACK)


def place(annotations: Annotations, person: int) -> str:
    """Name the frame, position and track of a person."""
    frame = annotations.person_frame[person]
    within = person - int(np.searchsorted(annotations.person_frame, frame))
    track = annotations.track_id[person]
    name = f"person {within}" if track == NO_TRACK else f"person {within}, track {track}"
    return f"{annotations.frame_file[frame]}: {name}"


def joint_place(annotations: Annotations, person: int, joint: int) -> str:
    x, y = annotations.keypoints[person, joint]
    name = annotations.skeleton.joints[joint]
    return f"{place(annotations, person)}, {name} at ({x:.6g}, {y:.6g})"
