"""HiEve's boxes (track 1): a text file per video, ``frame,id,x,y,w,h,flag,-1,-1,-1`` per line.

Flag 0 means that the box is not evaluated, any other value that it is (format page of the HiEve
challenge); it is kept in `score`. The last three values say nothing and are not kept.

Frames are numbered from 0: two public converters to a form that starts at 1 add one (inferred, the
format page does not say).
"""

from __future__ import annotations

from pathlib import Path

from tdmi.core.errors import UserError
from tdmi.core.files import read_text
from tdmi.data.annotations import Annotations
from tdmi.data.records import REGENERATE
from tdmi.formats.hieve.people import Person, assemble, number_of, whole

_VALUES = 10


def read_file(path: Path | str) -> Annotations:
    """Read the boxes of one video named by the file's stem: persons with a box and no joints.

    The frames are those that the file names, in order. Within a frame persons come in the order of
    the file. UserError for anything that is not this form.
    """
    path = Path(path)
    lines = [(n, line) for n, line in enumerate(read_text(path).split("\n"), 1) if line.strip()]
    people = [_person(line, f"{path}: line {n}") for n, line in lines]
    rows = {number: row for row, number in enumerate(sorted({p.frame for p in people}))}
    for person in people:
        person.frame = rows[person.frame]
    return assemble([f"{number:06d}.jpg" for number in rows], people, path)


def _person(line: str, where: str) -> Person:
    """Return the person of one line, with the frame's number in place of its row."""
    fields = line.split(",")
    if len(fields) != _VALUES:
        raise UserError(
            f"{where}: found {len(fields)} values, expected {_VALUES}: "
            f"frame,id,x,y,w,h,flag,-1,-1,-1; {REGENERATE}"
        )
    values = [number_of(field, where) for field in fields]
    number = whole(values[0], f"{where}: frame")
    track_id = whole(values[1], f"{where}: id", least=-(2**53))
    return Person(number, track_id, box=values[2:6], score=values[6])
