"""COCO detection lists: ``[{image_id, category_id, bbox [x, y, w, h], score}, ...]``."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from tdmi.datasets.parsing import REGENERATE, describe, member, number, numbers
from tdmi.errors import UserError
from tdmi.files import read_json, write_json


@dataclass
class Detections:
    """D detected boxes, in the order of the file."""

    image_id: np.ndarray
    """[D] int64."""
    category_id: np.ndarray
    """[D] int64; 1 is a person."""
    box: np.ndarray
    """[D, 4] float64 x, y, width, height, px of the full frame."""
    score: np.ndarray
    """[D] float64."""


def read_detections(path: Path | str) -> Detections:
    """Read a detection list; a missing ``category_id`` counts as 1, the person.

    Raises UserError if it is no such list.
    """
    records = read_json(path)
    if not isinstance(records, list):
        raise UserError(
            f"{path}: found {describe(records)}, expected a list of detections; {REGENERATE}"
        )
    count = len(records)
    image_id = np.zeros(count, dtype=np.int64)
    category_id = np.ones(count, dtype=np.int64)
    box = np.zeros((count, 4))
    score = np.zeros(count)
    for i, record in enumerate(records):
        where = f"{path}: detection {i}"
        image_id[i] = member(record, "image_id", int, where)
        if "category_id" in record:
            category_id[i] = member(record, "category_id", int, where)
        box[i] = numbers(record.get("bbox"), 4, f"{where}: bbox")
        score[i] = number(record.get("score"), f"{where}: score")
    return Detections(image_id, category_id, box, score)


def write_detections(detections: Detections, path: Path | str) -> None:
    """Write a detection list that `read_detections` gives back to the last digit."""
    columns = (detections.image_id, detections.category_id, detections.box, detections.score)
    records = [
        {"image_id": image, "category_id": category, "bbox": box, "score": score}
        for image, category, box, score in zip(*(c.tolist() for c in columns), strict=True)
    ]
    write_json(path, records, indent=None)
