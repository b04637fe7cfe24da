"""Tables of attributes of people (occlusion, speed, ...): one row per person and frame.

A table is a CSV file. Its columns ``image_id`` and ``track_id`` name the person; every other column
holds one attribute in numbers, and an empty cell means unknown. A column ``annotation_id`` is
allowed and not used.
"""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import numpy as np

from tdmi.core.errors import UserError
from tdmi.core.files import read_text, write_text
from tdmi.data.records import Floats, Ints

KEYS = ("image_id", "track_id")
_IDS = ("image_id", "annotation_id", "track_id")


def read_attributes(path: Path | str, image_id: Ints, track_id: Ints) -> dict[str, Floats]:
    """Return attributes [N] by name of the people with these ids [N], NaN where unknown.

    `path` is a table or a folder of tables (``*.csv``), which may hold other videos as well.
    UserError for a file that is no such table, a person with two rows, or if no row belongs to any
    of the people.
    """
    path = Path(path)
    rows: dict[tuple[int, int], dict[str, float]] = {}
    for file in _tables(path):
        for key, line, values in _read_table(file):
            if key in rows:
                raise UserError(
                    f"{file}: line {line}: a second row for image_id {key[0]} and track_id "
                    f"{key[1]}, expected one per person and image; keep the right one"
                )
            rows[key] = values
    people = zip(image_id.tolist(), track_id.tolist(), strict=True)
    found = [rows.get(person, {}) for person in people]
    if not any(found):
        raise UserError(
            f"{path}: none of the {len(rows)} rows has image_id and track_id of a person of the "
            "ground truth; give the table that belongs to these videos"
        )
    names = list(dict.fromkeys(name for values in rows.values() for name in values))
    return {name: np.array([values.get(name, np.nan) for values in found]) for name in names}


def write_attributes(
    path: Path | str, names: Sequence[str], rows: Iterable[Mapping[str, float]]
) -> None:
    """Write a table of `rows`, which hold the three ids and any of the attributes `names`."""
    text = io.StringIO()
    writer = csv.DictWriter(text, (*_IDS, *names), restval="", lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    write_text(path, text.getvalue())


def _tables(path: Path) -> list[Path]:
    if not path.is_dir():
        return [path]
    tables = sorted(path.glob("*.csv"))
    if not tables:
        raise UserError(f"{path}: no *.csv there, expected at least one table of attributes")
    return tables


def _read_table(path: Path) -> list[tuple[tuple[int, int], int, dict[str, float]]]:
    """Key, line number and attributes of each row."""
    reader = csv.reader(io.StringIO(read_text(path), newline=""))
    try:
        table = [(reader.line_num, cells) for cells in reader if cells]
    except csv.Error as error:
        raise UserError(
            f"{path}: line {reader.line_num}: not CSV ({error}); write the table again"
        ) from None
    header = table[0][1] if table else []
    if any(key not in header for key in KEYS) or len(set(header)) < len(header):
        raise UserError(
            f"{path}: the first line must name the columns, {' and '.join(KEYS)} among them and "
            "each once; write it there"
        )
    return [_row(path, line, header, cells) for line, cells in table[1:]]


def _row(
    path: Path, line: int, header: list[str], cells: list[str]
) -> tuple[tuple[int, int], int, dict[str, float]]:
    if len(cells) != len(header):
        raise UserError(
            f"{path}: line {line}: {len(cells)} cells, expected {len(header)} as in the first "
            "line; write the table again"
        )
    record = dict(zip(header, cells, strict=True))

    def refusal(name: str, wanted: str) -> UserError:
        return UserError(
            f"{path}: line {line}: {name[:40]!r} is {record[name][:40]!r}, expected {wanted}; "
            "mend the cell"
        )

    def identity(name: str) -> int:
        try:
            return int(record[name])
        except ValueError:
            raise refusal(name, "a whole number") from None

    def attribute(name: str) -> float:
        try:
            value = float(record[name] if record[name].strip() else "nan")
        except ValueError:
            value = math.inf
        if math.isinf(value):
            raise refusal(name, "a finite number or nothing")
        return value

    values = {name: attribute(name) for name in header if name not in _IDS}
    return (identity("image_id"), identity("track_id")), line, values
