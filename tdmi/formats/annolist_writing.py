"""Content of files with an ``annolist`` from annotations; see `tdmi.formats.annolist`."""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from tdmi.core.errors import UserError
from tdmi.data.annotations import NO_TRACK, UNSCORED, Annotations
from tdmi.data.records import Record
from tdmi.formats.annolist import CORNERS, Form
from tdmi.formats.files import check_finite


def contents(
    annotations: Annotations, folder: Path | str, form: Form
) -> Iterator[tuple[str, dict[str, list[Record]]]]:
    """Give name and content of each video's file, scalars in lists, without what is unknown.

    A frame that is annotated although nobody is listed in it gets one person without a joint list
    if the form has such persons, so that evaluation keeps the frame.
    UserError, naming `folder`, if the joints are not those of the form or a number is not finite.
    """
    if annotations.skeleton != form.skeleton:
        raise UserError(
            f"{folder}: joints are {annotations.skeleton.name}, expected {form.skeleton.name}; "
            "convert the labels with `tdmi data convert`"
        )
    check_finite(annotations, folder)
    corners = _corners_of(annotations, form)
    first = np.searchsorted(annotations.person_frame, np.arange(annotations.frames + 1)).tolist()
    for video, name in enumerate(annotations.video_names):
        frames = [
            _frame(annotations, frame, range(first[frame], first[frame + 1]), corners, form)
            for frame in annotations.frames_of(video).tolist()
        ]
        yield name, {"annolist": frames}


def _frame(
    annotations: Annotations, frame: int, persons: range, corners: list[list[float]], form: Form
) -> Record:
    people = [_person(annotations, person, corners[person], form) for person in persons]
    if form.needs_joints and not people and annotations.frame_annotated[frame]:
        people = [{"annopoints": []}]
    regions = [
        {"point": [{"x": [x], "y": [y]} for x, y in polygon.tolist()]}
        for polygon in annotations.ignore_regions[frame]
    ]
    numbers = {
        "imgnum": [int(annotations.frame_index[frame]) + 1],
        "is_labeled": [int(annotations.frame_labelled[frame])],
    }
    return {
        "image": [{"name": annotations.frame_file[frame]}],
        **(numbers if form.has_flags else {}),
        "ignore_regions": regions,
        "annorect": people,
    }


def _person(annotations: Annotations, person: int, corners: list[float], form: Form) -> Record:
    record: Record = {}
    if not math.isnan(corners[0]):
        record |= {key: [value] for key, value in zip(CORNERS, corners, strict=True)}
    if annotations.track_id[person] != NO_TRACK:
        record["track_id"] = [int(annotations.track_id[person])]
    if not np.isnan(annotations.score[person]):
        record["score"] = [float(annotations.score[person])]
    joints = np.flatnonzero(annotations.present[person])
    points = []
    for joint, (x, y), visible, score in zip(
        joints.tolist(),
        annotations.keypoints[person, joints].tolist(),
        annotations.visible[person, joints].tolist(),
        annotations.joint_score[person, joints].tolist(),
        strict=True,
    ):
        point = {"id": [joint], "x": [x], "y": [y]}
        if form.has_flags:
            point["is_visible"] = [int(visible)]
        if score != UNSCORED:
            point["score"] = [score]
        points.append(point)
    return record | {"annopoints": [{"point": points}]}


def _corners_of(annotations: Annotations, form: Form) -> list[list[float]]:
    """Return x1, y1, x2, y2 [N, 4] such that `width_height` gives a person box back exactly.

    x + width may round to a number whose difference from x is not the width; a neighbour then is
    the right one (a box that came from corners always has one).
    """
    if form.corners == "head_box":
        return annotations.head_box.tolist()
    near, size = annotations.box[:, :2], annotations.box[:, 2:]
    end = near + size
    for other in (np.nextafter(near + size, np.inf), np.nextafter(near + size, -np.inf)):
        end = np.where((end - near != size) & (other - near == size), other, end)
    return np.concatenate([near, end], axis=1).tolist()
