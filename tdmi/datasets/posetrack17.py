"""PoseTrack2017 annotation files in JSON: one ``annolist`` per video, scalars wrapped in lists.

Read as poseval reads them: a person whose joint list is missing is left out (its frame still
counts as annotated), one whose joint list is empty stays; a joint id that comes twice counts once,
the first time; unknown joint ids are ignored. Empty arrays in the form that the official MATLAB
converter writes (``{"_ArrayType_": ..., "_ArraySize_": [1, 0], ...}``) are read as empty lists,
and bare NaN as a number; everything else that is out of form is refused.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from tdmi.annotations import NO_TRACK, UNSCORED, Annotations
from tdmi.datasets.parsing import REGENERATE, describe, number, video_name
from tdmi.errors import UserError
from tdmi.files import read_json
from tdmi.skeletons import POSETRACK17


def read_file(path: Path | str) -> Annotations:
    """Read one video; frames in the order of the file, image id = position.

    Raises UserError for anything that is not this form.
    """
    return parse(read_json(path), path)


def parse(content: Any, path: Path | str) -> Annotations:
    """Turn the content of one file into annotations; `path` names the video and the errors."""
    if not isinstance(content, dict) or "annolist" not in content:
        raise UserError(f"{path}: no 'annolist', expected the PoseTrack2017 form; {REGENERATE}")
    if not isinstance(content["annolist"], list):
        raise UserError(
            f"{path}: 'annolist' is {describe(content['annolist'])}, expected a list of frames; "
            "another data set uses this name too, PoseTrack2017 labels are needed"
        )
    frames = content["annolist"]
    files, labelled, annotated, regions, people = [], [], [], [], []
    for index, frame in enumerate(frames):
        where = f"{path}: annolist[{index}]"
        if not isinstance(frame, dict):
            raise UserError(f"{where}: found {describe(frame)}, expected an object; {REGENERATE}")
        files.append(_image_name(frame, where))
        rectangles = _items(frame, "annorect", where, needed=True)
        annotated.append(bool(rectangles))
        stated = frame.get("is_labeled")
        labelled.append(bool(rectangles) if not stated else bool(number(stated, where)))
        regions.append(_regions(frame, where))
        for k, rectangle in enumerate(rectangles):
            points = _points(rectangle, f"{where}.annorect[{k}]")
            if points is not None:
                people.append(_person(rectangle, points, index, f"{where}.annorect[{k}]"))
    return Annotations(
        skeleton=POSETRACK17,
        video_names=[video_name(path)],
        frame_video=np.zeros(len(frames), dtype=np.int64),
        frame_index=np.arange(len(frames), dtype=np.int64),
        frame_file=files,
        frame_id=np.arange(len(frames), dtype=np.int64),
        frame_labelled=np.array(labelled, dtype=bool),
        frame_annotated=np.array(annotated, dtype=bool),
        ignore_regions=regions,
        **_columns(people),
    )


def _items(record: dict, key: str, where: str, needed: bool = False) -> list:
    """A list under `key`; empty if it is missing (unless needed) or a MATLAB empty array."""
    value = record.get(key)
    if isinstance(value, list):
        return value
    if isinstance(value, dict) and 0 in value.get("_ArraySize_", ()):
        return []
    if value is None and not needed:
        return []
    raise UserError(f"{where}: '{key}' is {describe(value)}, expected a list; {REGENERATE}")


def _image_name(frame: dict, where: str) -> str:
    image = _items(frame, "image", where)
    name = image[0].get("name") if image and isinstance(image[0], dict) else None
    if isinstance(name, list) and len(name) == 1:
        name = name[0]
    if not isinstance(name, str):
        raise UserError(
            f"{where}: 'image' gives {describe(name)} as name, expected the path of the frame, "
            f'as in {{"image": [{{"name": "images/..."}}]}}; {REGENERATE}'
        )
    return name


def _regions(frame: dict, where: str) -> list[np.ndarray]:
    polygons = []
    for k, region in enumerate(_items(frame, "ignore_regions", where)):
        place = f"{where}.ignore_regions[{k}]"
        if not isinstance(region, dict):
            raise UserError(f"{place}: found {describe(region)}, expected an object; {REGENERATE}")
        corners = [_corner(point, place) for point in _items(region, "point", place)]
        polygons.append(np.array(corners, dtype=np.float64).reshape(-1, 2))
    return polygons


def _points(rectangle: Any, where: str) -> list | None:
    """The joint list of a person; None if the person has none (not even an empty one)."""
    if not isinstance(rectangle, dict):
        raise UserError(f"{where}: found {describe(rectangle)}, expected an object; {REGENERATE}")
    holders = _items(rectangle, "annopoints", where)
    if not holders or holders[0] in ({}, []):
        return None
    if not isinstance(holders[0], dict):
        raise UserError(
            f"{where}.annopoints[0]: found {describe(holders[0])}, expected an object with "
            f"'point'; {REGENERATE}"
        )
    if "point" not in holders[0]:
        return None
    return _items(holders[0], "point", f"{where}.annopoints[0]", needed=True)


def _corner(point: Any, where: str) -> tuple[float, float]:
    if not isinstance(point, dict):
        raise UserError(f"{where}: found {describe(point)}, expected a point; {REGENERATE}")
    return number(point.get("x"), f"{where}: x"), number(point.get("y"), f"{where}: y")


def _person(rectangle: dict, points: list, frame: int, where: str) -> dict[str, Any]:
    joints = len(POSETRACK17)
    person = {
        "person_frame": frame,
        "track_id": NO_TRACK,
        "keypoints": np.zeros((joints, 2)),
        "present": np.zeros(joints, dtype=bool),
        "visible": np.zeros(joints, dtype=bool),
        "joint_score": np.full(joints, UNSCORED),
        "head_box": np.full(4, np.nan),
        "score": np.nan,
    }
    if rectangle.get("track_id"):
        person["track_id"] = int(number(rectangle["track_id"], f"{where}: track_id"))
    if rectangle.get("score"):
        person["score"] = number(rectangle["score"], f"{where}: score")
    corners = [rectangle.get(key) for key in ("x1", "y1", "x2", "y2")]
    if all(corner not in (None, []) for corner in corners):
        person["head_box"] = np.array([number(c, f"{where}: head box") for c in corners])
    for k, point in enumerate(points):
        place = f"{where}.annopoints[0].point[{k}]"
        corner = _corner(point, place)
        joint = int(number(point["id"], f"{place}: id")) if point.get("id") is not None else -1
        if not 0 <= joint < joints or person["present"][joint]:
            continue
        person["keypoints"][joint] = corner
        person["present"][joint] = True
        visible = point.get("is_visible")
        person["visible"][joint] = (
            number(visible, f"{place}: is_visible") > 0 if visible not in (None, []) else True
        )
        if "score" in point:
            person["joint_score"][joint] = number(point["score"], f"{place}: score")
    return person


def _columns(people: list[dict[str, Any]]) -> dict[str, np.ndarray]:
    count, joints = len(people), len(POSETRACK17)
    shapes = {
        "person_frame": ((count,), np.int64),
        "track_id": ((count,), np.int64),
        "keypoints": ((count, joints, 2), np.float64),
        "present": ((count, joints), bool),
        "visible": ((count, joints), bool),
        "joint_score": ((count, joints), np.float64),
        "head_box": ((count, 4), np.float64),
        "score": ((count,), np.float64),
    }
    columns = {
        name: np.array([person[name] for person in people], dtype=kind).reshape(shape)
        for name, (shape, kind) in shapes.items()
    }
    return columns | {"box": np.full((count, 4), np.nan)}
