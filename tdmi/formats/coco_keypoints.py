"""COCO keypoint files: still images, persons with COCO's 17 joints and flags 0, 1, 2.

Every image is a video of its own with one frame (choice of this project): the images of such a
file are no sequence, so none may serve as the neighbour frame of another. Merged files of video
data sets, which look alike, are read by `tdmi.formats.merged`.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from tdmi.core.errors import UserError
from tdmi.core.files import read_json, write_compact_json
from tdmi.data.annotations import Annotations
from tdmi.formats import coco_reading as reading
from tdmi.formats import coco_writing as writing
from tdmi.formats.parsing import REGENERATE, describe, objects


def read_keypoints(path: Path | str) -> Annotations:
    """Read a keypoint file; joints are placed by the names in ``categories``.

    Flag 0: absent (its coordinates are not read), 1: hidden, 2: visible. A video is called by its
    image's ``file_name`` without ending, folders joined by ``_``, and has length 1. All images
    count as labelled unless ``is_labeled`` says otherwise. ``segmentation`` and ``num_keypoints``
    are not read. Raises UserError for anything that is not this form.
    """
    where = str(path)
    content = read_json(path)
    images = objects(content, "images", where)
    records = objects(content, "annotations", where)
    skeleton, slots = reading.joint_slots(content, where)

    def place(i: int) -> str:
        return f"{where}: images[{i}]"

    rows = reading.rows_by_id(images, place)
    frames = reading.frame_columns(images, place)
    persons, flag = reading.person_columns(records, rows, skeleton, slots, where)
    _refuse_flags(flag, persons["person_frame"], frames["frame_file"], where)
    persons["keypoints"][flag == 0] = 0.0
    count = len(images)
    return Annotations(
        skeleton=skeleton,
        video_names=_video_names(frames["frame_file"], where),
        video_length=np.ones(count, dtype=np.int64),
        frame_video=np.arange(count),
        frame_index=np.zeros(count, dtype=np.int64),
        frame_labelled=reading.labelled_frames(images, np.ones(count, dtype=bool), place),
        frame_annotated=reading.listed_frames(persons["person_frame"], count),
        present=flag > 0,
        visible=flag == 2,
        **frames,
        **persons,
    )


def _refuse_flags(flag: np.ndarray, frame: np.ndarray, files: list[str], where: str) -> None:
    odd = ~np.isin(flag, (0, 1, 2))
    if odd.any():
        person, joint = np.argwhere(odd)[0]
        raise UserError(
            f"{where}: a person in image {describe(files[frame[person]])} has a joint with flag "
            f"{flag[person, joint]}, expected 0 (absent), 1 (hidden) or 2 (visible); {REGENERATE}"
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


def write_keypoints(annotations: Annotations, path: Path | str) -> None:
    """Write one COCO keypoint file; every frame becomes an image.

    Reading gives back the persons and images to the last bit, except for: videos (see above);
    ``frame_id`` where it comes twice (written as 1, 2, ...); an unknown area (written as width
    times height, 0 without box); and what `tdmi.formats.posetrack18` does not hold either.
    Raises UserError, and writes nothing, if a number is not finite, the skeleton is not one that
    files name, or two frames have one file name.
    """
    annotations = writing.with_areas(annotations)
    writing.check_writable(annotations, path)
    _video_names(annotations.frame_file, str(path))
    ids = writing.image_ids(annotations)
    flag = annotations.present.astype(np.int64) + annotations.visible
    people = writing.person_records(annotations, np.arange(annotations.persons), ids, flag)
    joints = annotations.present.sum(axis=1).tolist()
    for number, record in enumerate(people, 1):
        record |= {"id": number, "segmentation": [], "num_keypoints": joints[number - 1]}
        record.setdefault("iscrowd", 0)
    content = {
        "images": writing.image_records(annotations, np.arange(annotations.frames), ids),
        "annotations": people,
        "categories": [writing.category(annotations.skeleton)],
    }
    write_compact_json(path, content)
