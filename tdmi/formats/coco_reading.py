"""Columns from the records of COCO-like files: ``images``, ``annotations`` and ``categories``.

PoseTrack18's files, their merged forms and COCO's own keypoint files share these records.
"""

from __future__ import annotations

from itertools import chain
from typing import Any

import numpy as np

from tdmi.core.errors import UserError
from tdmi.data.annotations import NO_PERSON_ID, NO_TRACK, UNSCORED, Annotations, Columns
from tdmi.data.records import (
    REGENERATE,
    Floats,
    Ints,
    Place,
    Record,
    describe,
    flags,
    member,
    number_list,
    number_rows,
    numbers,
    objects,
    places,
    real_numbers,
    texts,
    unfit,
    whole_numbers,
)
from tdmi.data.skeletons import ALIASES, COCO, HIEVE, POSETRACK17, POSETRACK18, Skeleton

_SIDES = ("ignore_regions_x", "ignore_regions_y")
# Joints that must be named, and the skeleton that they are read into: PoseTrack's files name 15
# or 17 joints and always mean the 17 slots.
_RECOGNISED = ((POSETRACK17, POSETRACK18), (HIEVE, HIEVE), (COCO, COCO))


def joint_slots(content: Any, where: str) -> tuple[Skeleton, Ints]:
    """Return the skeleton of a file and the slot in it of each keypoint [K] (-1: unknown name).

    The names in ``categories`` decide; `tdmi.data.skeletons.ALIASES` lists other names of a joint.
    """
    if isinstance(content, dict) and "categories" not in content:
        raise UserError(
            f"{where}: no 'categories', expected one entry 'person' that names the keypoints; "
            "copy 'categories' from an annotation file of the data set"
        )
    categories = objects(content, "categories", where)
    if len(categories) != 1:
        raise UserError(
            f"{where}: 'categories' has {len(categories)} entries, expected one, 'person'; "
            "keep that one only"
        )
    names = member(categories[0], "keypoints", list, f"{where}: categories[0]")
    for name in names:
        if not isinstance(name, str):
            raise unfit(f"{where}: categories[0].keypoints", describe(name), "names of joints")
    names = [ALIASES.get(name, name) for name in names]
    skeleton = recognised(names)
    if skeleton is None:
        lacking = [joint for joint in POSETRACK17.joints if joint not in names]
        raise UserError(
            f"{where}: categories[0].keypoints lacks {', '.join(lacking)}, expected the PoseTrack "
            "joint names (or those of HiEve or COCO); this is another joint set, convert the file "
            "first"
        )
    slots = np.array([skeleton.index(n) if n in skeleton.joints else -1 for n in names])
    if len(set(slots[slots >= 0])) < (slots >= 0).sum():
        twice = next(n for n in names if n in skeleton.joints and names.count(n) > 1)
        raise unfit(f"{where}: categories[0].keypoints", f"{twice} twice", "every joint once")
    return skeleton, slots


def recognised(names: list[str]) -> Skeleton | None:
    """Return the skeleton that keypoints of these names are read into; None if unknown."""
    for needed, skeleton in _RECOGNISED:
        if set(needed.joints) <= set(names):
            return skeleton
    return None


def rows_by_id(images: list[Record], place: Place) -> dict[int, int]:
    """Return the row of each image id; UserError if one comes twice."""
    ids = whole_numbers(images, "id", place).tolist()
    rows = dict(zip(ids, range(len(ids)), strict=True))
    if len(rows) < len(ids):
        first: dict[int, int] = {}
        again = next(i for i, image_id in enumerate(ids) if first.setdefault(image_id, i) != i)
        other = place(first[ids[again]])
        raise UserError(
            f"{place(again)} repeats id {ids[again]} of {other.rpartition(': ')[2]}, "
            f"expected a different id for every frame; {REGENERATE}"
        )
    return rows


def file_names(images: list[Record], place: Place) -> list[str]:
    """Return ``file_name`` [F] with slashes, also where Windows wrote backslashes."""
    names = [name.replace("\\", "/") for name in texts(images, "file_name", place)]
    for i, name in enumerate(names):
        if not name.rpartition("/")[2]:
            raise unfit(f"{place(i)}: file_name", describe(name), "a frame's file name")
    return names


