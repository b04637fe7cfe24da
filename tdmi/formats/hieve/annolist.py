"""HiEve's pose labels (track 2 and 3) and predictions: one ``annolist`` JSON per video.

It looks like PoseTrack2017's form and is another: x1..y2 is the box of the whole person, joint ids
are HiEve's 14, image names have no folder, and no ``is_labeled`` was seen. A person without joints
stays, because its box is a label too; a joint id that comes twice counts once, the first time.

Sources: format page of the HiEve challenge (joint numbers, names of submitted files) and public
readers of the released files (the rest).
"""

from __future__ import annotations

from contextlib import suppress
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np

from tdmi.core.checks import choose
from tdmi.core.errors import UserError
from tdmi.core.files import read_json, write_json
from tdmi.data.annotations import NO_TRACK, UNSCORED, Annotations
from tdmi.data.skeletons import HIEVE
from tdmi.formats.hieve.columns import (
    base_name,
    finite,
    frame_path,
    from_corners,
    joint_index,
    need_hieve,
    new_person,
    one_video,
    people_of_frames,
    to_corners,
    track,
)
from tdmi.formats.parsing import REGENERATE, Place, describe, member, video_name

POINT_SCORES = ("confidence", "visibility", "flag")
"""What the ``score`` of a joint may mean in ground truth (unsure: no public source says it).

confidence  nothing about visibility: every listed joint counts as visible
visibility  above 0 means visible, as users' readers assume when they count joints
flag        the flag of the XML form: 0 visible, 1 hidden, -1 not annotated

The average precision of this project never asks for visibility, so only "flag" can change it.
"""


def read_file(path: Path | str, point_score: str = "confidence") -> Annotations:
    """Read one video named by the file's stem; frame files are ``images/<video>/<name>``.

    `point_score`: one of POINT_SCORES. Image ids are positions in the file.
    Raises UserError for anything that is not this form.
    """
    return parse(read_json(path), path, point_score)


def parse(content: Any, path: Path | str, point_score: str = "confidence") -> Annotations:
    """Turn the content of one file into annotations; `path` names the video and the errors."""
    choose("point_score", point_score, POINT_SCORES)
    video = video_name(path)
    files, regions, people, places, points = [], [], [], [], []
    for index, frame in enumerate(member(content, "annolist", list, str(path))):
        where = f"{path}: annolist[{index}]"
        rectangles = member(frame, "annorect", list, where)
        files.append(frame_path(video, _image_name(frame, where)))
        regions.append(_regions(frame, where))
        for k, rectangle in enumerate(rectangles):
            place = f"{where}.annorect[{k}]"
            people.append(_person(rectangle, index, place))
            points.append(_points(rectangle, place))
            places.append(place)
    annotations = one_video(video, files, people, ignore_regions=regions)
    _set_joints(annotations, points, places, point_score)
    return annotations


def frame_names(path: Path | str) -> list[str]:
    """Names of the frames alone, in the order of the file, which is faster than reading it all."""
    frames = member(read_json(path), "annolist", list, str(path))
    return [base_name(_image_name(f, f"{path}: annolist[{i}]")) for i, f in enumerate(frames)]


def write_file(annotations: Annotations, path: Path | str) -> None:
    """Write annotations of one video, which `read_file` gives back as far as the form holds them.

    It holds names of frames, ignore regions, boxes, track ids, joints and scores. UserError if
    the joints are not HiEve's or a number is not finite.
    """
    need_hieve(annotations, path)
    write_json(path, content(annotations, 0), indent=None)


def write_folder(annotations: Annotations, folder: Path | str) -> None:
    """Write ``<video>.json`` for every video."""
    need_hieve(annotations, folder)
    for video, name in enumerate(annotations.video_names):
        write_json(Path(folder) / f"{name}.json", content(annotations, video), indent=None)


def content(annotations: Annotations, video: int) -> dict:
    """Content of the file of the video in row `video`."""
    frames = annotations.frames_of(video)
    return {
        "annolist": [
            {
                "image": [{"name": base_name(annotations.frame_file[frame])}],
                "ignore_regions": [
                    {"point": [{"x": [x], "y": [y]} for x, y in polygon.tolist()]}
                    for polygon in annotations.ignore_regions[frame]
                ],
                "annorect": [_rectangle(annotations, person) for person in people],
            }
            for frame, people in zip(frames, people_of_frames(annotations, frames), strict=True)
        ]
    }


def _image_name(frame: Any, where: str) -> str:
    image = frame.get("image") if isinstance(frame, dict) else None
    image = image[0] if isinstance(image, list) and image else image
    name = image.get("name") if isinstance(image, dict) else None
    name = name[0] if isinstance(name, list) and len(name) == 1 else name
    if not isinstance(name, str) or not base_name(name):
        raise UserError(
            f"{where}: 'image' gives {describe(name)} as name, expected the frame's file "
            f'name, as in {{"image": [{{"name": "000000.jpg"}}]}}; {REGENERATE}'
        )
    return name


def _regions(frame: dict, where: str) -> list[np.ndarray]:
    polygons = []
    regions = frame.get("ignore_regions") or []
    if not isinstance(regions, list):
        raise UserError(
            f"{where}: 'ignore_regions' is {describe(regions)}, expected a list; {REGENERATE}"
        )
    for k, region in enumerate(regions):
        place = f"{where}.ignore_regions[{k}]"
        corners = [
            _position(point, f"{place}.point[{n}]")
            for n, point in enumerate(member(region, "point", list, place))
        ]
        polygons.append(np.array(corners, dtype=np.float64).reshape(-1, 2))
    return polygons


