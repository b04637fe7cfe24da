"""Boxes of a person detector in any form in use, tied to the frames of a data set's annotations.

All are lists with ``bbox`` [x, y, w, h] in px and ``score``. Boxes published with PoseWarper, which
DCPose and its successors use, state ``image_name``, ``category_id``, ``nframes`` and ``frame_id``;
mmpose's detections ``image_id``; COCO's also ``category_id``; AlphaPose writes file names as
``image_id``. Keypoint results of COCO and AlphaPose are tied in the same way.

The published boxes could not be seen. That ``image_name`` may begin with other folders than the
annotations' names, and that ``frame_id`` is the image id of PoseTrack2018 and the frame number of
PoseTrack2017, is inferred from the code that reads them. So boxes are tied by what names agree on
(collection, folder of the video, number), ``frame_id`` is not used, and a box that finds no frame
is an error. No box is left out here for its score or category, see `usable_boxes`.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from tdmi.core.errors import UserError
from tdmi.core.files import read_json
from tdmi.data.annotations import (
    NO_TRACK,
    UNSCORED,
    Annotations,
    Columns,
    frame_numbers,
    in_frame_order,
    unknown_persons,
)
from tdmi.data.detections import PERSON, Detections, check_person_boxes
from tdmi.data.records import (
    REGENERATE,
    Ints,
    Place,
    Record,
    check_objects,
    describe,
    number,
    number_rows,
    real_numbers,
    texts,
    unfit,
    whole_numbers,
)
from tdmi.data.skeletons import COCO
from tdmi.formats.posetrack17 import video_key

# DetectAndTrack, PoseWarper and DCPose copy the frames of PoseTrack2017 to names of this kind.
RENAMED = re.compile(r"[0-9]{8}")


def read_boxes(path: Path | str, annotations: Annotations) -> Detections:
    """Read boxes; ``image_id`` becomes the ``frame_id`` of the annotations' frame.

    A missing ``category_id`` counts as 1, the person. Names are matched as `frames_by_name` says.
    UserError if the file is none of the forms, if a box belongs to no frame of `annotations`, or
    if frames of these share an image id.
    """
    return parse(read_json(path), path, annotations)


def parse(records: Any, path: Path | str, annotations: Annotations) -> Detections:
    """Turn the content of a file into boxes, as `read_boxes` does."""
    if not isinstance(records, list) or not set(map(type, records)) <= {dict}:
        others = [r for r in records if type(r) is not dict] if isinstance(records, list) else []
        odd = others[0] if others else records
        raise unfit(str(path), describe(odd), "a list of boxes")
    place = _place(path)
    box = number_rows(records, "bbox", 4, place)
    score = real_numbers(records, "score", place)
    category = whole_numbers(records, "category_id", place, missing=1)
    finite = np.isfinite(box).all(axis=1) & np.isfinite(score)
    if not finite.all():
        raise UserError(
            f"{place(int(np.argmin(finite)))}: bbox and score must be finite numbers; {REGENERATE}"
        )
    rows = _frames_of(records, annotations, path)
    boxes = Detections(annotations.frame_id[rows], category, box, score)
    check_person_boxes(boxes, path)
    return boxes


def persons_of_results(records: Any, path: Path | str, labels: Annotations) -> Annotations:
    """Return the frames of `labels` with the persons of keypoint results, on COCO's joints.

    ``keypoints`` are x, y, score of each joint; one of zeros is absent. ``idx``, AlphaPose's track
    id, and ``track_id`` are kept unless one repeats in a frame, as where nothing was tracked.
    UserError as in `read_boxes`.
    """
    place = _place(path)
    check_objects(records, place)
    joints = number_rows(records, "keypoints", 3 * len(COCO), place).reshape(-1, len(COCO), 3)
    rows = _frames_of(records, labels, path)
    present = (joints != 0).any(axis=2)
    persons = unknown_persons(rows, COCO) | {
        "keypoints": np.where(present[..., None], joints[..., :2], 0.0),
        "present": present,
        "visible": present.copy(),
        "joint_score": np.where(present, joints[..., 2], UNSCORED),
        "score": real_numbers(records, "score", place, missing=np.nan),
    }
    given = [record.get("track_id", record.get("idx")) or [NO_TRACK] for record in records]
    ids = np.array([number(v, f"{place(i)}: idx") for i, v in enumerate(given)], dtype=np.float64)
    different = len(np.unique(np.stack([rows, ids], axis=1), axis=0)) == len(ids)
    if different and ((ids % 1 == 0) & (np.abs(ids) <= 2.0**63)).all():
        persons["track_id"] = ids.astype(np.int64)
    return _with_persons(replace(labels, skeleton=COCO), persons)


def _place(path: Path | str) -> Place:
    return lambda i: f"{path}: box {i}"


def _frames_of(records: list[Record], annotations: Annotations, path: Path | str) -> Ints:
    """Return the row [D] of each record's frame; UserError unless every one has a frame."""
    keys = {"image_name"} & set().union(*records) or {"image_id"}
    (key,) = keys
    if key == "image_name" or any(isinstance(record.get(key), str) for record in records):
        names = texts(records, key, _place(path))
        rows, shown = frames_by_name(names, annotations), list(map(describe, names))
    else:
        ids = whole_numbers(records, key, _place(path))
        rows, shown = frames_by_id(ids, annotations), list(map(str, ids))
    missing = np.flatnonzero(rows < 0)
    if len(missing):
        raise UserError(
            f"{path}: {len(missing)} of {len(rows)} boxes belong to no frame of the "
            f"{len(annotations.video_names)} annotated videos ({key} {shown[missing[0]]} first), "
            "expected a frame for every box; use the boxes of the same split and release"
        )
    if len(set(annotations.frame_id.tolist())) < annotations.frames:
        raise UserError(
            f"{path}: frames of the annotated videos share image ids, so an id does not say which "
            "frame a box belongs to, expected different ids; bring the labels to the PoseTrack2018 "
            "form first (`tdmi data convert --to posetrack18`)"
        )
    return rows


