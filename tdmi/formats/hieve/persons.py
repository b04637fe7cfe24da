"""HiEve's "persons" form, in which users merged the labels of all videos in one file.

A list of ``{"file_name", "persons": [{"track_id", "bbox", "keypoints"}]}`` with bbox x1, y1, x2,
y2, score and keypoints ``[index, x, y, score]`` in any order. A joint at x = y = 0 with score 0 is
absent. A file name with a folder names the video (``7/000000.jpg``). Without one, as in the files
that number the frames of all videos through, all frames count as one video, named by the file.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tdmi.core.errors import UserError
from tdmi.data.annotations import Annotations
from tdmi.data.records import Record, member, numbers
from tdmi.data.skeletons import HIEVE
from tdmi.formats.hieve.people import Joints, assemble, finite, person, track, whole


def parse(content: list[Any], path: Path | str) -> Annotations:
    """Turn the content of one file into annotations; every joint that is there is visible.

    Image ids are positions in the file. UserError if out of form.
    """
    names, people = [], []
    for i, frame in enumerate(content):
        where = f"{path}: frame {i}"
        names.append(member(frame, "file_name", str, where))
        for k, record in enumerate(member(frame, "persons", list, where)):
            people.append(_person(record, i, f"{where}: persons[{k}]"))
    return assemble(names, people, path)


def _person(record: Any, frame: int, where: str) -> Record:
    *corners, score = _finite_row(member(record, "bbox", list, where), 5, f"{where}: bbox")
    track_id = track(record.get("track_id"), f"{where}: track_id")
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
    return person(frame, corners, joints, track_id=track_id, score=score)


def _finite_row(value: Any, count: int, where: str) -> list[float]:
    return [finite(v, where) for v in numbers(value, count, where).tolist()]
