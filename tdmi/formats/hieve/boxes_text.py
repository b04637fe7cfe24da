"""HiEve's boxes (track 1): a text file per video, ``frame,id,x,y,w,h,flag,-1,-1,-1`` per line.

Flag 0 means that the box is not judged, any other value that it is (format page of the HiEve
challenge); it is kept in `score`. The last three values say nothing and are not kept.

Frames are numbered from 0: two public converters to a form that starts at 1 add one
(inferred, the format page does not say; `first_frame` is for files that differ).
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from tdmi.core.errors import UserError
from tdmi.core.files import write_text
from tdmi.data.annotations import NO_TRACK, Annotations
from tdmi.formats.hieve.columns import finite, frame_path, new_person, one_video, whole
from tdmi.formats.parsing import REGENERATE, describe

_VALUES = 10


def read_file(path: Path | str, first_frame: int = 0) -> Annotations:
    """Read the boxes of one video named by the file's stem: persons with a box and no joints.

    The frames are those that the file names, in order; `first_frame` is the number that the file
    gives the video's first frame. Within a frame persons come in the order of the file.
    Raises UserError for anything that is not this form.
    """
    path = Path(path)
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise UserError(f"{path}: no such file") from None
    except UnicodeDecodeError as error:
        raise UserError(f"{path}: not a text file ({error}); {REGENERATE}") from None
    lines = [(n, line) for n, line in enumerate(text.split("\n"), 1) if line.strip()]
    rows = [_row(line, first_frame, f"{path}: line {n}") for n, line in lines]
    rows.sort(key=lambda row: row[0])
    numbers = sorted({row[0] for row in rows})
    place = {number: position for position, number in enumerate(numbers)}
    people = []
    for number, track_id, box, flag in rows:
        person = new_person(place[number])
        person |= {"track_id": track_id, "box": np.array(box), "score": flag}
        people.append(person)
    files = [frame_path(path.stem, f"{number:06d}.jpg") for number in numbers]
    return one_video(path.stem, files, people)


def write_file(annotations: Annotations, path: Path | str, first_frame: int = 0) -> None:
    """Write the boxes of one video; a person without score gets flag 1.

    UserError for a person without box or track id, which the form needs.
    """
    lines = []
    for person in range(annotations.persons):
        frame = annotations.person_frame[person]
        box, track_id = annotations.box[person], int(annotations.track_id[person])
        if not np.isfinite(box).all() or track_id == NO_TRACK:
            raise UserError(
                f"{path}: not written, a person in {annotations.frame_file[frame]} has no box or "
                "no track id, expected both; select the persons that have them"
            )
        score = float(annotations.score[person])
        flag = score if np.isfinite(score) else 1.0
        number = int(annotations.frame_number[frame]) + first_frame
        values = [number, track_id, *box.tolist(), flag, -1, -1, -1]
        lines.append(",".join(repr(value).removesuffix(".0") for value in values))
    write_text(path, "".join(line + "\n" for line in lines))


def _row(line: str, first_frame: int, where: str) -> tuple[int, int, list[float], float]:
    """Frame number from 0, track id, box x, y, w, h and flag of one line."""
    fields = line.split(",")
    if len(fields) != _VALUES:
        raise UserError(
            f"{where}: found {len(fields)} values, expected {_VALUES}: "
            f"frame,id,x,y,w,h,flag,-1,-1,-1; {REGENERATE}"
        )
    values = [_number(field, where) for field in fields]
    number = whole(values[0], f"{where}: frame", least=first_frame) - first_frame
    track_id = whole(values[1], f"{where}: id", least=-(2**53))
    return number, track_id, values[2:6], values[6]


def _number(field: str, where: str) -> float:
    try:
        value = float(field)
    except ValueError:
        raise UserError(
            f"{where}: found {describe(field)}, expected a number; {REGENERATE}"
        ) from None
    return finite(value, where)
