"""COCO detection lists: ``[{image_id, category_id, bbox [x, y, w, h], score}, ...]``."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from tdmi.core.errors import UserError
from tdmi.core.files import read_json, write_compact_json
from tdmi.data.records import (
    Floats,
    Ints,
    check_objects,
    describe,
    number_rows,
    real_numbers,
    unfit,
    whole_numbers,
)


@dataclass
class Detections:
    """D detected boxes, in the order of the file."""

    image_id: Ints
    """[D] int64."""
    category_id: Ints
    """[D] int64; 1 is a person."""
    box: Floats
    """[D, 4] float64 x, y, width, height, px of the full frame."""
    score: Floats
    """[D] float64."""


def read_detections(path: Path | str) -> Detections:
    """Read a detection list; a missing ``category_id`` counts as 1, the person.

    Raises UserError if it is no such list.
    """
    records = read_json(path)
    if not isinstance(records, list):
        raise unfit(str(path), describe(records), "a list of detections")

    def place(i: int) -> str:
        return f"{path}: detection {i}"

    check_objects(records, place)
    return Detections(
        image_id=whole_numbers(records, "image_id", place),
        category_id=whole_numbers(records, "category_id", place, missing=1),
        box=number_rows(records, "bbox", 4, place),
        score=real_numbers(records, "score", place),
    )


def write_detections(detections: Detections, path: Path | str) -> None:
    """Write a detection list that `read_detections` gives back to the last bit.

    Raises UserError, and writes nothing, if a number is not finite.
    """
    fit = np.isfinite(detections.box).all(axis=1) & np.isfinite(detections.score)
    if not fit.all():
        odd = np.flatnonzero(~fit)[0]
        raise UserError(
            f"{path}: not written, detection {odd} (image {detections.image_id[odd]}) has a box or "
            "score that is not finite, expected finite numbers; look at the detector"
        )
    columns = (detections.image_id, detections.category_id, detections.box, detections.score)
    records = [
        {"image_id": image, "category_id": category, "bbox": box, "score": score}
        for image, category, box, score in zip(*(c.tolist() for c in columns), strict=True)
    ]
    write_compact_json(path, records)
