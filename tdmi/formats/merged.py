"""Merged COCO-like files: the videos of a whole split in one file.

Two forms are in use, and one reader reads both:

- ``mmpose``: ``posetrack18_train.json``, ``posetrack18_val.json`` of mmpose. PoseTrack18's own
  records, and ``width``, ``height``, ``mask_file``, ``num_keypoints``, ``iscrowd``.
- ``detect_and_track``: ``posetrack_train.json``, ``posetrack_val.json`` of DetectAndTrack,
  PoseWarper and DCPose, for either year. Image ids may restart at 1, ``frame_id`` is the number of
  the frame; annotated joints have flag 2, ``num_keypoints`` is always the number of joints, the
  head box is ``head_box`` (corners), a person without joints has the box 0, 0, 0, 0.

Sources: mmpose's sample files, DetectAndTrack's converter ``gen_posetrack_json.py``.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from tdmi.core.checks import choose
from tdmi.core.errors import UserError
from tdmi.core.files import read_json, write_compact_json
from tdmi.data.annotations import Annotations, frame_numbers
from tdmi.formats import coco_writing as writing
from tdmi.formats.coco_reading import posetrack_annotations
from tdmi.formats.parsing import REGENERATE, describe, objects, texts, video_name

FORMS = ("mmpose", "detect_and_track")


def read_merged(path: Path | str) -> Annotations:
    """Read a merged file of either form, with or without ``width`` and ``height``.

    Videos are told apart by the folder of ``file_name`` and by ``vid_id``, come in the order of
    their first image and are called by their folder's last part (by its whole path where two are
    called the same; by ``vid_id`` or the file's own name without a folder). The frames of a video
    are sorted by their number. Joint flags are read as in `tdmi.formats.posetrack18`; a box of
    zeros counts as none. ``num_keypoints``, ``segmentation`` and the ids of annotations are not
    read. Raises UserError for anything that is not this form.
    """
    where = str(path)
    content = read_json(path)
    images = objects(content, "images", where)

    def place(i: int) -> str:
        return f"{where}: images[{i}]"

    files = texts(images, "file_name", place)
    keys = [
        (file.rpartition("/")[0], _video_id(image, place(i)))
        for i, (file, image) in enumerate(zip(files, images, strict=True))
    ]
    videos, order = _told_apart(keys, files)
    names = _video_names(list(dict.fromkeys(keys)), path)
    annotations = posetrack_annotations(
        content,
        [images[i] for i in order],
        names,
        videos[order],
        lambda i: place(order[i]),
        where,
    )
    annotations.box[(annotations.box == 0).all(axis=1)] = np.nan
    return annotations


def _video_id(image: dict, where: str) -> str:
    value = image.get("vid_id")
    if value is not None and (isinstance(value, bool) or not isinstance(value, str | int)):
        raise UserError(
            f"{where}: 'vid_id' is {describe(value)}, expected a text or a whole number; "
            f"{REGENERATE}"
        )
    return "" if value is None else str(value)


def _told_apart(keys: list[tuple[str, str]], files: list[str]) -> tuple[np.ndarray, np.ndarray]:
    """Video [F] of each image by its key, and the order [F] of the images by video and number."""
    rows = {key: row for row, key in enumerate(dict.fromkeys(keys))}
    videos = np.array([rows[key] for key in keys], dtype=np.int64)
    return videos, np.lexsort((frame_numbers(files, np.arange(len(files))), videos))


def _video_names(keys: list[tuple[str, str]], path: Path | str) -> list[str]:
    names = [folder.rpartition("/")[2] or video or video_name(path) for folder, video in keys]
    names = [
        name
        if names.count(name) == 1
        else "_".join(filter(None, (folder.replace("/", "_"), video)))
        for name, (folder, video) in zip(names, keys, strict=True)
    ]
    if len(set(names)) < len(names):
        twice = next(name for name in names if names.count(name) > 1)
        raise UserError(
            f"{path}: two videos are called {describe(twice)}, expected a folder of its own for "
            "every video; rename one"
        )
    return names


def write_merged(annotations: Annotations, path: Path | str, form: str = "mmpose") -> None:
    """Write all videos into one file; `form` is one of FORMS.

    Both forms get every key that `tdmi.formats.posetrack18` writes, which their users skip.
    Reading gives back every column to the last bit, except for what that form does not hold
    either, and: names of videos other than that of their folder; videos without frames; boxes of
    zeros (read as none); ``frame_id`` where it comes twice in the set (written as 1, 2, ...); and
    with ``detect_and_track``, an unknown area (written as width times height, 0 without box).
    Frames without known size are written without ``width`` and ``height``.

    Raises UserError, and writes nothing, if a number is not finite or the skeleton is not one that
    files name, or if videos cannot be told apart by their folders and the first part of their
    names or their frames not ordered by their numbers.
    """
    choose("form", form, FORMS)
    if form == "detect_and_track":
        annotations = writing.with_areas(annotations)
    writing.check_writable(annotations, path)
    ids = writing.image_ids(annotations)
    images = writing.image_records(annotations, np.arange(annotations.frames), ids)
    _refuse_order(annotations, images, path)
    flag = writing.posetrack_flag(annotations, visible=2 if form == "detect_and_track" else 1)
    people = writing.person_records(annotations, np.arange(annotations.persons), ids, flag)
    if form == "mmpose":
        _as_mmpose(annotations, images, people)
    else:
        _as_detect_and_track(annotations, images, people)
    for number, (record, crowd) in enumerate(zip(people, annotations.crowd, strict=True), 1):
        record |= {"id": number, "iscrowd": int(crowd)}
    categories = [writing.category(annotations.skeleton)]
    write_compact_json(path, {"images": images, "annotations": people, "categories": categories})


def _refuse_order(annotations: Annotations, images: list[dict], path: Path | str) -> None:
    """UserError unless the reader finds the same videos and the same order of frames."""
    files = annotations.frame_file
    keys = [(image["file_name"].rpartition("/")[0], image["vid_id"]) for image in images]
    videos, order = _told_apart(keys, files)
    present = np.unique(annotations.frame_video, return_inverse=True)[1]
    moved = (videos != present) | (order != np.arange(len(files)))
    if moved.any():
        frame = np.flatnonzero(moved)[0]
        raise UserError(
            f"{path}: not written, frame {files[frame]} of video "
            f"{annotations.video_names[annotations.frame_video[frame]]} would be read at another "
            "place, expected one folder per video and frames in the order of their numbers; write "
            "one file per video instead"
        )


def _as_mmpose(annotations: Annotations, images: list[dict], people: list[dict]) -> None:
    for image in images:
        if image["file_name"].startswith("images/"):
            image["mask_file"] = "mask/" + image["file_name"].removeprefix("images/")
    for record, joints in zip(people, annotations.present.sum(axis=1).tolist(), strict=True):
        record["num_keypoints"] = joints


def _as_detect_and_track(annotations: Annotations, images: list[dict], people: list[dict]) -> None:
    for image, number in zip(images, annotations.frame_number.tolist(), strict=True):
        image["frame_id"] = number
    for record, head in zip(people, annotations.head_box.tolist(), strict=True):
        extra: dict[str, Any] = {"num_keypoints": len(annotations.skeleton), "segmentation": []}
        record.setdefault("bbox", [0, 0, 0, 0])
        if record.pop("bbox_head", None):
            extra["head_box"] = head
        record |= extra