def _position(point: Any, where: str) -> tuple[float, float]:
    if not isinstance(point, dict):
        raise UserError(f"{where}: found {describe(point)}, expected a point; {REGENERATE}")
    return finite(point.get("x"), f"{where}: x"), finite(point.get("y"), f"{where}: y")


def _person(rectangle: Any, frame: int, where: str) -> dict[str, Any]:
    """Box, track and score of a person; the joints come later, all together."""
    if not isinstance(rectangle, dict):
        raise UserError(f"{where}: found {describe(rectangle)}, expected an object; {REGENERATE}")
    person = new_person(frame)
    person["track_id"] = track(rectangle.get("track_id"), f"{where}: track_id")
    if rectangle.get("score") not in (None, []):
        person["score"] = finite(rectangle["score"], f"{where}: score")
    corners = [rectangle.get(key) for key in ("x1", "y1", "x2", "y2")]
    if any(corner not in (None, []) for corner in corners):
        person["box"] = from_corners([finite(c, f"{where}: box") for c in corners])
    return person


def _set_joints(
    annotations: Annotations, lists: list[list], places: list[str], point_score: str
) -> None:
    """Fill in the joints from the point lists of all people, which have these `places`."""
    counts = [len(points) for points in lists]
    owner = np.repeat(np.arange(len(lists)), counts)
    first = np.cumsum(counts) - counts if lists else np.zeros(0, dtype=np.int64)
    points = list(chain.from_iterable(lists))

    def place(i: int) -> str:
        return f"{places[owner[i]]}.annopoints[0].point[{i - first[owner[i]]}]"

    for i, point in enumerate(points):
        if not isinstance(point, dict):
            raise UserError(f"{place(i)}: found {describe(point)}, expected a point; {REGENERATE}")
    x, y = (_numbers(points, key, place) for key in ("x", "y"))
    score = _numbers(points, "score", place, missing=UNSCORED)
    joint = _numbers(points, "id", place)
    for i in np.flatnonzero((joint != np.floor(joint)) | (joint < 0) | (joint >= len(HIEVE))):
        joint_index(float(joint[i]), f"{place(i)}: id")
    visible = np.ones(len(points), dtype=bool)
    if point_score == "visibility":
        visible = (score > 0) | (score == UNSCORED)
    if point_score == "flag":
        visible = (score == 0) | (score == UNSCORED)
        for i in np.flatnonzero(~np.isin(score, (-1, 0, 1, UNSCORED))):
            raise UserError(
                f"{place(i)}: score is {score[i]}, expected the flag 0, 1 or -1; read the file "
                "with point_score 'confidence'"
            )
    cell = owner * len(HIEVE) + joint.astype(np.int64)
    rows = np.unique(cell, return_index=True)[1]  # the first of equals
    if point_score == "flag":
        rows = rows[score[rows] != -1]
    where = owner[rows], joint[rows].astype(np.int64)
    annotations.keypoints[where] = np.stack([x, y], axis=1)[rows]
    annotations.present[where] = True
    annotations.visible[where] = visible[rows]
    annotations.joint_score[where] = score[rows]


def _numbers(
    points: list[dict], key: str, place: Place, missing: float | None = None
) -> np.ndarray:
    """`point[key]` of all points, finite; `missing` where it is not there, if that is allowed."""
    values = [point.get(key) for point in points]
    values = [v[0] if type(v) is list and len(v) == 1 else v for v in values]
    if missing is not None:
        values = [missing if v is None or v == [] else v for v in values]
    if set(map(type, values)) <= {int, float}:
        with suppress(OverflowError):
            column = np.array(values, dtype=np.float64)
            if np.isfinite(column).all():
                return column
    return np.array([finite(value, f"{place(i)}: {key}") for i, value in enumerate(values)])


def _points(rectangle: dict, where: str) -> list:
    """The joint list of a person; empty if there is none."""
    holders = rectangle.get("annopoints") or []
    if not isinstance(holders, list):
        raise UserError(
            f"{where}: 'annopoints' is {describe(holders)}, expected a list; {REGENERATE}"
        )
    return member(holders[0], "point", list, f"{where}.annopoints[0]") if holders else []


def _rectangle(annotations: Annotations, person: int) -> dict:
    record: dict[str, Any] = {}
    box = annotations.box[person]
    if np.isfinite(box).all():
        record = {k: [v] for k, v in zip(("x1", "y1", "x2", "y2"), to_corners(box), strict=True)}
    if annotations.track_id[person] != NO_TRACK:
        record["track_id"] = [int(annotations.track_id[person])]
    if np.isfinite(annotations.score[person]):
        record["score"] = [float(annotations.score[person])]
    joints = np.flatnonzero(annotations.present[person])
    places = annotations.keypoints[person, joints].tolist()
    scores = annotations.joint_score[person, joints].tolist()
    points = [
        {"id": [joint], "x": [x], "y": [y]} | ({} if score == UNSCORED else {"score": [score]})
        for joint, (x, y), score in zip(joints.tolist(), places, scores, strict=True)
    ]
    return record | {"annopoints": [{"point": points}]}