def persons_in_boxes(boxes: Detections, labels: Annotations) -> Annotations:
    """Return the frames of `labels` with one person, without joints, for each person's box."""
    found = np.flatnonzero(boxes.category_id == PERSON)
    rows = frames_by_id(boxes.image_id[found], labels)
    persons = unknown_persons(rows, labels.skeleton)
    persons |= {"box": boxes.box[found], "score": boxes.score[found]}
    return _with_persons(labels, persons)


def _with_persons(labels: Annotations, persons: Columns) -> Annotations:
    annotated = np.bincount(persons["person_frame"], minlength=labels.frames).astype(bool)
    return in_frame_order(replace(labels, frame_annotated=annotated, **persons))


def frames_by_id(ids: Ints, annotations: Annotations) -> Ints:
    """Return the row [D] of the frame with each image id; -1 where there is none."""
    rows = dict(zip(annotations.frame_id.tolist(), range(annotations.frames), strict=True))
    return np.array([rows.get(frame_id, -1) for frame_id in ids.tolist()], dtype=np.int64)


def frames_by_name(names: list[str], annotations: Annotations) -> Ints:
    """Return the row [D] of the frame that each image name means; -1 where there is none.

    Names mean a video by collection and folder (by the folder alone, if they give no more and it
    is the only one of its name; without a folder, the only video), and in it a frame by its name
    without ending, or by its number where no other frame of the video has it.
    Published PoseTrack2017 boxes were made on renamed frames, where ``%08d`` from 1 counts a
    video's frames sorted by their leading number. So if all names have eight digits and some find
    no frame by themselves, all of them are taken for such counts.
    """
    stems = list(map(_stem, annotations.frame_file))
    numbers = annotations.frame_number.tolist()
    videos: dict[str, list[int]] = {}  # rows in the order of their numbers
    by_stem: dict[tuple[str, str], int] = {}
    by_number: dict[tuple[str, int], int] = {}
    for row in sorted(range(annotations.frames), key=lambda row: (numbers[row], stems[row])):
        key = video_key(annotations.frame_file[row])
        videos.setdefault(key, []).append(row)
        by_stem[key, stems[row]] = row
        by_number[key, numbers[row]] = -1 if (key, numbers[row]) in by_number else row
    folders = Counter(key.rpartition("/")[2] for key in videos)
    alone = {key.rpartition("/")[2]: key for key in videos if folders[key.rpartition("/")[2]] == 1}
    if len(videos) == 1:
        alone[""] = next(iter(videos))

    def own_name(name: str) -> int:
        key, stem = video_key(name), _stem(name)
        key = alone.get(key, key)
        number = int(frame_numbers([stem], np.array([-1]))[0])
        return by_stem.get((key, stem), by_number.get((key, number), -1))

    def count(name: str) -> int:
        rows = videos.get(alone.get(video_key(name), video_key(name)), [])
        return rows[int(_stem(name)) - 1] if 0 < int(_stem(name)) <= len(rows) else -1

    direct = _look_up(names, own_name)
    counts = all(RENAMED.fullmatch(_stem(name)) for name in names)
    if counts and (direct < 0).any():
        renamed = _look_up(names, count)
        if (renamed < 0).sum() < (direct < 0).sum():
            return renamed
    return direct


def _look_up(names: list[str], find: Callable[[str], int]) -> Ints:
    """Return `find` of every name, called once per name because a frame has many boxes."""
    rows = {name: find(name) for name in dict.fromkeys(names)}
    return np.array([rows[name] for name in names], dtype=np.int64)


def _stem(name: str) -> str:
    file = name.replace("\\", "/").rpartition("/")[2]
    return file.rpartition(".")[0] or file
