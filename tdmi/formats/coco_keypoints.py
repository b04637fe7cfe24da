"""COCO keypoint files: still images, persons with COCO's 17 joints and flags 0, 1, 2.

Every image is a video of its own with one frame (choice of this project): the images of such a
file are no sequence, so none may serve as the neighbour frame of another.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from tdmi.core.errors import UserError
from tdmi.data.annotations import Annotations
from tdmi.data.records import REGENERATE, describe, objects
from tdmi.formats import coco_reading as reading


def parse(content: Any, path: Path | str) -> Annotations:
    """Turn the content of a keypoint file into annotations.

    The names in ``categories`` say which joint a keypoint is. Flag 0: absent (its coordinates are
    not read), 1: hidden, 2: visible. A video is named after its image's ``file_name`` without
    ending, folders joined by ``_``, and has length 1. All images count as labelled unless
    ``is_labeled`` says otherwise. ``segmentation`` and ``num_keypoints`` are not read. UserError
    for anything that is not this form.
    """
    where = str(path)
    images = objects(content, "images", where)
    records = objects(content, "annotations", where)
    skeleton, slots = reading.joint_slots(content, where)

    def place(i: int) -> str:
        return f"{where}: images[{i}]"

    rows = reading.rows_by_id(images, place)
    frames = reading.frame_columns(images, place)
    persons, flag = reading.person_columns(records, rows, skeleton, slots, where)
    odd = ~np.isin(flag, (0, 1, 2))
    if odd.any():
        person, joint = np.argwhere(odd)[0]
        file = frames["frame_file"][persons["person_frame"][person]]
        raise UserError(
            f"{where}: a person in image {describe(file)} has a joint with flag "
            f"{flag[person, joint]}, expected 0 (absent), 1 (hidden) or 2 (visible); {REGENERATE}"
        )
    persons["keypoints"][flag == 0] = 0.0
    count = len(images)
    labelled = reading.labelled_frames(images, [True] * count, place)
    return Annotations(
        skeleton=skeleton,
        video_names=_video_names(frames["frame_file"], where),
        video_length=np.ones(count, dtype=np.int64),
        frame_video=np.arange(count),
        frame_index=np.zeros(count, dtype=np.int64),
        frame_labelled=np.array(labelled, dtype=bool),
        frame_annotated=np.bincount(persons["person_frame"], minlength=count).astype(bool),
        present=flag > 0,
        visible=flag == 2,
        **frames,
        **persons,
    )


def _video_names(files: list[str], where: str) -> list[str]:
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
