"""COCO detection lists: ``[{image_id, category_id, bbox [x, y, w, h], score}, ...]``."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from tdmi.core.errors import UserError
from tdmi.core.files import read_json, write_compact_json
from tdmi.data.annotations import Annotations
from tdmi.data.records import (
    Flags,
    Floats,
    Ints,
    check_objects,
    describe,
    number_rows,
    real_numbers,
    unfit,
    whole_numbers,
)

PERSON = 1
_ROUNDING = 1e-3  # of scores in half precision
_logger = logging.getLogger(__name__)


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

    Raises UserError if it is no such list, and as `check_person_boxes`.
    """
    records = read_json(path)
    if not isinstance(records, list):
        raise unfit(str(path), describe(records), "a list of detections")

    def place(i: int) -> str:
        return f"{path}: detection {i}"

    check_objects(records, place)
    boxes = Detections(
        image_id=whole_numbers(records, "image_id", place),
        category_id=whole_numbers(records, "category_id", place, missing=1),
        box=number_rows(records, "bbox", 4, place),
        score=real_numbers(records, "score", place),
    )
    check_person_boxes(boxes, path)
    return boxes


def check_person_boxes(boxes: Detections, path: Path | str) -> None:
    """Raise UserError for a file that means something else by its boxes than persons in pixels.

    That is one without any person, with scores above 1, or with boxes in shares of the picture. A
    file of another category alone is refused, not taken for persons, because the number does not
    say what the detector looked for.
    """
    count = len(boxes.score)
    if count and PERSON not in boxes.category_id:
        shown = ", ".join(map(str, np.unique(boxes.category_id)[:5]))
        raise UserError(
            f"{path}: {count} of {count} boxes have category_id {shown}, expected {PERSON}, the "
            f"person; if they are persons (some detectors count from 0), write {PERSON} there"
        )
    if (high := boxes.score > 1 + _ROUNDING).any():
        first = int(np.argmax(high))
        raise UserError(
            f"{path}: box {first} and {int(high.sum()) - 1} more: score {boxes.score[first]:g}, "
            "expected 0 to 1; divide scores in percent by 100"
        )
    sized = (boxes.box[:, 2:] > 0).all(axis=1)
    if sized.any() and ((boxes.box >= 0) & (boxes.box <= 1)).all():
        raise UserError(
            f"{path}: no number of any box is above 1, as in shares of the picture, expected x, y, "
            "width and height in pixels; multiply by the picture's width and height"
        )


def usable_boxes(
    boxes: Detections, annotations: Annotations, rows: Ints, threshold: float
) -> Flags:
    """Return which boxes [D] are worth a prediction, and say how many are not and why.

    Args:
        rows: [D] int64, frame of each box in `annotations`.
    """
    size = annotations.frame_size[rows]
    box = boxes.box
    beyond = (size > 0) & ((box[:, :2] >= size) | (box[:, :2] + box[:, 2:] <= 0))
    reasons = {
        f"of another category than {PERSON}, the person": boxes.category_id != PERSON,
        "without width or height": ~(box[:, 2:] > 0).all(axis=1),
        "outside the picture": beyond.any(axis=1),
        f"with a score below {threshold:g}": ~(boxes.score >= threshold),
        "on frames without labels": ~annotations.frame_labelled[rows],
    }
    keep, found = np.ones(len(rows), bool), []
    for reason, useless in reasons.items():
        if count := int((keep & useless).sum()):
            found.append(f"{count} {reason}")
        keep &= ~useless
    if found:
        _logger.info(
            "%d of %d detected boxes left out: %s", (~keep).sum(), len(rows), ", ".join(found)
        )
    return keep


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
