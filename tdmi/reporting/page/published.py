"""Published results: facts from elsewhere, kept apart from everything measured here."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from tdmi.core.errors import UserError
from tdmi.reporting.data.runs import GROUPS

VALUES = tuple(f"published_{'mean' if group == 'total' else group}" for group in GROUPS)
COLUMNS = (
    "dataset", "split", "measure", "method", "year", "backbone", "boxes", "note", *VALUES,
    "source", "confidence",
)  # fmt: skip


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
