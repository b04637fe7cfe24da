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
from tdmi.data.records import objects, places
from tdmi.formats.coco_reading import file_names, read_annotations


def parse(content: Any, path: Path | str) -> Annotations:
    """Turn the content of a keypoint file into annotations.

    The names in ``categories`` say which joint a keypoint is. A video is named after its image's
    ``file_name`` without ending, folders joined by ``_``. ``segmentation`` and ``num_keypoints``
    are not read. UserError for anything that is not this form.
    """
    where = str(path)
    images = objects(content, "images", where)
    names = _video_names(file_names(images, places(where, "images")), where)
    return read_annotations(content, images, names, np.arange(len(names)), where, stills=True)


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