def frame_columns(images: list[Record], place: Place) -> Columns:
    """Return the columns of the frames, in the order of `images`, except those of videos."""
    sides = [whole_numbers(images, key, place, missing=0) for key in ("width", "height")]
    boxed = flags(images, "has_labeled_person", place)
    return {
        "frame_file": file_names(images, place),
        "frame_id": whole_numbers(images, "id", place),
        "frame_size": np.stack(sides, axis=1),
        "frame_boxed": np.array([bool(flag) for flag in boxed], dtype=bool),
        "ignore_regions": _regions(images, place),
    }


def _regions(images: list[Record], place: Place) -> list[list[Floats]]:
    """Return the polygons [P, 2] of each image; none unless both coordinate lists are there."""
    polygons = [_polygons(image, place, i) for i, image in enumerate(images)]
    flat = [polygon for of_image in polygons for polygon in of_image]
    x, y = (number_list(list(chain.from_iterable(p[side] for p in flat))) for side in (0, 1))
    if x is None or y is None:  # the slow way names the first culprit
        parts = [
            np.stack([numbers(p[n], None, f"{place(i)}: {_SIDES[n]}[{k}]") for n in (0, 1)], axis=1)
            for i, of_image in enumerate(polygons)
            for k, p in enumerate(of_image)
        ]
    else:
        parts = np.split(np.stack([x, y], axis=1), np.cumsum([len(x) for x, _ in flat])[:-1])
    corners = iter(parts)
    return [[next(corners) for _ in of_image] for of_image in polygons]


def _polygons(image: Record, place: Place, row: int) -> list[tuple[list[Any], list[Any]]]:
    """Return the coordinate lists x and y, equally long, of each polygon of one image."""
    if any(image.get(side) is None for side in _SIDES):
        return []
    xs, ys = (member(image, side, list, place(row)) for side in _SIDES)
    if len(xs) != len(ys):
        raise unfit(
            place(row),
            f"{len(xs)} polygons in ignore_regions_x, {len(ys)} in ignore_regions_y",
            "as many",
        )
    for k, (x, y) in enumerate(zip(xs, ys, strict=True)):
        if not isinstance(x, list) or not isinstance(y, list) or len(x) != len(y):
            row_x = numbers(x, None, f"{place(row)}: {_SIDES[0]}[{k}]")
            numbers(y, len(row_x), f"{place(row)}: {_SIDES[1]}[{k}]")
    return list(zip(xs, ys, strict=True))


def person_columns(
    records: list[Record], rows: dict[int, int], skeleton: Skeleton, slots: Ints, where: str
) -> tuple[Columns, Floats]:
    """Return the columns of the persons except ``present`` and ``visible``, and joint flags [N, J].

    Sorted by frame, within a frame in the order of the file. `keypoints` are those of the file.
    The head box is ``bbox_head`` (x, y, width, height) or, where it is there, ``head_box``
    (corners).
    """
    frame = _frames_of_persons(records, rows, where)
    at = places(where, "annotations")

    def place(i: int) -> str:
        return f"{at(i)} (frame {frame[i]})"

    count, joints = len(records), len(skeleton)
    raw = number_rows(records, "keypoints", 3 * len(slots), place).reshape(count, len(slots), 3)
    raw_score = number_rows(records, "scores", len(slots), place, missing=UNSCORED)
    head = number_rows(records, "bbox_head", 4, place, missing=np.nan)
    head[:, 2:] += head[:, :2]
    corners = number_rows(records, "head_box", 4, place, missing=np.nan)
    stated = ~np.isnan(corners).all(axis=1)
    head[stated] = corners[stated]

    known = slots >= 0
    triples = np.zeros((count, joints, 3))
    triples[:, slots[known]] = raw[:, known]
    joint_score = np.full((count, joints), UNSCORED)
    joint_score[:, slots[known]] = raw_score[:, known]
    columns: Columns = {
        "person_frame": frame,
        "track_id": whole_numbers(records, "track_id", place, missing=NO_TRACK),
        "person_id": whole_numbers(records, "person_id", place, missing=NO_PERSON_ID),
        "keypoints": triples[..., :2],
        "joint_score": joint_score,
        "box": number_rows(records, "bbox", 4, place, missing=np.nan),
        "head_box": head,
        "score": real_numbers(records, "score", place, missing=np.nan),
        "area": real_numbers(records, "area", place, missing=np.nan),
        "crowd": np.array([bool(f) for f in flags(records, "iscrowd", place)], dtype=bool),
    }
    order = np.argsort(frame, kind="stable")
    columns = {name: np.ascontiguousarray(column[order]) for name, column in columns.items()}
    actions = texts(records, "action", place, missing="")
    columns["action"] = [actions[i] for i in order]
    return columns, triples[order, :, 2]


