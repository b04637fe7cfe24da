"""Files with an ``annolist``: labels and predictions of PoseTrack2017 and HiEve, one per video.

The reader is tolerant, because converters write so. It accepts empty arrays as the official MATLAB
converter writes them (``{"_ArrayType_": ..., "_ArraySize_": [1, 0], ...}``), lists in a list (its
column arrays), a lone object in place of a list of one, bare numbers in place of wrapped ones, true
and false as flags, and null or an empty list for a value that is not there. It refuses everything
else. A joint id that comes twice counts once, the first time.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path
from typing import Any, Literal

import numpy as np

from tdmi.core.errors import UserError
from tdmi.data.annotations import NO_TRACK, UNSCORED, Annotations, unknown_persons
from tdmi.data.records import (
    REGENERATE,
    Floats,
    Ints,
    Place,
    Record,
    check_objects,
    describe,
    number,
    number_list,
    places,
    unfit,
)
from tdmi.data.skeletons import Skeleton
from tdmi.formats.files import video_name, width_height

CORNERS = ("x1", "y1", "x2", "y2")


@dataclass(frozen=True)
class Form:
    """Meaning of an ``annolist`` in one data set."""

    skeleton: Skeleton
    """Joint ids are positions in it."""
    corners: Literal["head_box", "box"]
    """Column of the box ``x1..y2``."""
    strict: bool
    """Refuse numbers that are not finite, joint ids that the skeleton lacks, boxes without all
    four corners and joint holders without ``point``. If False, NaN is a number, unknown joints are
    ignored, and an incomplete box is unknown."""
    needs_joints: bool
    """A person without a joint list (not even an empty one) is left out; the frame still counts as
    annotated. If False the person stays, because the box is a label as well."""
    has_flags: bool
    """Written files state ``imgnum``, ``is_labeled`` and ``is_visible``."""


@dataclass
class _People:
    """Persons of a file, and the lists of their joints."""

    frame: list[int] = field(default_factory=list)
    records: list[Record] = field(default_factory=list)
    points: list[list[Any]] = field(default_factory=list)
    places: list[str] = field(default_factory=list)


def parse_frames(frames: list[Any], path: Path | str, form: Form) -> Annotations:
    """Turn the frames of one file into annotations; `path` names the video and the errors.

    Image ids are positions in the file. Raises UserError for anything that is out of form.
    """
    frame_place = places(path, "annolist")
    check_objects(frames, frame_place)
    files, annotated, regions, people = [], [], [], _People()
    for index, frame in enumerate(frames):
        where = frame_place(index)
        files.append(image_name(frame, where))
        rectangles = _items(frame, "annorect", where, needed=True)
        annotated.append(bool(rectangles))
        regions.append(_regions(frame, where, form.strict))
        for k, rectangle in enumerate(rectangles):
            place = f"{where}.annorect[{k}]"
            points = _points(rectangle, place, form.strict)
            if points is not None or not form.needs_joints:
                people.frame.append(index)
                people.records.append(rectangle)
                people.points.append(points or [])
                people.places.append(place)
    columns = unknown_persons(np.array(people.frame, dtype=np.int64), form.skeleton)
    person_place = people.places.__getitem__
    score = _column(people.records, "score", person_place, np.nan, finite=form.strict)
    labelled = _column(frames, "is_labeled", frame_place, np.nan, flag=True)
    annotations = Annotations(
        skeleton=form.skeleton,
        video_names=[video_name(path)],
        frame_video=np.zeros(len(frames), dtype=np.int64),
        frame_index=np.arange(len(frames), dtype=np.int64),
        frame_file=files,
        frame_id=np.arange(len(frames), dtype=np.int64),
        frame_labelled=np.where(np.isnan(labelled), annotated, labelled > 0).astype(bool),
        frame_annotated=np.array(annotated, dtype=bool),
        ignore_regions=regions,
        **(columns | {"track_id": _tracks(people), "score": score}),
    )
    corners = _corner_columns(people, form.strict)
    if form.corners == "box":
        annotations.box = width_height(corners)
    else:
        annotations.head_box = corners
    _set_joints(annotations, people, form)
    return annotations


def image_name(frame: Record, where: str) -> str:
    """Return the name of a frame's image, with slashes; UserError if it has none."""
    image = _items(frame, "image", where)
    name = image[0].get("name") if image and isinstance(image[0], dict) else None
    if isinstance(name, list) and len(name) == 1:
        name = name[0]
    name = name.replace("\\", "/") if isinstance(name, str) else name
    if not isinstance(name, str) or not name.rpartition("/")[2]:
        raise UserError(
            f"{where}: 'image' gives {describe(name)} as name, expected the path of the frame, "
            f'as in {{"image": [{{"name": "images/..."}}]}}; {REGENERATE}'
        )
    return name


def _items(record: Record, key: str, where: str, needed: bool = False) -> list[Any]:
    """Return the objects under `key`; none if it is missing (unless needed) or an empty array."""
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


def _regions(frame: Record, where: str, finite: bool) -> list[Floats]:
    regions = _items(frame, "ignore_regions", where)
    place = _inside(where, "ignore_regions")
    check_objects(regions, place)
    points = [_items(region, "point", place(k)) for k, region in enumerate(regions)]
    return [_positions(p, _inside(place(k), "point"), finite) for k, p in enumerate(points)]


