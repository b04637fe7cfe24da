"""The content of PoseTrack2017 label files, built from annotations; JSON and MATLAB files share it.

A list of lists and objects, every scalar in a list of its own. What is not known is left out.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from tdmi.core.errors import UserError
from tdmi.data.annotations import NO_TRACK, UNSCORED, Annotations
from tdmi.data.skeletons import POSETRACK17


def contents(annotations: Annotations, folder: Path | str) -> Iterator[tuple[str, dict]]:
    """Name and content of each video; ``imgnum`` is the position from 1.

    A frame that is annotated although nobody is listed in it gets one person without a joint list,
    so that evaluation keeps it. UserError, naming `folder`, if the joints are not POSETRACK17 or a
    number is not finite.
    """
    if annotations.skeleton != POSETRACK17:
        raise UserError(
            f"{folder}: joints are {annotations.skeleton.name}, expected {POSETRACK17.name}; "
            "convert with tdmi.formats.conversion.to_posetrack17"
        )
    _refuse_infinite(annotations, folder)
    first_person = np.searchsorted(annotations.person_frame, np.arange(annotations.frames + 1))
    for video, name in enumerate(annotations.video_names):
        frames = [
            _frame(annotations, frame, range(first_person[frame], first_person[frame + 1]))
            for frame in annotations.frames_of(video).tolist()
        ]
        yield name, {"annolist": frames}


def _frame(annotations: Annotations, frame: int, persons: range) -> dict[str, Any]:
    people = [_person(annotations, person) for person in persons]
    if not people and annotations.frame_annotated[frame]:
        people = [{"annopoints": []}]
    regions = [
        {"point": [{"x": [x], "y": [y]} for x, y in polygon.tolist()]}
        for polygon in annotations.ignore_regions[frame]
    ]
    return {
        "image": [{"name": annotations.frame_file[frame]}],
        "imgnum": [int(annotations.frame_index[frame]) + 1],
        "is_labeled": [int(annotations.frame_labelled[frame])],
        "ignore_regions": regions,
        "annorect": people,
    }


def _person(annotations: Annotations, person: int) -> dict[str, Any]:
    record: dict[str, Any] = {}
    corners = annotations.head_box[person]
    if not np.isnan(corners).any():
        record |= {k: [v] for k, v in zip(("x1", "y1", "x2", "y2"), corners.tolist(), strict=True)}
    if annotations.track_id[person] != NO_TRACK:
        record["track_id"] = [int(annotations.track_id[person])]
    if not np.isnan(annotations.score[person]):
        record["score"] = [float(annotations.score[person])]
    points = []
    for joint in np.flatnonzero(annotations.present[person]).tolist():
        x, y = annotations.keypoints[person, joint].tolist()
        visible = int(annotations.visible[person, joint])
        point = {"id": [joint], "x": [x], "y": [y], "is_visible": [visible]}
        score = float(annotations.joint_score[person, joint])
        if score != UNSCORED:
            point["score"] = [score]
        points.append(point)
    record["annopoints"] = [{"point": points}]
    return record


def _refuse_infinite(annotations: Annotations, folder: Path | str) -> None:
    """UserError naming the first number that no label file can hold."""
    joints = np.dstack([annotations.keypoints, annotations.joint_score])
    odd = annotations.present & ~np.isfinite(joints).all(axis=2)
    odd_person = odd.any(axis=1) | np.isinf(annotations.head_box).any(axis=1)
    odd_person |= np.isinf(annotations.score)
    if odd_person.any():
        person = np.flatnonzero(odd_person)[0]
        names = [annotations.skeleton.joints[joint] for joint in np.flatnonzero(odd[person])]
        raise UserError(
            f"{folder}: not written, {names[0] if names else 'box or score'} of a person in "
            f"{annotations.frame_file[annotations.person_frame[person]]} is not finite, expected "
            "finite numbers; if a model predicted it, it has probably diverged, train it again"
        )
    for frame, polygons in enumerate(annotations.ignore_regions):
        if not all(np.isfinite(polygon).all() for polygon in polygons):
            raise UserError(
                f"{folder}: not written, an ignore region of {annotations.frame_file[frame]} is "
                "not finite, expected finite numbers; mend the labels it was read from"
            )
