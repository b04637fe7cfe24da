"""PoseTrack2018 annotation files: one COCO-like JSON per video (also PoseTrack21's form).

A joint is absent exactly if x = y = 0 and its third number is 0; a joint elsewhere with third
number 0 is there but hidden (PoseTrack21's occluded joints). A hidden joint at (0, 0) itself is
written and read with third number -1. Persons without any joint stay persons.

Joints are placed by the names in ``categories``, so 15 and 17 keypoint files in any order are read
into POSETRACK18's slots, and those of HiEve and COCO into theirs. Source: the format's converter
in poseval.

Besides what the data sets' own files have, ``width`` and ``height`` of an image and ``score``,
``area``, ``iscrowd``, ``action`` and ``head_box`` (corners) of a person are written and read.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from tdmi.core.errors import UserError
from tdmi.core.files import read_json, write_compact_json
from tdmi.data.annotations import Annotations, concatenate
from tdmi.data.records import Ints, Record, objects, places
from tdmi.formats import coco_writing as writing
from tdmi.formats.coco_reading import file_names, read_annotations
from tdmi.formats.files import video_files, video_name


def read_file(path: Path | str) -> Annotations:
    """Read one video, as `parse` does."""
    return parse(read_json(path), path)


def read_folder(folder: Path | str, names: Sequence[str] | None = None) -> Annotations:
    """Read the videos `names` of a folder, or all its ``*.json`` in name order.

    Raises UserError if their joints are of different skeletons.
    """
    folder = Path(folder)
    if names is None:
        names = video_files(folder)
    parts = [read_file(folder / f"{name}.json") for name in names]
    for name, part in zip(names, parts, strict=True):
        if part.skeleton != parts[0].skeleton:
            raise UserError(
                f"{folder / name}.json: joints are {part.skeleton.name}, expected those of "
                f"{names[0]}.json, {parts[0].skeleton.name}; put the files into two folders"
            )
    return concatenate(parts)


def parse(content: Any, path: Path | str) -> Annotations:
    """Turn the content of one file into annotations; `path` names the video and the errors.

    Frames come in the order of ``images``. Missing, null or empty ``scores`` become UNSCORED, such
    boxes NaN. Bare NaN among coordinates and scores is kept (the joint exists and matches nothing).
    Raises UserError for anything that is not this form.
    """
    where = str(path)
    images = objects(content, "images", where)
    files = file_names(images, places(where, "images"))
    folders = {file.rpartition("/")[0] for file in files}
    if len(folders) > 1:
        raise UserError(
            f"{where}: frames of {len(folders)} videos in one file, expected one file per video; "
            "split it with `tdmi data convert --to posetrack18`"
        )
    videos = np.zeros(len(images), dtype=np.int64)
    return read_annotations(content, images, [video_name(path)], videos, where)


def write_folder(annotations: Annotations, folder: Path | str) -> None:
    """Write one ``<video>.json`` per video, in the PoseTrack18 form that the evaluators accept.

    Reading gives back every column to the last bit, except for what the form does not hold:
    ``frame_index`` and ``frame_number`` follow from the order of the frames and their names,
    ``frame_annotated`` is whether the frame lists a person, the length of a video without frames
    is lost, and joints that are not present are written as 0, 0, 0.

    Raises UserError, and writes nothing, if the skeleton is not one that files name (POSETRACK18,
    HIEVE, COCO; POSETRACK17 would be read as POSETRACK18), if a number is not finite, if two videos
    or two frames of a video have one name or id, or if a video's frames lie in several folders.
    """
    folder = Path(folder)
    writing.check_writable(annotations, folder)
    videos = [annotations.frames_of(video) for video in range(len(annotations.video_names))]
    for name, frames in zip(annotations.video_names, videos, strict=True):
        _check_video(annotations, name, frames, folder)
    video_of_person = annotations.frame_video[annotations.person_frame]
    for video, (name, frames) in enumerate(zip(annotations.video_names, videos, strict=True)):
        people = np.flatnonzero(video_of_person == video)
        records = writing.person_records(annotations, people)
        content = {
            "images": writing.image_records(annotations, frames),
            "annotations": _with_ids(records, annotations.person_frame[people]),
            "categories": [writing.category(annotations.skeleton)],
        }
        write_compact_json(folder / f"{name}.json", content)


def _check_video(annotations: Annotations, name: str, frames: Ints, folder: Path) -> None:
    if annotations.video_names.count(name) > 1:
        fault = f"two videos are called {name!r}, expected different names; rename one"
    elif not name or name.startswith(".") or any(sign in name for sign in "/\\\0"):
        fault = f"a video is called {name!r}, expected the name of a file"
    elif len(np.unique(annotations.frame_id[frames])) < len(frames):
        fault = f"two frames of video {name} have the same id, expected a different one for each"
    elif len({annotations.frame_file[frame].rpartition("/")[0] for frame in frames}) > 1:
        fault = f"frames of video {name} lie in several folders, expected one folder per video"
    else:
        return
    raise UserError(f"{folder}: not written, {fault}")


def _with_ids(records: list[Record], frame: Ints) -> list[Record]:
    """Give each record its ``id``: image id, then index in the frame in two digits or more."""
    index = np.arange(len(frame)) - np.searchsorted(frame, frame)
    step = 10 ** max(2, len(str(index.max(initial=0))))
    for record, k in zip(records, index.tolist(), strict=True):
        record["id"] = record["image_id"] * step + k
    return records
