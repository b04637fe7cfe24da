"""Checked values of HiEve's other forms, and annotations from them by way of merged labels."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tdmi.data.annotations import UNSCORED, Annotations
from tdmi.data.records import Record, describe, number, unfit
from tdmi.data.skeletons import HIEVE
from tdmi.formats import merged

Joints = dict[int, tuple[float, float, bool, float]]
"""HiEve joint number to x, y, whether it is visible, and score."""


def finite(value: Any, where: str) -> float:
    """Return a finite number, bare or as the only entry of a list; UserError for anything else."""
    result = number(value, where)
    if not math.isfinite(result):
        raise unfit(where, describe(value), "a finite number")
    return result


def number_of(text: str | None, where: str) -> float:
    """Return the finite number that a text states; UserError for anything else, and for None."""
    try:
        return finite(float("nothing" if text is None else text), where)
    except ValueError:
        found = "nothing" if text is None else describe(text)
        raise unfit(where, found, "a number") from None


def whole(value: Any, where: str, least: int = 0) -> int:
    """Return a whole number from `least` to 2^53, bare or as the only entry of a list."""
    result = finite(value, where)
    if result != int(result) or not least <= result <= 2**53:
        raise unfit(where, describe(value), f"a whole number from {least} to 2^53")
    return int(result)


def track(value: Any, where: str) -> int | None:
    """Return a track id, which may be negative; None for None and for an empty list."""
    return None if value is None or value == [] else whole(value, where, least=-(2**53))


def person(frame: int, corners: Sequence[float], joints: Joints, **fields: Any) -> Record:
    """Return a person in row `frame` of the frames as a record of merged labels."""
    x1, y1, x2, y2 = corners
    keypoints: list[float] = [0] * (3 * len(HIEVE))
    scores = [UNSCORED] * len(HIEVE)
    for joint, (x, y, visible, score) in joints.items():
        hidden = -1 if x == y == 0 else 0
        keypoints[3 * joint : 3 * joint + 3] = x, y, 1 if visible else hidden
        scores[joint] = score
    box = [x1, y1, x2 - x1, y2 - y1]
    return {"image_id": frame, "bbox": box, "keypoints": keypoints, "scores": scores, **fields}


def assemble(
    files: Sequence[str],
    people: list[Record],
    path: Path | str,
    sizes: Sequence[tuple[int, int]] = (),
) -> Annotations:
    """Return annotations of frames in any order, as `merged.parse` sorts and names them.

    The forms do not state which frames are labelled: those with a person count as labelled. Image
    ids are positions in `files`.

    Args:
        files: [F] names of frames; their folder is the video, that of `path` if they have none.
        people: what `person` gives of these frames, in any order.
        sizes: [F] width and height in px, if known.
    """
    images: list[Record] = [{"id": i, "file_name": file} for i, file in enumerate(files)]
    for image, (width, height) in zip(images, sizes, strict=False):
        image |= {"width": width, "height": height}
    categories = [{"keypoints": list(HIEVE.joints)}]
    content = {"images": images, "annotations": people, "categories": categories}
    return merged.parse(content, path)
