"""Published results: facts from elsewhere, kept apart from everything measured here."""

from __future__ import annotations

from html import escape
from pathlib import Path

import pandas as pd

from tdmi.core.errors import UserError
from tdmi.reporting.data.runs import GROUPS
from tdmi.reporting.page import html
from tdmi.reporting.tables.tables import heading

_WORDS = ("dataset", "split", "measure", "method", "year", "backbone", "boxes", "note")
_VALUES = tuple(f"published_{'mean' if group == 'total' else group}" for group in GROUPS)
COLUMNS = (*_WORDS, *_VALUES, "source", "confidence")


def read(path: Path | str) -> pd.DataFrame:
    """All columns as text, exactly as written in the file; blank for what is unknown."""
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


def page_part(frame: pd.DataFrame) -> str:
    """One folded table per data set, with source and confidence in every row."""
    parts = []
    for dataset, rows in frame.groupby("dataset", sort=False):
        parts.append(html.details(f"{dataset}: {len(rows)} published rows", _table(rows)))
    return "".join(parts)


def _recalled(row: pd.Series, column: str) -> bool:
    confirmed = column == "published_mean" and "mean confirmed" in row["confidence"]
    return "recalled" in row["confidence"] and not confirmed


def _table(rows: pd.DataFrame) -> str:
    heads = ["Method", "Year", "Backbone", "Split", "Measure"]
    heads += [heading(group) for group in GROUPS]
    heads += ["Boxes and remarks", "Source and confidence"]
    cells = []
    for _, row in rows.iterrows():
        values = [f"<em>{row[v]}</em>" if _recalled(row, v) else row[v] for v in _VALUES]
        words = [escape(row[name]) for name in ("year", "backbone", "split", "measure")]
        remarks = "; ".join(text for text in (row["boxes"], row["note"]) if text)
        source = "; ".join(text for text in (row["source"], row["confidence"]) if text)
        cells.append(
            f'<tr><th scope="row">{escape(row["method"])}</th>'
            + "".join(f"<td>{text}</td>" for text in words)
            + "".join(f'<td class="number">{text}</td>' for text in values)
            + "".join(f'<td class="source">{escape(text)}</td>' for text in (remarks, source))
            + "</tr>"
        )
    head = "".join(
        f'<th scope="col"{" class=number" if 5 <= i < 5 + len(_VALUES) else ""}>{text}</th>'
        for i, text in enumerate(heads)
    )
    return (
        '<div class="scroll" tabindex="0"><table class="published"><thead><tr>'
        f"{head}</tr></thead><tbody>{''.join(cells)}</tbody></table></div>"
    )
