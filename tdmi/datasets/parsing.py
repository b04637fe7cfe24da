"""Checks shared by the readers of annotation files: right type, right length, or one clear line."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from tdmi.errors import UserError

REGENERATE = "restore the original file or write it again"


def describe(value: Any) -> str:
    """What was found, short enough for one line."""
    if value is None:
        return "null"
    if isinstance(value, list | dict):
        kind = "list" if isinstance(value, list) else "object"
        return f"a {kind} of {len(value)}" if value else f"an empty {kind}"
    text = repr(value)
    return text if len(text) <= 40 else text[:37] + "..."


def member(record: Any, key: str, kind: type, where: str) -> Any:
    """`record[key]`, which must exist and be of type `kind`."""
    names = {list: "a list", dict: "an object", str: "a text", int: "a whole number"}
    if not isinstance(record, dict):
        raise UserError(f"{where}: found {describe(record)}, expected an object; {REGENERATE}")
    if key not in record:
        raise UserError(f"{where}: no '{key}', expected {names[kind]} there; {REGENERATE}")
    value = record[key]
    if not isinstance(value, kind) or (kind is int and isinstance(value, bool)):
        raise UserError(
            f"{where}: '{key}' is {describe(value)}, expected {names[kind]}; {REGENERATE}"
        )
    return value


def numbers(value: Any, count: int | None, where: str) -> np.ndarray:
    """A flat list of `count` numbers (any, if None) as float64; NaN passes, null does not."""
    wanted = "numbers" if count is None else f"{count} numbers"
    if not isinstance(value, list) or (count is not None and len(value) != count):
        raise UserError(f"{where}: found {describe(value)}, expected {wanted}; {REGENERATE}")
    try:
        if None in value:
            raise TypeError
        row = np.array(value, dtype=np.float64)
        if row.ndim != 1:
            raise ValueError
    except (TypeError, ValueError, OverflowError):
        odd = next((v for v in value if isinstance(v, bool) or not isinstance(v, int | float)), 0)
        raise UserError(
            f"{where}: found {describe(odd)} among the numbers, expected {wanted}; {REGENERATE}"
        ) from None
    return row


def number(value: Any, where: str) -> float:
    """One number, bare or as the only entry of a list, which is how PoseTrack17 wraps scalars."""
    if isinstance(value, list) and len(value) == 1:
        value = value[0]
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise UserError(f"{where}: found {describe(value)}, expected a number; {REGENERATE}")
    return float(value)


def video_name(path: Path | str) -> str:
    return Path(path).name.removesuffix(".json")


def video_files(folder: Path | str) -> list[str]:
    """Names of the videos of a folder (its ``*.json`` without the ending), sorted.

    Raises UserError if the folder is missing or has no such file.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise UserError(f"{folder}: no such folder, expected one with a PoseTrack file per video")
    # Hidden files are left out: they may be files that are just being written.
    names = sorted(video_name(p) for p in folder.glob("*.json") if not p.name.startswith("."))
    if not names:
        raise UserError(f"{folder}: no *.json there, expected one PoseTrack file per video")
    return names
