"""PoseTrack2017 annotation files in JSON: one ``annolist`` per video, scalars wrapped in lists.

Read as poseval reads them: a person whose joint list is missing is left out (its frame still
counts as annotated), one whose joint list is empty stays; a joint id that comes twice counts once,
the first time; unknown joint ids are ignored.

Read tolerantly, because converters write it so: empty arrays as the official MATLAB converter
writes them (``{"_ArrayType_": ..., "_ArraySize_": [1, 0], ...}``), lists in a list (its column
arrays), a lone object in place of a list of one, bare numbers in place of wrapped ones, true and
false as flags, null or an empty list for a value that is not there, and bare NaN as a number (such
a joint exists and matches nothing). Everything else that is out of form is refused.

The form has no place for person boxes, areas, ``iscrowd``, identities across videos, actions, image
ids (a frame's id is its position), image sizes, ``has_labeled_person`` and ``nframes``; frame
numbers are those of the file names.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from tdmi.core.errors import UserError
from tdmi.core.files import read_json, write_json
from tdmi.data.annotations import NO_TRACK, UNSCORED, Annotations
from tdmi.data.skeletons import POSETRACK17
from tdmi.formats.annolists import frames_of
from tdmi.formats.parsing import REGENERATE, describe, number, video_name
from tdmi.formats.posetrack17_content import contents


def read_file(path: Path | str) -> Annotations:
    """Read one video; frames in the order of the file, image id = position.

    Raises UserError for anything that is not this form, HiEve's look-alike among it.
    """
    return parse(read_json(path), path)


def write_folder(annotations: Annotations, folder: Path | str) -> None:
    """Write one ``<video>.json`` per video, which `read_file` gives back to the last bit.

    All columns that the form holds (see above) come back, if joints that are absent are 0 and
    unscored and head boxes without all four corners are all NaN, as the reader makes them.
    Raises UserError if the joints are not POSETRACK17 or a number is not finite.
    """
    for name, content in contents(annotations, folder):
        write_json(Path(folder) / f"{name}.json", content, indent=None)


def video_key(frame_file: str) -> str:
    """Collection and folder of a frame: ``images/bonn/000342_mpii/1.jpg`` -> ``bonn/000342_mpii``.

    This identifies a PoseTrack2017 video: the numbers collide between collections, and the names of
    label files differ from those of folders. A frame in fewer folders gives those it is in.
    """
    parts = [part for part in frame_file.replace("\\", "/").split("/") if part not in ("", ".")]
    return "/".join(parts[:-1][-2:])


def parse(content: Any, path: Path | str) -> Annotations:
    """Turn the content of one file into annotations; `path` names the video and the errors."""
    frames = frames_of(content, str(path))
    files, labelled, annotated, regions, people = [], [], [], [], []
    for index, frame in enumerate(frames):
        where = f"{path}: annolist[{index}]"
        if not isinstance(frame, dict):
            raise UserError(f"{where}: found {describe(frame)}, expected an object; {REGENERATE}")
        files.append(_image_name(frame, where))
        rectangles = _items(frame, "annorect", where, needed=True)
        annotated.append(bool(rectangles))
        labelled.append(_flag(frame, "is_labeled", where, bool(rectangles)))
        regions.append(_regions(frame, where))
        for k, rectangle in enumerate(rectangles):
            points = _points(rectangle, f"{where}.annorect[{k}]")
            if points is not None:
                people.append(_person(rectangle, points, index, f"{where}.annorect[{k}]"))
    return Annotations(
        skeleton=POSETRACK17,
        video_names=[video_name(path).removesuffix(".mat")],
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
    """The objects under `key`; none if it is missing (unless needed) or an empty array."""
    value = record.get(key)
    if isinstance(value, list):
        return [v for entry in value for v in (entry if isinstance(entry, list) else [entry])]
    if _is_empty_array(value) or value == {}:
        return []
    if isinstance(value, dict) and "_ArrayType_" not in value:
        return [value]
    if value is None and not needed:
        return []
    raise UserError(f"{where}: '{key}' is {describe(value)}, expected a list; {REGENERATE}")


def _is_empty_array(value: Any) -> bool:
    size = value.get("_ArraySize_") if isinstance(value, dict) else None
    return isinstance(size, list) and 0 in size


def _value(record: dict, key: str) -> Any:
    """What stands under `key`; None if nothing does, in any of the ways files say so."""
    value = record.get(key)
    return None if value == [] or _is_empty_array(value) else value


def _flag(record: dict, key: str, where: str, default: bool) -> bool:
    value = _value(record, key)
    if isinstance(value, list) and len(value) == 1:
        value = value[0]
    if value is None or isinstance(value, bool):
        return default if value is None else value
    return number(value, f"{where}: {key}") > 0


def _whole(value: Any, where: str) -> int:
    """A whole number of 64 bits, bare or as the only entry of a list, kept to the last digit."""
    bare = value[0] if isinstance(value, list) and len(value) == 1 else value
    whole = bare if type(bare) is int else number(bare, where)
    if not -(2**63) <= whole < 2**63 or whole != int(whole):
        raise UserError(f"{where}: found {describe(bare)}, expected a whole number; {REGENERATE}")
    return int(whole)


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
    if not holders or holders[0] == {}:
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
    if (track := _value(rectangle, "track_id")) is not None:
        person["track_id"] = _whole(track, f"{where}: track_id")
    if (score := _value(rectangle, "score")) is not None:
        person["score"] = number(score, f"{where}: score")
    corners = [_value(rectangle, key) for key in ("x1", "y1", "x2", "y2")]
    if None not in corners:
        person["head_box"] = np.array([number(c, f"{where}: head box") for c in corners])
    for k, point in enumerate(points):
        place = f"{where}.annopoints[0].point[{k}]"
        corner = _corner(point, place)
        stated = _value(point, "id")
        joint = -1 if stated is None else _whole(stated, f"{place}: id")
        if not 0 <= joint < joints or person["present"][joint]:
            continue
        person["keypoints"][joint] = corner
        person["present"][joint] = True
        person["visible"][joint] = _flag(point, "is_visible", place, True)
        if (score := _value(point, "score")) is not None:
            person["joint_score"][joint] = number(score, f"{place}: score")
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
