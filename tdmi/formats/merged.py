"""Merged COCO-like files: the videos of a whole split in one file.

One reader reads all forms in use (COCO's still images, with flags 0, 1, 2, have another):

- mmpose's ``posetrack18_train.json`` and ``posetrack18_val.json``: PoseTrack18's own records, and
  ``width``, ``height``, ``mask_file``, ``num_keypoints``, ``iscrowd``;
- ``posetrack_train.json`` and ``posetrack_val.json`` of DetectAndTrack, PoseWarper, HRNet and
  DCPose, for either year. Image ids may restart at 1, ``frame_id`` is the number of the frame;
  annotated joints have flag 2, ``num_keypoints`` is always the number of joints, the head box is
  ``head_box`` (corners), a person without joints has the box 0, 0, 0, 0;
- HiEve's labels as users merged them: ``iscrowd`` is 1 on every person and says nothing, the third
  number of a joint serves as visibility, and a file name has the video's folder (``7/000000.jpg``)
  or none, where all frames count as one video.

Sources: mmpose's sample files, DetectAndTrack's converter ``gen_posetrack_json.py``, public readers
of HiEve.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from tdmi.core.errors import UserError
from tdmi.data.annotations import UNSTATED, Annotations, frame_numbers, select_videos
from tdmi.data.records import Ints, Record, describe, objects, places, unfit
from tdmi.data.skeletons import HIEVE
from tdmi.formats.coco_reading import file_names, read_annotations
from tdmi.formats.files import video_name


def parse(content: Any, path: Path | str) -> Annotations:
    """Turn the content of a merged file into annotations; UserError if it is not this form.

    Folder of ``file_name`` and ``vid_id`` identify a video. Videos come in the order of their first
    image (HiEve's in the order of their numbers) and are named after the last part of their folder
    (the whole path where two have the same; ``vid_id`` or the file's own name without a folder).
    The frames of a video are sorted by their number. A box of zeros counts as none.
    """
    where = str(path)
    images = objects(content, "images", where)
    place = places(where, "images")
    files = file_names(images, place)
    keys = [
        (file.rpartition("/")[0], _video_id(image, place(i)))
        for i, (file, image) in enumerate(zip(files, images, strict=True))
    ]
    rows = {key: row for row, key in enumerate(dict.fromkeys(keys))}
    videos: Ints = np.array([rows[key] for key in keys], dtype=np.int64)
    order = np.lexsort((frame_numbers(files, np.arange(len(files))), videos))
    annotations = read_annotations(
        content,
        [images[i] for i in order],
        _video_names(list(rows), path),
        videos[order],
        where,
        lambda i: place(order[i]),
    )
    annotations.box[(annotations.box == 0).all(axis=1)] = np.nan
    return _as_hieve(annotations) if annotations.skeleton == HIEVE else annotations


def _video_id(image: Record, where: str) -> str:
    value = image.get("vid_id")
    if value is not None and (isinstance(value, bool) or not isinstance(value, str | int)):
        raise unfit(f"{where}: 'vid_id'", describe(value), "a text or a whole number")
    return "" if value is None else str(value)


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


def frame_path(video: str, file: str) -> str:
    """Return the path of an extracted frame of HiEve below the data set's root."""
    return f"images/{video}/{file.rpartition('/')[2]}"


def _as_hieve(annotations: Annotations) -> Annotations:
    """Return HiEve's videos by number, with the names of extracted frames and without crowds."""

    def by_number(name: str) -> tuple[int, int, str]:
        return (0, int(name), "") if name.isdecimal() and len(name) < 18 else (1, 0, name)

    names = sorted(annotations.video_names, key=by_number)
    annotations = select_videos(annotations, names) if names else annotations
    videos = [names[video] for video in annotations.frame_video]
    files = [frame_path(*pair) for pair in zip(videos, annotations.frame_file, strict=True)]
    return replace(annotations, frame_file=files, crowd=UNSTATED)


def parse_stills(content: Any, path: Path | str) -> Annotations:
    """Turn the content of a COCO keypoint file into annotations.

    Every image is a video of its own with one frame (choice of this project): the images of such a
    file are no sequence, so none may serve as the neighbour frame of another. A video is named
    after its image's ``file_name`` without ending, folders joined by ``_``.
    """
    where = str(path)
    images = objects(content, "images", where)
    names = _still_names(file_names(images, places(where, "images")), where)
    return read_annotations(content, images, names, np.arange(len(names)), where, stills=True)


def _still_names(files: list[str], where: str) -> list[str]:
    rows: dict[str, int] = {}
    for i, file in enumerate(files):
        folder, _, name = file.rpartition("/")
        whole = f"{folder}/{name.rpartition('.')[0] or name}".strip("/").replace("/", "_")
        if rows.setdefault(whole, i) != i:
            raise UserError(
                f"{where}: images[{i}] has the file name of images[{rows[whole]}], expected every "
                "image once; remove one"
            )
    return list(rows)
