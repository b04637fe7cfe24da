"""Checked columns from the records of JSON files: right type, right length, or one clear line.

The functions for whole columns convert all entries at once. They look at single entries only if
something is out of form, to name the first culprit.
"""

from __future__ import annotations

from array import array
from collections.abc import Callable, Sequence
from contextlib import suppress
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tdmi.core.errors import UserError

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Flags = NDArray[np.bool_]
Record = dict[str, Any]
"""An object of a JSON file, whose values are not checked yet."""
Place = Callable[[int], str]
"""Gives the file and place of a record by its row, for an error message."""

REGENERATE = "restore the original file or write it again"


def describe(value: object) -> str:
    """Return what was found, short enough for one line."""
    if value is None:
        return "null"
    if isinstance(value, list | dict):
        kind = "a list" if isinstance(value, list) else "an object"
        return f"{kind} of {len(value)}" if value else f"an empty {kind.split()[1]}"
    text = repr(value)
    return text if len(text) <= 40 else text[:37] + "..."


def unfit(where: str, found: str, expected: str) -> UserError:
    """Return the error for content that is not what its form demands."""
    return UserError(f"{where}: found {found}, expected {expected}; {REGENERATE}")


def places(where: Path | str, key: str) -> Place:
    """Give places such as ``v.json: images[3]``."""
    return lambda i: f"{where}: {key}[{i}]"


def member(record: Any, key: str, kind: type, where: str) -> Any:
    """Return `record[key]`, which must exist and be of type `kind`.

    Whole numbers must fit 64 bits.
    """
    names = {list: "a list", dict: "an object", str: "a text", int: "a whole number"}
    if not isinstance(record, dict):
        raise unfit(where, describe(record), "an object")
    if key not in record:
        raise UserError(f"{where}: no '{key}', expected {names[kind]} there; {REGENERATE}")
    value, expected = record[key], names[kind]
    fits = isinstance(value, kind) and not (kind is int and isinstance(value, bool))
    if fits and isinstance(value, int) and not -(2**63) <= value < 2**63:
        fits, expected = False, "a whole number of at most 64 bits"
    if not fits:
        raise UserError(f"{where}: '{key}' is {describe(value)}, expected {expected}; {REGENERATE}")
    return value


def numbers(value: Any, count: int | None, where: str) -> Floats:
    """Return a flat list of `count` numbers (any, if None) as float64.

    NaN is a number, null is not.
    """
    wanted = "numbers" if count is None else f"{count} numbers"
    if not isinstance(value, list) or (count is not None and len(value) != count):
        raise unfit(where, describe(value), wanted)
    flat = number_list(value)
    if flat is None:
        odd = next(v for v in value if number_list([v]) is None)
        raise unfit(where, f"{describe(odd)} among the numbers", wanted)
    return flat


def number(value: Any, where: str) -> float:
    """Return one number, bare or as the only entry of a list, which is PoseTrack17's wrapping."""
    if isinstance(value, list) and len(value) == 1:
        value = value[0]
    if not isinstance(value, bool) and isinstance(value, int | float):
        with suppress(OverflowError):
            return float(value)
    raise unfit(where, describe(value), "a number")


def number_list(values: Sequence[Any]) -> Floats | None:
    """Return numbers as float64; None if one is no number or beyond float64's range."""
    if set(map(type, values)) <= {int, float}:
        with suppress(OverflowError):
            return np.array(array("d", values))
    return None


def objects(content: Any, key: str, where: str) -> list[Record]:
    """Return `content[key]`, which must be a list of objects."""
    records: list[Record] = member(content, key, list, where)
    check_objects(records, places(where, key))
    return records


def check_objects(records: Sequence[Any], place: Place) -> None:
    """Raise UserError unless every record is an object."""
    if not set(map(type, records)) <= {dict}:
        i, odd = next((i, r) for i, r in enumerate(records) if not isinstance(r, dict))
        raise unfit(place(i), describe(odd), "an object")


def texts(
    records: Sequence[Record], key: str, place: Place, missing: str | None = None
) -> list[str]:
    """Return `record[key]` of every record; `missing` where it is absent or null, if allowed."""
    return _members(records, key, str, place, missing)


def whole_numbers(
    records: Sequence[Record], key: str, place: Place, missing: int | None = None
) -> Ints:
    """Return `record[key]` [N]; `missing` where it is absent or null, if allowed."""
    return np.array(_members(records, key, int, place, missing), dtype=np.int64)


def _members(
    records: Sequence[Record], key: str, kind: type, place: Place, missing: object
) -> list[Any]:
    values = _values(records, key, missing)
    if set(map(type, values)) <= {kind} and (kind is str or _fit_64_bits(values)):
        return values
    return [
        value
        if missing is not None and records[i].get(key) is None
        else member(records[i], key, kind, place(i))
        for i, value in enumerate(values)
    ]


def _fit_64_bits(values: list[int]) -> bool:
    return not values or (min(values) >= -(2**63) and max(values) < 2**63)


def real_numbers(
    records: Sequence[Record], key: str, place: Place, missing: float | None = None
) -> Floats:
    """Return `record[key]` [N]; `missing` where it is absent or null, if allowed."""
    values = _values(records, key, missing)
    flat = number_list(values)
    if flat is not None:
        return flat
    return np.array([number(value, f"{place(i)}: {key}") for i, value in enumerate(values)])


def _values(records: Sequence[Record], key: str, missing: object) -> list[Any]:
    values = [record.get(key) for record in records]
    return values if missing is None else [missing if v is None else v for v in values]


def number_rows(
    records: Sequence[Record], key: str, count: int, place: Place, missing: float | None = None
) -> Floats:
    """Return `record[key]`, `count` numbers each, as [N, count].

    Rows of `missing` where it is absent, null or empty, if allowed.
    """
    rows: list[Any] = [record.get(key) for record in records]
    if missing is not None:
        if not any(rows):
            return np.full((len(rows), count), missing, dtype=np.float64)
        blank = [missing] * count
        rows = [row or blank for row in rows]
    # Iterators over the rows: a list of all numbers would take as long again.
    if (
        set(map(type, rows)) <= {list}
        and set(map(len, rows)) <= {count}
        and set(map(type, chain.from_iterable(rows))) <= {int, float}
    ):
        with suppress(OverflowError):
            flat = np.fromiter(chain.from_iterable(rows), np.float64, len(rows) * count)
            return flat.reshape(-1, count)
    if missing is None:
        rows = [member(record, key, list, place(i)) for i, record in enumerate(records)]
    return np.stack([numbers(row, count, f"{place(i)}: {key}") for i, row in enumerate(rows)])


def flags(records: Sequence[Record], key: str, place: Place) -> list[bool | None]:
    """Return `record[key]`, true or false (1 and 0 count as such); None where absent or null."""
    values = [record.get(key) for record in records]
    for i, value in enumerate(values):
        if value is not None and (not isinstance(value, int | float) or value not in (0, 1)):
            raise UserError(
                f"{place(i)}: '{key}' is {describe(value)}, expected true or false; {REGENERATE}"
            )
    return [None if value is None else bool(value) for value in values]
