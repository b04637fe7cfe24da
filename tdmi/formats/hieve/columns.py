"""From checked values of a HiEve file to person columns: shared by the readers of all its forms."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np

from tdmi.core.errors import UserError
from tdmi.data.annotations import NO_TRACK, UNSCORED, Annotations
from tdmi.data.skeletons import HIEVE, Skeleton
from tdmi.formats.parsing import REGENERATE, describe, number

_ROWS = {
    "person_frame": ((), np.int64),
    "track_id": ((), np.int64),
    "keypoints": ((len(HIEVE), 2), np.float64),
    "present": ((len(HIEVE),), bool),
    "visible": ((len(HIEVE),), bool),
    "joint_score": ((len(HIEVE),), np.float64),
    "box": ((4,), np.float64),
    "head_box": ((4,), np.float64),
    "score": ((), np.float64),
    "area": ((), np.float64),
}


def finite(value: Any, where: str) -> float:
    """A finite number, bare or as the only entry of a list; UserError for anything else."""
    result = number(value, where)
    if not math.isfinite(result):
        raise UserError(f"{where}: found {describe(value)}, expected a finite number; {REGENERATE}")
    return result


def whole(value: Any, where: str, least: int = 0, most: int = 2**53) -> int:
    """A whole number from `least` to `most`, bare or as the only entry of a list."""
    result = finite(value, where)
    if result != int(result) or not least <= result <= most:
        raise UserError(
            f"{where}: found {describe(value)}, expected a whole number from {least} to {most}; "
            f"{REGENERATE}"
        )
    return int(result)


def track(value: Any, where: str) -> int:
    """A track id, which may be negative; NO_TRACK for None and for an empty list."""
    return NO_TRACK if value is None or value == [] else whole(value, where, least=-(2**53))


def joint_index(value: Any, where: str) -> int:
    """A HiEve joint number. Another one means another data set, which is refused by name."""
    index = whole(value, where)
    if index >= len(HIEVE):
        raise UserError(
            f"{where}: found joint {index}, expected 0 to {len(HIEVE) - 1}, HiEve's joints; a "
            "PoseTrack file has more and belongs in a folder of its own"
        )
    return index


def new_person(frame: int) -> dict[str, Any]:
    """Columns of one person of whom nothing is known but the frame row."""
    joints = len(HIEVE)
    return {
        "person_frame": frame,
        "track_id": NO_TRACK,
        "keypoints": np.zeros((joints, 2)),
        "present": np.zeros(joints, dtype=bool),
        "visible": np.zeros(joints, dtype=bool),
        "joint_score": np.full(joints, UNSCORED),
        "box": np.full(4, np.nan),
        "head_box": np.full(4, np.nan),
        "score": np.nan,
        "area": np.nan,
        "action": "",
    }


def set_joint(
    person: dict[str, Any], joint: int, x: float, y: float, visible: bool, score: float = UNSCORED
) -> None:
    person["keypoints"][joint] = x, y
    person["present"][joint] = True
    person["visible"][joint] = visible
    person["joint_score"][joint] = score


def person_columns(people: list[dict[str, Any]]) -> dict[str, Any]:
    """Columns of `Annotations` for people in the order of their frames."""
    columns = {
        name: np.array([person[name] for person in people], dtype=kind).reshape(-1, *shape)
        for name, (shape, kind) in _ROWS.items()
    }
    return columns | {"action": [person["action"] for person in people]}


def one_video(
    name: str, files: list[str], people: list[dict[str, Any]], **columns: Any
) -> Annotations:
    """Annotations of one video: `files` are its frames in order, `people` in frame order.

    The forms say nothing of labelled frames: those with a person count as labelled.
    """
    count = len(files)
    persons = person_columns(people)
    annotated = np.zeros(count, dtype=bool)
    annotated[persons["person_frame"]] = True
    defaults = {
        "frame_id": np.arange(count, dtype=np.int64),
        "ignore_regions": [[] for _ in files],
    }
    return Annotations(
        skeleton=HIEVE,
        video_names=[name],
        frame_video=np.zeros(count, dtype=np.int64),
        frame_index=np.arange(count, dtype=np.int64),
        frame_file=files,
        frame_labelled=annotated,
        frame_annotated=annotated.copy(),
        **(defaults | columns | persons),
    )


def from_corners(corners: list[float]) -> np.ndarray:
    """x1, y1, x2, y2 -> x, y, width, height."""
    x1, y1, x2, y2 = corners
    return np.array([x1, y1, x2 - x1, y2 - y1])


def to_corners(box: np.ndarray) -> list[float]:
    """x, y, width, height -> x1, y1, x2, y2, such that `from_corners` gives the same box again.

    x + width may round to a number whose difference from x is not the width; a neighbour then is
    the right one (a box that came from corners always has one).
    """
    far = []
    for near, size in zip(box[:2].tolist(), box[2:].tolist(), strict=True):
        end = near + size
        around = (end, math.nextafter(end, math.inf), math.nextafter(end, -math.inf))
        far.append(next((e for e in around if e - near == size), end))
    return [float(box[0]), float(box[1]), *far]


def base_name(file: str) -> str:
    return file.rpartition("/")[2]


def frame_path(video: str, file: str) -> str:
    """Path of an extracted frame below the data set's root."""
    return f"images/{video}/{base_name(file)}"


def video_order(name: str) -> tuple:
    """Sorting key: videos named by numbers in the order of the numbers, before all others."""
    return (0, int(name), "") if name.isdecimal() and len(name) < 18 else (1, 0, name)


def need_hieve(annotations: Annotations, path: Path | str) -> None:
    """UserError unless the joints are HiEve's and all that is written is finite."""
    _need_skeleton(annotations.skeleton, path)
    values = np.dstack([annotations.keypoints, annotations.joint_score])
    odd = annotations.present & ~np.isfinite(values).all(axis=2)
    if odd.any():
        person, joint = np.argwhere(odd)[0]
        frame = annotations.frame_file[annotations.person_frame[person]]
        raise UserError(
            f"{path}: not written, {HIEVE.joints[joint]} of a person in {frame} or its score is "
            "not finite, expected numbers; the model that predicted it has probably diverged, "
            "train it again"
        )


def _need_skeleton(skeleton: Skeleton, path: Path | str) -> None:
    if skeleton != HIEVE:
        raise UserError(
            f"{path}: joints are {skeleton.name}, expected {HIEVE.name}; "
            "convert with tdmi.data.annotations.on_skeleton"
        )


def people_of_frames(annotations: Annotations, frames: np.ndarray) -> list[range]:
    """Person rows of each of the given frame rows."""
    first = np.searchsorted(annotations.person_frame, frames, side="left").tolist()
    last = np.searchsorted(annotations.person_frame, frames, side="right").tolist()
    return [range(a, b) for a, b in zip(first, last, strict=True)]
