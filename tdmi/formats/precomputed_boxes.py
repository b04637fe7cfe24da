"""Boxes of a person detector in any form in use, tied to the frames of a data set's annotations.

Three forms, all lists with ``bbox`` [x, y, w, h] in px and ``score``:

- the boxes published with PoseWarper, which DCPose and its successors use: ``image_name``,
  ``category_id``, ``nframes`` and ``frame_id``;
- mmpose's detections: ``image_id``;
- COCO's detections: ``image_id`` and ``category_id``.

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
from tdmi.data.annotations import Annotations, frame_numbers, in_frame_order, unknown_persons
from tdmi.data.detections import PERSON, Detections, check_person_boxes
from tdmi.data.records import (
    REGENERATE,
    Ints,
    describe,
    number_rows,
    real_numbers,
    texts,
    whole_numbers,
)
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
        raise UserError(f"{path}: found {describe(odd)}, expected a list of boxes; {REGENERATE}")

    def place(i: int) -> str:
        return f"{path}: box {i}"

    box = number_rows(records, "bbox", 4, place)
    score = real_numbers(records, "score", place)
    category = whole_numbers(records, "category_id", place, missing=1)
    finite = np.isfinite(box).all(axis=1) & np.isfinite(score)
    if not finite.all():
        raise UserError(
            f"{place(int(np.argmin(finite)))}: bbox and score must be finite numbers; {REGENERATE}"
        )
    if any("image_name" in record for record in records):
        names = texts(records, "image_name", place)
        rows = frames_by_name(names, annotations)
        _check_frames(rows, lambda i: f"image_name {describe(names[i])}", annotations, path)
    else:
        ids = whole_numbers(records, "image_id", place)
        rows = frames_by_id(ids, annotations)
        _check_frames(rows, lambda i: f"image_id {ids[i]}", annotations, path)
    _check_ids(annotations, path)
    boxes = Detections(annotations.frame_id[rows], category, box, score)
    check_person_boxes(boxes, path)
    return boxes


def persons_in_boxes(boxes: Detections, labels: Annotations) -> Annotations:
    """Return the frames of `labels` with one person, without joints, for each person's box."""
    found = np.flatnonzero(boxes.category_id == PERSON)
    rows = frames_by_id(boxes.image_id[found], labels)
    persons = unknown_persons(rows, labels.skeleton)
    persons |= {"box": boxes.box[found], "score": boxes.score[found]}
    annotated = np.bincount(rows, minlength=labels.frames).astype(bool)
    return in_frame_order(replace(labels, frame_annotated=annotated, **persons))


def frames_by_id(ids: Ints, annotations: Annotations) -> Ints:
    """Return the row [D] of the frame with each image id; -1 where there is none."""
    if annotations.frames == 0:
        return np.full(len(ids), -1)
    order = np.argsort(annotations.frame_id, kind="stable")
    place = np.searchsorted(annotations.frame_id, ids, sorter=order)
    rows = order[np.minimum(place, len(order) - 1)]
    return np.where(annotations.frame_id[rows] == ids, rows, -1)


def frames_by_name(names: list[str], annotations: Annotations) -> Ints:
    """Return the row [D] of the frame that each image name means; -1 where there is none.

    Names mean a video by collection and folder (by the folder alone, if they give no more and it
    is the only one of its name), and in it a frame by its name without ending, or by its number
    where no other frame of the video has it.
    Published PoseTrack2017 boxes were made on renamed frames, where ``%08d`` from 1 counts a
    video's frames sorted by their leading number. So if all names have eight digits and some find
    no frame by themselves, all of them are taken for such counts.
    """
    frames = _FrameIndex(annotations)
    direct = _look_up(names, frames.by_own_name)
    counts = all(RENAMED.fullmatch(_stem(name)) for name in names)
    if counts and (direct < 0).any():
        renamed = _look_up(names, frames.by_count)
        if (renamed < 0).sum() < (direct < 0).sum():
            return renamed
    return direct


class _FrameIndex:
    """Frames by video and stem of their names, number, or count in order of their numbers."""

    def __init__(self, annotations: Annotations) -> None:
        self.stem: dict[tuple[str, str], int] = {}
        self.number: dict[tuple[str, int], int] = {}
        self.count: dict[tuple[str, int], int] = {}
        self.videos: dict[str, list[str]] = {}
        stems = [_stem(file) for file in annotations.frame_file]
        numbers = annotations.frame_number.tolist()
        counts = Counter[str]()
        for row in sorted(range(annotations.frames), key=lambda row: (numbers[row], stems[row])):
            key = video_key(annotations.frame_file[row])
            if not counts[key]:
                self.videos.setdefault(key.rpartition("/")[2], []).append(key)
            counts[key] += 1
            self.count[key, counts[key]] = row
            self.stem[key, stems[row]] = row
            same = (key, numbers[row])
            self.number[same] = -1 if same in self.number else row

    def video(self, name: str) -> str:
        """Return the key of the video that a name means, which is the folder if that is enough."""
        key = video_key(name)
        same_folder = self.videos.get(key, [])
        return same_folder[0] if len(same_folder) == 1 else key

    def by_own_name(self, name: str) -> int:
        key, stem = self.video(name), _stem(name)
        number = int(frame_numbers([stem], np.array([-1]))[0])
        return self.stem.get((key, stem), self.number.get((key, number), -1))

    def by_count(self, name: str) -> int:
        return self.count.get((self.video(name), int(_stem(name))), -1)


def _look_up(names: list[str], find: Callable[[str], int]) -> Ints:
    """Return `find` of every name, called once per name because a frame has many boxes."""
    rows = {name: find(name) for name in dict.fromkeys(names)}
    return np.array([rows[name] for name in names], dtype=np.int64)


def _stem(name: str) -> str:
    file = name.replace("\\", "/").rpartition("/")[2]
    return file.rpartition(".")[0] or file


def _check_frames(
    rows: Ints, shown: Callable[[int], str], annotations: Annotations, path: Path | str
) -> None:
    missing = np.flatnonzero(rows < 0)
    if len(missing):
        raise UserError(
            f"{path}: {len(missing)} of {len(rows)} boxes belong to no frame of the "
            f"{len(annotations.video_names)} annotated videos ({shown(missing[0])} first), "
            "expected a frame for every box; use the boxes of the same split and release"
        )


def _check_ids(annotations: Annotations, path: Path | str) -> None:
    if len(set(annotations.frame_id.tolist())) < annotations.frames:
        raise UserError(
            f"{path}: frames of the annotated videos share image ids, so an id does not say which "
            "frame a box belongs to, expected different ids; bring the labels to the PoseTrack2018 "
            "form first (`tdmi data convert --to posetrack18`)"
        )
