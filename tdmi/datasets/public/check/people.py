"""Persons of one label file: boxes, joints and track ids that cannot be right, or are odd."""

from __future__ import annotations

import numpy as np

from tdmi.data.annotations import NO_TRACK, Annotations
from tdmi.data.judging import ID_LIMIT, filler_joints, obstacles, person_text, repeated_in_frame
from tdmi.datasets.public.check.findings import SHOWN, Findings

FAR = 100.0
"""Pixels outside the picture from which a joint counts as far outside (choice of this project:
users of PoseTrack17 labels drop joints below -100)."""
BOXES = ("box", "head box")
_TOLERANCE = 1.0
"""Pixels that a joint or box may leave the picture: labels count pixels from 0 or from 1."""


def check_people(
    annotations: Annotations, sizes: np.ndarray, judged: bool, findings: Findings
) -> None:
    """Check persons; `sizes` [F, 2] are the pictures' width and height, 0 if unknown.

    `judged`: whether the split is one that is evaluated, so that nothing may stand in its way.
    """
    present, track = annotations.present, annotations.track_id
    frame = annotations.person_frame
    has_joints = present.any(axis=1)
    size = sizes[frame].astype(np.float64)
    size[size == 0] = np.inf

    def add(kind: str, wrong: np.ndarray) -> None:
        """Add persons [N], their boxes [N, 2] or their joints [N, J]."""
        rows = np.argwhere(wrong)
        places = []
        for person, *which in rows[:SHOWN]:
            places.append(place(annotations, person))
            if which and wrong.shape[1] == len(BOXES):
                places[-1] += f", {BOXES[which[0]]}"
            elif which:
                x, y = annotations.keypoints[person, which[0]]
                joint = annotations.skeleton.joints[which[0]]
                places[-1] += f", {joint} at ({x:.6g}, {y:.6g})"
        findings.add(kind, places, len(rows))

    for kind, row, text in obstacles(annotations):
        where = f"{annotations.frame_file[row]}: {text}"
        findings.add(kind if judged else "not-to-be-judged", [where])
    add("person-without-joints", ~has_joints)
    add("duplicate-track", repeated_in_frame(frame, track))
    add("track-missing", has_joints & (track == NO_TRACK))
    add("track-too-large", track >= ID_LIMIT)
    unlabelled = ~annotations.frame_labelled[frame] & ~annotations.frame_boxed[frame]
    add("person-on-unlabelled-frame", has_joints & unlabelled)

    finite = np.isfinite(annotations.keypoints).all(axis=2)
    boxes = np.stack([annotations.box, _with_width(annotations.head_box)], axis=1)
    boxed = ~np.isnan(boxes).all(axis=2)
    boxes_finite = np.isfinite(boxes).all(axis=2)
    add("number-not-finite", (present & ~finite).any(axis=1) | (boxed & ~boxes_finite).any(axis=1))

    beyond = np.maximum(-annotations.keypoints, annotations.keypoints - size[:, None]).max(axis=2)
    fillers = filler_joints(annotations.keypoints, present)
    beyond[~(present & finite) | fillers] = 0
    add("joint-filler", fillers)
    add("joint-far-outside", beyond > FAR)
    add("joint-outside", (beyond > _TOLERANCE) & (beyond <= FAR))

    area = boxes_finite & (boxes[..., 2:] > 0).all(axis=2)
    low, high = boxes[..., :2], boxes[..., :2] + boxes[..., 2:]
    limit = size[:, None]
    # Heads are also labelled outside the picture; a person wholly outside it cannot be seen.
    gone = area & (np.array(BOXES) == "box") & ((high <= 0) | (low >= limit)).any(axis=2)
    leaves = ((low < -_TOLERANCE) | (high > limit + _TOLERANCE)).any(axis=2)
    add("box-useless", (boxes_finite & ~area) | gone)
    add("box-outside", area & leaves & ~gone)


def _with_width(corners: np.ndarray) -> np.ndarray:
    """x1, y1, x2, y2 -> x, y, width, height."""
    return np.concatenate([corners[:, :2], corners[:, 2:] - corners[:, :2]], axis=1)


def place(annotations: Annotations, person: int) -> str:
    """Name the frame, position and track of a person."""
    file = annotations.frame_file[annotations.person_frame[person]]
    return f"{file}: {person_text(annotations, person)}"
