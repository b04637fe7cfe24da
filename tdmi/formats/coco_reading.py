"""Columns from the records of COCO-like files: ``images``, ``annotations`` and ``categories``.

PoseTrack18's files, their merged forms and COCO's own keypoint files share these records. The
module of each form says what its joint flags, videos and boxes mean.
"""

from __future__ import annotations

from collections.abc import Sequence
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
    real_numbers,
    texts,
    whole_numbers,
)
from tdmi.data.skeletons import ALIASES, COCO, HIEVE, POSETRACK17, POSETRACK18, Skeleton

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
            raise UserError(
                f"{where}: categories[0].keypoints holds {describe(name)}, expected names of "
                f"joints; {REGENERATE}"
            )
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
        raise UserError(
            f"{where}: categories[0].keypoints names {twice} twice, expected every joint once; "
            f"{REGENERATE}"
        )
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
            raise UserError(
                f"{place(i)}: file_name is {describe(name)}, expected a frame's file name; "
                f"{REGENERATE}"
            )
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


def labelled_frames(images: list[Record], listed: Sequence[bool], place: Place) -> list[bool]:
    """Return ``is_labeled`` [F]; where it is not stated, whether persons are `listed`."""
    stated = flags(images, "is_labeled", place)
    pairs = zip(stated, listed, strict=True)
    return [there if flag is None else flag for flag, there in pairs]


def _regions(images: list[Record], place: Place) -> list[list[Floats]]:
    """Return the polygons [P, 2] of each image; none unless both coordinate lists are there."""
    polygons = [_polygons(image, place, i) for i, image in enumerate(images)]
    flat = [polygon for of_image in polygons for polygon in of_image]
    x, y = (number_list(list(chain.from_iterable(p[side] for p in flat))) for side in (0, 1))
    if x is None or y is None:  # the slow way names the first culprit
        parts = [
            np.stack(
                [
                    numbers(side, None, f"{place(i)}: ignore_regions_{name}[{k}]")
                    for name, side in zip("xy", sides, strict=True)
                ],
                axis=1,
            )
            for i, of_image in enumerate(polygons)
            for k, sides in enumerate(of_image)
        ]
    else:
        parts = np.split(np.stack([x, y], axis=1), np.cumsum([len(x) for x, _ in flat])[:-1])
    corners = iter(parts)
    return [[next(corners) for _ in of_image] for of_image in polygons]


def _polygons(image: Record, place: Place, row: int) -> list[tuple[list[Any], list[Any]]]:
    """Return the coordinate lists x and y, equally long, of each polygon of one image."""
    if image.get("ignore_regions_x") is None or image.get("ignore_regions_y") is None:
        return []
    xs = member(image, "ignore_regions_x", list, place(row))
    ys = member(image, "ignore_regions_y", list, place(row))
    if len(xs) != len(ys):
        raise UserError(
            f"{place(row)}: {len(xs)} polygons in ignore_regions_x, {len(ys)} in "
            f"ignore_regions_y, expected as many; {REGENERATE}"
        )
    for k, (x, y) in enumerate(zip(xs, ys, strict=True)):
        if not isinstance(x, list) or not isinstance(y, list) or len(x) != len(y):
            row_x = numbers(x, None, f"{place(row)}: ignore_regions_x[{k}]")
            numbers(y, len(row_x), f"{place(row)}: ignore_regions_y[{k}]")
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

    def place(i: int) -> str:
        return f"{where}: annotations[{i}] (frame {frame[i]})"

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
    ids = whole_numbers(records, "image_id", lambda i: f"{where}: annotations[{i}]").tolist()
    frames = [rows.get(image_id, -1) for image_id in ids]
    if -1 in frames:
        lost = frames.index(-1)
        raise UserError(
            f"{where}: annotations[{lost}]: image_id {ids[lost]} is not among the {len(rows)} "
            f"images of the file; {REGENERATE}"
        )
    return np.array(frames, dtype=np.int64)


def posetrack_annotations(
    content: Any, images: list[Record], names: list[str], videos: Ints, place: Place, where: str
) -> Annotations:
    """Return annotations by the rules of PoseTrack18's form.

    `images` are those of the file, sorted by video; `videos` [F] are rows in `names`. The length of
    a video is the largest ``nframes`` of its images. Joint flags are read as poseval reads them: a
    joint is absent exactly if x = y = 0 and its flag is 0; one elsewhere with flag 0, or any with a
    flag below 0, is there but hidden.
    """
    skeleton, slots = joint_slots(content, where)
    rows = rows_by_id(images, place)
    frames = frame_columns(images, place)
    if isinstance(content, dict) and "annotations" not in content:
        raise UserError(
            f"{where}: no 'annotations', so it holds no labels, as files of a test split, expected "
            f"a list of people there; {REGENERATE}"
        )
    records = objects(content, "annotations", where)
    persons, flag = person_columns(records, rows, skeleton, slots, where)
    listed = np.bincount(persons["person_frame"], minlength=len(images)).astype(bool)
    lengths = np.zeros(len(names), dtype=np.int64)
    np.maximum.at(lengths, videos, whole_numbers(images, "nframes", place, missing=0))
    return Annotations(
        skeleton=skeleton,
        video_names=names,
        video_length=lengths,
        frame_video=videos,
        frame_index=np.arange(len(images)) - np.searchsorted(videos, videos),
        frame_labelled=np.array(labelled_frames(images, listed.tolist(), place), dtype=bool),
        frame_annotated=listed,
        present=(persons["keypoints"] != 0).any(axis=2) | (flag != 0),
        visible=flag > 0,
        **frames,
        **persons,
    )
