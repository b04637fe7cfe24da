"""A small PoseTrack2017 file in its JSON form, HiEve's look-alike, and exact comparison."""

from __future__ import annotations

from dataclasses import fields

import numpy as np

from tdmi.data.annotations import Annotations

FOLDER = "images/bonn_5sec/000342_mpii"


def point(joint: int, x: float, y: float, **more) -> dict:
    return {"id": [joint], "x": [x], "y": [y], **{key: [value] for key, value in more.items()}}


def person(track: int, points: list[dict], **more) -> dict:
    head = {"x1": [10], "y1": [20.5], "x2": [31], "y2": [44]}
    return {**head, "track_id": [track], "annopoints": [{"point": points}], **more}


def frame(number: int, people: list[dict], labelled: int | None = None, **more) -> dict:
    return {
        "image": [{"name": f"{FOLDER}/{number:08d}.jpg"}],
        "imgnum": [number],
        "is_labeled": [int(bool(people)) if labelled is None else labelled],
        "annorect": people,
        **more,
    }


def content() -> dict:
    """Frames from 11: two people and a region; a person without joint list; joints missing; none.

    Coordinates are no short decimals, so that a lost bit shows.
    """
    square = {"point": [{"x": [x], "y": [y]} for x, y in ((0, 0), (50.1, 0), (50.1, 1 / 3))]}
    joints = [point(j, 100 + j / 3, 200 - j / 7, is_visible=j % 2) for j in range(15)]
    scored = [point(13, 12.5, 30.25, score=0.1 + 0.2), point(0, 0, 0, is_visible=0)]
    return {
        "annolist": [
            frame(
                11, [person(3, joints), person(7, scored, score=[0.75])], ignore_regions=[square]
            ),
            frame(12, [{"annopoints": [], "track_id": [4]}]),
            frame(13, [person(3, [])], labelled=0),
            frame(14, [], ignore_regions=[]),
        ]
    }


def hieve_content() -> dict:
    """A HiEve file: person boxes, 14 joints, bare names of images, no is_labeled."""
    frames = []
    for k in range(2):
        points = [point(j, 50 + 3 * j, 60 + 10 * j, score=1) for j in range(14)]
        box = {"x1": [40], "y1": [50], "x2": [100], "y2": [200]}
        someone = {**box, "track_id": [1], "annopoints": [{"point": points}]}
        frames.append(
            {
                "image": [{"name": f"{k:06d}.jpg"}],
                "ignore_regions": [],
                "annorect": [someone],
            }
        )
    return {"annolist": frames}


def assert_same_bits(a: Annotations, b: Annotations, except_for: tuple[str, ...] = ()) -> None:
    """Every column is equal, to the sign of zero."""
    for field in fields(Annotations):
        left, right = getattr(a, field.name), getattr(b, field.name)
        if field.name in except_for:
            continue
        if field.name == "ignore_regions":
            left, right = ([[p.tobytes() for p in f] for f in side] for side in (left, right))
        if isinstance(left, np.ndarray):
            assert left.dtype == right.dtype and left.shape == right.shape, field.name
            assert left.tobytes() == right.tobytes(), (field.name, left, right)
        else:
            assert left == right, field.name
