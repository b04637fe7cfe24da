"""HiEve's other forms, by way of merged labels: text files of boxes, and users' "persons".

Boxes (track 1) are a text file per video, ``frame,id,x,y,w,h,flag,-1,-1,-1`` per line. Flag 0 means
that the box is not evaluated, any other value that it is (format page of the HiEve challenge); it
is kept in `score`. The last three values say nothing and are not kept. Frames are numbered from 0:
two public converters to a form that starts at 1 add one (inferred, the format page does not say).

In the "persons" form users merged the labels of all videos in one file: a list of
``{"file_name", "persons": [{"track_id", "bbox", "keypoints"}]}`` with bbox x1, y1, x2, y2, score
and keypoints ``[index, x, y, score]`` in any order. A joint at x = y = 0 with score 0 is absent.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tdmi.core.errors import UserError
from tdmi.core.files import read_text
from tdmi.data.annotations import UNSCORED, Annotations
from tdmi.data.records import Record, describe, member, number, numbers, unfit
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


def read_boxes(path: Path | str) -> Annotations:
    """Read the boxes of one video named by the file's stem: persons with a box and no joints.

    The frames are those that the file names. UserError for anything that is not this form.
    """
    lines = [(n, line) for n, line in enumerate(read_text(path).split("\n"), 1) if line.strip()]
    people = [_box(line, f"{path}: line {n}") for n, line in lines]
    rows = {number: row for row, number in enumerate(sorted({p["image_id"] for p in people}))}
    for record in people:
        record["image_id"] = rows[record["image_id"]]
    return assemble([f"{number:06d}.jpg" for number in rows], people, path)


def _box(line: str, where: str) -> Record:
    """Return the person of one line, with the frame's number in place of its row."""
    fields = line.split(",")
    if len(fields) != 10:
        raise unfit(where, f"{len(fields)} values", "10: frame,id,x,y,w,h,flag,-1,-1,-1")
    values = [number_of(field, where) for field in fields]
    frame = whole(values[0], f"{where}: frame")
    track = whole(values[1], f"{where}: id", least=-(2**53))
    record = person(frame, (0, 0, 0, 0), {}, track_id=track, score=values[6])
    return record | {"bbox": values[2:6]}


def parse_persons(content: list[Any], path: Path | str) -> Annotations:
    """Turn the content of a "persons" file into annotations; every joint there is visible.

    UserError if out of form.
    """
    names, people = [], []
    for i, frame in enumerate(content):
        where = f"{path}: frame {i}"
        names.append(member(frame, "file_name", str, where))
        for k, record in enumerate(member(frame, "persons", list, where)):
            people.append(_merged_person(record, i, f"{where}: persons[{k}]"))
    return assemble(names, people, path)


def _merged_person(record: Any, frame: int, where: str) -> Record:
    *corners, score = _finite_row(member(record, "bbox", list, where), 5, f"{where}: bbox")
    track = record.get("track_id")
    track = None if track in (None, []) else whole(track, f"{where}: track_id", least=-(2**53))
    joints: Joints = {}
    for k, point in enumerate(member(record, "keypoints", list, where)):
        place = f"{where}: keypoints[{k}]"
        index, x, y, joint_score = _finite_row(point, 4, place)
        joint = whole(index, place)
        if joint >= len(HIEVE):
            raise UserError(
                f"{place}: found joint {joint}, expected 0 to {len(HIEVE) - 1}, HiEve's joints; a "
                "file of another data set belongs in a folder of its own"
            )
        if (x, y, joint_score) != (0, 0, 0):
            joints.setdefault(joint, (x, y, True, joint_score))
    return person(frame, corners, joints, track_id=track, score=score)


def _finite_row(value: Any, count: int, where: str) -> list[float]:
    return [finite(v, where) for v in numbers(value, count, where).tolist()]