def _frames_of_persons(records: list[Record], rows: dict[int, int], where: str) -> Ints:
    ids = whole_numbers(records, "image_id", places(where, "annotations")).tolist()
    frames = [rows.get(image_id, -1) for image_id in ids]
    if -1 in frames:
        lost = frames.index(-1)
        raise UserError(
            f"{where}: annotations[{lost}]: image_id {ids[lost]} is not among the {len(rows)} "
            f"images of the file; {REGENERATE}"
        )
    return np.array(frames, dtype=np.int64)


def read_annotations(
    content: Any,
    images: list[Record],
    names: list[str],
    videos: Ints,
    where: str,
    place: Place | None = None,
    stills: bool = False,
) -> Annotations:
    """Return annotations by the rules of PoseTrack18's form, or of COCO's `stills`.

    `images` are those of the file, sorted by video; `videos` [F] are rows in `names`. The length of
    a video is the largest ``nframes`` of its images, that of a still is 1. Joint flags are read as
    poseval reads them: a joint is absent exactly if x = y = 0 and its flag is 0; one elsewhere with
    flag 0, or any with a flag below 0, is there but hidden. In COCO's stills 0 is absent, whatever
    its place, 1 hidden and 2 visible. Where ``is_labeled`` is not stated, frames with persons count
    as labelled, and all stills.
    """
    place = place or places(where, "images")
    skeleton, slots = joint_slots(content, where)
    rows = rows_by_id(images, place)
    frames = frame_columns(images, place)
    if isinstance(content, dict) and content.get("annotations") is None:
        raise UserError(
            f"{where}: no 'annotations', so it holds no labels, as files of a test split, expected "
            "a list of people there; give a file that has them"
        )
    records = objects(content, "annotations", where)
    persons, flag = person_columns(records, rows, skeleton, slots, where)
    listed = np.bincount(persons["person_frame"], minlength=len(images)).astype(bool)
    stated = flags(images, "is_labeled", place)
    if stills:
        odd = ~np.isin(flag, (0, 1, 2))
        if odd.any():
            person, joint = np.argwhere(odd)[0]
            file = frames["frame_file"][persons["person_frame"][person]]
            raise unfit(
                f"{where}: a person in image {describe(file)}",
                f"a joint with flag {flag[person, joint]}",
                "0 (absent), 1 (hidden) or 2 (visible)",
            )
        persons["keypoints"][flag == 0] = 0.0
        lengths = np.ones(len(names), dtype=np.int64)
    else:
        lengths = np.zeros(len(names), dtype=np.int64)
        np.maximum.at(lengths, videos, whole_numbers(images, "nframes", place, missing=0))
    labelled = [
        there or stills if label is None else label
        for label, there in zip(stated, listed, strict=True)
    ]
    return Annotations(
        skeleton=skeleton,
        video_names=names,
        video_length=lengths,
        frame_video=videos,
        frame_index=np.arange(len(images)) - np.searchsorted(videos, videos),
        frame_labelled=np.array(labelled, dtype=bool),
        frame_annotated=listed,
        present=(persons["keypoints"] != 0).any(axis=2) | (flag != 0),
        visible=flag > (1 if stills else 0),
        **frames,
        **persons,
    )
