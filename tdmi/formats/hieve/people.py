"""From checked values of a HiEve file to annotations: shared by the readers of its other forms."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from tdmi.core.errors import UserError
from tdmi.data.annotations import NO_TRACK, Annotations, in_frame_order, unknown_persons
from tdmi.data.records import REGENERATE, describe, number
from tdmi.data.skeletons import HIEVE

UNKNOWN_BOX = (math.nan,) * 4


@dataclass
class Person:
    """One person in one frame."""

    frame: int
    """Row of the frame, in the order of the file."""
    track_id: int = NO_TRACK
    box: Sequence[float] = UNKNOWN_BOX
    """x, y, width, height in px."""
    score: float = math.nan
    action: str = ""
    joints: dict[int, tuple[float, float, bool, float]] = field(default_factory=dict)
    """HiEve joint number to x, y, whether it is visible, and score."""


def finite(value: Any, where: str) -> float:
    """Return a finite number, bare or as the only entry of a list; UserError for anything else."""
    result = number(value, where)
    if not math.isfinite(result):
        raise UserError(f"{where}: found {describe(value)}, expected a finite number; {REGENERATE}")
    return result


def number_of(text: str | None, where: str) -> float:
    """Return the finite number that a text states; UserError for anything else, and for None."""
    try:
        return finite(float("nothing" if text is None else text), where)
    except ValueError:
        found = "nothing" if text is None else describe(text)
        raise UserError(f"{where}: found {found}, expected a number; {REGENERATE}") from None


def whole(value: Any, where: str, least: int = 0) -> int:
    """Return a whole number from `least` to 2^53, bare or as the only entry of a list."""
    result = finite(value, where)
    if result != int(result) or not least <= result <= 2**53:
        raise UserError(
            f"{where}: found {describe(value)}, expected a whole number from {least} to 2^53; "
            f"{REGENERATE}"
        )
    return int(result)


def track(value: Any, where: str) -> int:
    """Return a track id, which may be negative; NO_TRACK for None and for an empty list."""
    return NO_TRACK if value is None or value == [] else whole(value, where, least=-(2**53))


def box_from_corners(corners: Sequence[float]) -> tuple[float, float, float, float]:
    """Return x, y, width, height from x1, y1, x2, y2."""
    x1, y1, x2, y2 = corners
    return x1, y1, x2 - x1, y2 - y1


def frame_path(video: str, file: str) -> str:
    """Return the path of an extracted frame below the data set's root."""
    return f"images/{video}/{file.rpartition('/')[2]}"


def video_order(name: str) -> tuple[int, int, str]:
    """Return a sorting key: videos named by numbers in their order, before all others."""
    return (0, int(name), "") if name.isdecimal() and len(name) < 18 else (1, 0, name)


def assemble(
    files: Sequence[str],
    people: Sequence[Person],
    path: Path | str,
    sizes: Sequence[tuple[int, int]] = (),
) -> Annotations:
    """Return annotations of frames in any order, sorted by video and frame number.

    The forms do not state which frames are labelled: those with a person count as labelled. Image
    ids are positions in `files`.

    Args:
        files: [F] names of frames; the last folder of a name is the video, that of `path` if the
            name has none.
        people: persons of these frames, in any order.
        sizes: [F] width and height in px, if known.
    """
    for file in files:
        if not file.rpartition("/")[2]:
            raise UserError(f"{path}: file_name is {describe(file)}, expected a frame's file name")
    own = Path(path).stem
    videos = [file.rpartition("/")[0].rpartition("/")[2] or own for file in files]
    paths = [frame_path(video, file) for video, file in zip(videos, files, strict=True)]
    names = sorted(set(videos) or {own}, key=video_order)
    position = {name: k for k, name in enumerate(names)}
    order = sorted(
        range(len(files)),
        key=lambda i: (position[videos[i]], paths[i].rpartition("/")[2].zfill(40)),
    )
    row = np.empty(len(files), dtype=np.int64)
    row[order] = np.arange(len(files))
    frame_video = np.array([position[videos[i]] for i in order], dtype=np.int64)
    person_frame = row[np.array([person.frame for person in people], dtype=np.int64)]
    annotated = np.bincount(person_frame, minlength=len(files)).astype(bool)
    columns = unknown_persons(person_frame, HIEVE)
    for name in ("track_id", "score", "box"):
        values = [getattr(person, name) for person in people]
        columns[name] = np.array(values, columns[name].dtype).reshape(columns[name].shape)
    annotations = Annotations(
        skeleton=HIEVE,
        video_names=names,
        frame_video=frame_video,
        frame_index=np.arange(len(files)) - np.searchsorted(frame_video, frame_video),
        frame_file=[paths[i] for i in order],
        frame_id=np.array(order, dtype=np.int64),
        frame_size=np.array(sizes or [(0, 0)] * len(files), dtype=np.int64).reshape(-1, 2)[order],
        frame_labelled=annotated,
        frame_annotated=annotated.copy(),
        ignore_regions=[[] for _ in files],
        **(columns | {"action": [person.action for person in people]}),
    )
    for k, person in enumerate(people):
        for joint, (x, y, visible, score) in person.joints.items():
            annotations.keypoints[k, joint] = x, y
            annotations.present[k, joint] = True
            annotations.visible[k, joint] = visible
            annotations.joint_score[k, joint] = score
    return in_frame_order(annotations)