def _inside(where: str, key: str) -> Place:
    return lambda i: f"{where}.{key}[{i}]"


def _points(rectangle: Any, where: str, strict: bool) -> list[Any] | None:
    """Return the joint list of a person; None if the person has none (not even an empty one)."""
    if not isinstance(rectangle, dict):
        raise unfit(where, describe(rectangle), "an object")
    holders = _items(rectangle, "annopoints", where)
    if not holders:
        return None
    check_objects(holders[:1], _inside(where, "annopoints"))
    if "point" not in holders[0] and not strict:
        return None
    return _items(holders[0], "point", f"{where}.annopoints[0]", needed=True)


def _column(
    records: Sequence[Record],
    key: str,
    place: Place,
    missing: float | None = None,
    finite: bool = False,
    flag: bool = False,
) -> Floats:
    """Return `record[key]` of all records, bare or wrapped in a list.

    `missing` stands for what is absent, null or empty, if that is allowed; true and false are
    numbers for a `flag`.
    """
    values = _values(records, key, missing)
    if flag:
        values = [int(v) if type(v) is bool else v for v in values]
    column = number_list(values)
    if column is None:
        column = np.array([number(v, f"{place(i)}: {key}") for i, v in enumerate(values)])
    if finite:
        for i in np.flatnonzero(~np.isfinite(column)):
            if values[i] is not missing:
                raise unfit(f"{place(i)}: {key}", f"{column[i]}", "a finite number")
    return column


def _values(records: Sequence[Record], key: str, missing: float | None) -> list[Any]:
    values = [record.get(key) for record in records]
    values = [v[0] if type(v) is list and len(v) == 1 and v[0] is not None else v for v in values]
    if missing is None:
        return values
    return [missing if v is None or v == [] or _is_empty_array(v) else v for v in values]


def _positions(points: list[Any], place: Place, finite: bool) -> Floats:
    check_objects(points, place)
    return np.stack([_column(points, key, place, finite=finite) for key in ("x", "y")], axis=1)


def _tracks(people: _People) -> Ints:
    """Return the track ids [N], kept to the last digit; NO_TRACK where none is stated."""
    values = _values(people.records, "track_id", NO_TRACK)
    if set(map(type, values)) <= {int}:
        with suppress(OverflowError):
            return np.array(values, dtype=np.int64)
    places = people.places
    tracks = [_whole(v, f"{p}: track_id") for v, p in zip(values, places, strict=True)]
    return np.array(tracks, dtype=np.int64)


def _whole(value: Any, where: str) -> int:
    """Return a whole number of 64 bits, kept to the last digit."""
    whole = value if type(value) is int else number(value, where)
    if not -(2**63) <= whole < 2**63 or whole != int(whole):
        raise unfit(where, describe(value), "a whole number")
    return int(whole)


def _corner_columns(people: _People, strict: bool) -> Floats:
    """Return ``x1, y1, x2, y2`` [N, 4]; all NaN unless all four are stated."""
    place = people.places.__getitem__
    corners = np.stack(
        [_column(people.records, key, place, np.inf, finite=strict) for key in CORNERS], axis=1
    )
    missing = np.isinf(corners)
    if strict:
        for person in np.flatnonzero(missing.any(axis=1) & ~missing.all(axis=1)):
            raise unfit(place(person), "some of x1, y1, x2, y2", "all four or none")
    corners[missing.any(axis=1)] = np.nan
    return corners


def _set_joints(annotations: Annotations, people: _People, form: Form) -> None:
    """Fill in the joints of all people at once."""
    counts = [len(points) for points in people.points]
    owner = np.repeat(np.arange(len(counts)), counts)
    first = np.cumsum([0, *counts])
    points = list(chain.from_iterable(people.points))
    size = len(form.skeleton)

    def place(i: int) -> str:
        person = owner[i]
        return f"{people.places[person]}.annopoints[0].point[{i - first[person]}]"

    position = _positions(points, place, form.strict)
    score = _column(points, "score", place, UNSCORED, finite=form.strict)
    visible = _column(points, "is_visible", place, 1, flag=True) > 0
    number_of = _column(points, "id", place, None if form.strict else -1)
    for i in np.flatnonzero((number_of != np.floor(number_of)) | np.isinf(number_of)):
        _whole(number_of[i], f"{place(i)}: id")
    known = (number_of >= 0) & (number_of < size)
    if form.strict and not known.all():
        i = int(np.argmin(known))
        raise UserError(
            f"{place(i)}: id: found joint {number_of[i]:.0f}, expected 0 to {size - 1}; a file of "
            "another data set belongs in a folder of its own"
        )
    rows = np.flatnonzero(known)
    joint = number_of[rows].astype(np.int64)
    rows = rows[np.unique(owner[rows] * size + joint, return_index=True)[1]]  # the first of equals
    cell = owner[rows], number_of[rows].astype(np.int64)
    annotations.keypoints[cell] = position[rows]
    annotations.present[cell] = True
    annotations.visible[cell] = visible[rows]
    annotations.joint_score[cell] = score[rows]
