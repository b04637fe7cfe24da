"""Columns from the records of COCO-like files: ``images``, ``annotations`` and ``categories``.

PoseTrack18's files, their merged forms and COCO's own keypoint files share these records; what
each form means by its joint flags, videos and boxes is said in the form's own module.
"""

from __future__ import annotations

from itertools import chain
from typing import Any

import numpy as np

from tdmi.core.errors import UserError
from tdmi.data.annotations import NO_PERSON_ID, NO_TRACK, UNSCORED, Annotations
from tdmi.data.skeletons import ALIASES, COCO, HIEVE, POSETRACK17, POSETRACK18, Skeleton
from tdmi.formats.parsing import (
    REGENERATE,
    Place,
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

# Joints that must be named, and the skeleton that they are read into: PoseTrack's files name 15
# or 17 joints and always mean the 17 slots.
_RECOGNISED = ((POSETRACK17, POSETRACK18), (HIEVE, HIEVE), (COCO, COCO))


def joint_slots(content: Any, where: str) -> tuple[Skeleton, np.ndarray]:
    """Skeleton of a file, and the slot in it of each keypoint [K] (-1 for unknown names).

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
    """The skeleton that a file with keypoints of these names is read into; None if unknown."""
    for needed, skeleton in _RECOGNISED:
        if set(needed.joints) <= set(names):
            return skeleton
    return None


def rows_by_id(images: list[dict], place: Place) -> dict[int, int]:
    """Row of each image id, which must differ."""
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


def frame_columns(images: list[dict], place: Place) -> dict[str, Any]:
    """Columns of the frames, in the order of `images`, but for those that tell videos apart."""
    sides = [whole_numbers(images, key, place, missing=0) for key in ("width", "height")]
    boxed = flags(images, "has_labeled_person", place)
    return {
        "frame_file": texts(images, "file_name", place),
        "frame_id": whole_numbers(images, "id", place),
        "frame_size": np.stack(sides, axis=1),
        "frame_boxed": np.array([bool(flag) for flag in boxed], dtype=bool),
        "ignore_regions": _regions(images, place),
    }


def video_lengths(images: list[dict], videos: np.ndarray, count: int, place: Place) -> np.ndarray:
    """``nframes`` of each of `count` videos, `videos` [F] being those of the images.

    The largest if a video's images differ in it; 0 if none states it.
    """
    lengths = np.zeros(count, dtype=np.int64)
    np.maximum.at(lengths, videos, whole_numbers(images, "nframes", place, missing=0))
    return lengths


def labelled_frames(images: list[dict], listed: np.ndarray, place: Place) -> np.ndarray:
    """``is_labeled`` [F]; where it is not stated, whether persons are listed."""
    stated = flags(images, "is_labeled", place)
    pairs = zip(stated, listed.tolist(), strict=True)
    return np.array([there if flag is None else flag for flag, there in pairs], dtype=bool)


def _regions(images: list[dict], place: Place) -> list[list[np.ndarray]]:
    """Polygons [P, 2] of each image; none unless both coordinate lists are there."""
    polygons = [_polygons(image, place, i) for i, image in enumerate(images)]
    flat = [polygon for of_image in polygons for polygon in of_image]
    sides = [number_list(list(chain.from_iterable(p[side] for p in flat))) for side in (0, 1)]
    if any(side is None for side in sides):
        for i, of_image in enumerate(polygons):
            for k, (x, y) in enumerate(of_image):
                numbers(x, None, f"{place(i)}: ignore_regions_x[{k}]")
                numbers(y, None, f"{place(i)}: ignore_regions_y[{k}]")
    ends = np.cumsum([len(x) for x, _ in flat])
    corners = iter(np.split(np.stack(sides, axis=1), ends[:-1]))
    return [[next(corners) for _ in of_image] for of_image in polygons]


def _polygons(image: dict, place: Place, row: int) -> list[tuple[list, list]]:
    """Coordinate lists x and y, equally long, of each polygon of one image."""
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
    records: list[dict], rows: dict[int, int], skeleton: Skeleton, slots: np.ndarray, where: str
) -> tuple[dict[str, Any], np.ndarray]:
    """Columns of the persons but for ``present`` and ``visible``, and the joint flags [N, J].

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
    columns = {
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


def _frames_of_persons(records: list[dict], rows: dict[int, int], where: str) -> np.ndarray:
    ids = whole_numbers(records, "image_id", lambda i: f"{where}: annotations[{i}]").tolist()
    frames = [rows.get(image_id, -1) for image_id in ids]
    if -1 in frames:
        lost = frames.index(-1)
        raise UserError(
            f"{where}: annotations[{lost}]: image_id {ids[lost]} is not among the {len(rows)} "
            f"images of the file; {REGENERATE}"
        )
    return np.array(frames, dtype=np.int64)


def listed_frames(person_frame: np.ndarray, frames: int) -> np.ndarray:
    """Whether each frame lists at least one person [F]."""
    return np.bincount(person_frame, minlength=frames).astype(bool)


def posetrack_annotations(
    content: dict,
    images: list[dict],
    names: list[str],
    videos: np.ndarray,
    place: Place,
    where: str,
) -> Annotations:
    """Annotations by the rules of PoseTrack18's form.

    `images` are those of the file, sorted by video; `videos` [F] are rows in `names`. Joint flags
    are read as poseval reads them: a joint is absent exactly if x = y = 0 and its flag is 0; one
    elsewhere with flag 0, or any with a flag below 0, is there but hidden.
    """
    skeleton, slots = joint_slots(content, where)
    rows = rows_by_id(images, place)
    frames = frame_columns(images, place)
    records = objects(content, "annotations", where)
    persons, flag = person_columns(records, rows, skeleton, slots, where)
    listed = listed_frames(persons["person_frame"], len(images))
    return Annotations(
        skeleton=skeleton,
        video_names=names,
        video_length=video_lengths(images, videos, len(names), place),
        frame_video=videos,
        frame_index=np.arange(len(images)) - np.searchsorted(videos, videos),
        frame_labelled=labelled_frames(images, listed, place),
        frame_annotated=listed,
        present=(persons["keypoints"] != 0).any(axis=2) | (flag != 0),
        visible=flag > 0,
        **frames,
        **persons,
    )
