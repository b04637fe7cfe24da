"""Published results: facts from elsewhere, kept apart from everything measured here."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from tdmi.core.errors import UserError
from tdmi.reporting.data.runs import GROUPS

_VALUES = tuple(f"published_{'mean' if group == 'total' else group}" for group in GROUPS)
COLUMNS = (
    "dataset", "split", "measure", "method", "year", "backbone", "boxes", "note", *_VALUES,
    "source", "confidence",
)  # fmt: skip


@dataclass(frozen=True)
class PublishedRow:
    """One row of the page: words as in the file, values with whether each is only recalled."""

    method: str
    words: list[str]
    values: list[tuple[str, bool]]
    remarks: list[str]


def read(path: Path | str) -> pd.DataFrame:
    """Read all columns as text, exactly as written in the file; blank for what is unknown."""
    path = Path(path)
    try:
        frame = pd.read_csv(path, dtype=str, keep_default_na=False)
    except FileNotFoundError:
        raise UserError(f"{path}: no such file; give its place with --published") from None
    except (pd.errors.ParserError, pd.errors.EmptyDataError) as error:
        raise UserError(f"{path}: not a valid table ({' '.join(str(error).split())})") from None
    if list(frame.columns) != list(COLUMNS):
        raise UserError(f"{path}: columns are {list(frame.columns)}, expected {list(COLUMNS)}")
    return frame


def by_dataset(frame: pd.DataFrame) -> dict[str, list[PublishedRow]]:
    """Return the rows of each data set, in the order of the file."""
    groups = frame.groupby("dataset", sort=False)
    return {str(name): [_row(row) for _, row in rows.iterrows()] for name, rows in groups}


def _row(row: pd.Series) -> PublishedRow:
    def joined(*names: str) -> str:
        return "; ".join(filter(None, row[list(names)]))

    recalled = "recalled" in row["confidence"]
    confirmed = {"published_mean"} if "mean confirmed" in row["confidence"] else set()
    return PublishedRow(
        row["method"],
        [row[name] for name in ("year", "backbone", "split", "measure")],
        [(row[name], recalled and name not in confirmed) for name in _VALUES],
        [joined("boxes", "note"), joined("source", "confidence")],
    )
