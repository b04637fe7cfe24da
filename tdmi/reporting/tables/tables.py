"""One form for all tables: cells for people, a data frame for machines; CSV, Markdown and LaTeX.

Formats are fixed and nothing of the moment is written, so that equal runs give equal bytes.
"""

from __future__ import annotations

import itertools
import math
import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pandas as pd

from tdmi.core.files import write_text
from tdmi.reporting.data.runs import Runs
from tdmi.reporting.data.spec import Method, Record

NOT_RUN = "not run"
_FORMULA = re.compile(r"[=+\-@\t\r](?![\d.]+$)")
"""Beginning of a formula in a spreadsheet; a signed number is none."""
_LATEX = str.maketrans(
    {sign: "\\" + sign for sign in "&%$#_{}"}
    | {"\\": r"\textbackslash{}", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}"}
    | {"±": r"$\pm$", "\N{MINUS SIGN}": "$-$", "×": r"$\times$"}
)


@dataclass(frozen=True)
class Cell:
    """Text for people, the value that a column is sorted by, and whether it is the best there."""

    text: str = ""
    value: float | str | None = None
    best: bool = False


Row = tuple[list[Cell], Record]
"""Cells of a row, and its entries in the data frame."""


@dataclass(frozen=True)
class Table:
    """`data` is the machine-readable form: one row per row of `cells`, spreads in own columns."""

    name: str
    title: str
    caption: str
    headings: list[str]
    cells: list[list[Cell]]
    data: pd.DataFrame
    text_columns: int = 2
    """The first columns hold words and stand left; all others hold numbers and stand right."""
    section_ends: tuple[int, ...] = ()
    """Rows after which another family begins."""
    sources: tuple[str, ...] = ()
    """`anchor` of the runs that gave the numbers of each row."""


def method_table(
    name: str,
    title: str,
    caption: str,
    headings: list[str],
    runs: Runs,
    methods: tuple[Method, ...],
    row: Callable[[Method], Row],
    text_columns: int = 1,
) -> Table:
    """Return a table with a row per method and, in its data, the folders of the method's runs."""
    rows = [row(method) for method in methods]
    pairs = enumerate(itertools.pairwise(methods))
    return Table(
        name,
        title,
        caption,
        headings,
        [cells for cells, _ in rows],
        pd.DataFrame(
            [
                entries | {"runs": " ".join(runs.names_of(method.name))}
                for method, (_, entries) in zip(methods, rows, strict=True)
            ]
        ),
        text_columns,
        tuple(i for i, (one, other) in pairs if one.family != other.family),
        tuple(anchor(runs, method) for method in methods),
    )


def anchor(runs: Runs, method: Method) -> str:
    """Return the id of the page's part on a method's provenance; "" without any record."""
    recorded = any(name == method.name for name, _ in runs.provenance)
    return f"runs-{runs.folder.name}-{method.name}" if recorded else ""


def number(value: float | None, digits: int = 1, sign: bool = False) -> str:
    """Return fixed decimals with a real minus sign; blank for NaN and None."""
    if value is None or math.isnan(value):
        return ""
    text = f"{value:{'+' if sign else ''}.{digits}f}"
    if float(text) == 0:
        text = text.replace("-", "+" if sign else "")
    return text.replace("-", "\N{MINUS SIGN}")


def with_spread(mean: float, std: float, digits: int = 1, sign: bool = False) -> str:
    text = number(mean, digits, sign)
    spread = number(std, digits)
    return f"{text} ± {spread}" if text and spread else text


def mean_cell(mean: float, std: float, digits: int = 1, best: bool = False) -> Cell:
    return Cell(with_spread(mean, std, digits), mean, best)


def difference_cell(
    mean: float, std: float, holds: bool | None, is_reference: bool = False
) -> Cell:
    """Return a difference with its sign; * marks one that holds."""
    if is_reference:
        return Cell("" if math.isnan(mean) else "reference", mean)
    return Cell(with_spread(mean, std, sign=True) + ("*" if holds else ""), mean)


def interval_cell(low: float, high: float) -> Cell:
    if math.isnan(low):
        return Cell()
    return Cell(f"{number(low, 1, True)} to {number(high, 1, True)}", low)


def seeds_cell(done: int, method: Method) -> Cell:
    planned = len(method.seeds)
    text = str(done) if done == planned else f"{done} of {planned}"
    return Cell(text if done else NOT_RUN, done)


def cost_cells(runs: Runs, method: Method) -> Row:
    """Return parameters in millions and GFLOPs per key frame."""
    parameters, gflops = values_of(runs.cost.set_index("method"), method, "parameters", "gflops")
    cells = [Cell(number(parameters / 1e6, 2), parameters), Cell(number(gflops, 2), gflops)]
    whole = pd.NA if math.isnan(parameters) else int(parameters)
    return cells, {"parameters": whole, "gflops": gflops}


def values_of(frame: pd.DataFrame, method: Method, *columns: str) -> list[float]:
    """Return a method's values; NaN where the frame lacks it."""
    if method.name not in frame.index:
        return [math.nan] * len(columns)
    return [float(frame.loc[method.name, column]) for column in columns]


def heading(column: str) -> str:
    return {"total": "Mean", "mota": "MOTA"}.get(column, column.capitalize())


def write(table: Table, folder: Path) -> None:
    """Write `<name>.csv`, `.md` and `.tex` into `folder`."""
    write_text(folder / f"{table.name}.csv", csv(table.data))
    write_text(folder / f"{table.name}.md", markdown(table))
    write_text(folder / f"{table.name}.tex", latex(table))


def transposed(table: Table, corner: str) -> Table:
    """Return a table of methods with a column per method; `corner` names its rows."""
    names, *columns = zip(*table.cells, strict=True)
    heads = [[Cell(heading, heading)] for heading in table.headings[1:]]
    return replace(
        table,
        headings=[corner, *(cell.text for cell in names)],
        cells=[[*head, *column] for head, column in zip(heads, columns, strict=True)],
        section_ends=(),
        sources=(),
    )


def csv(data: pd.DataFrame) -> str:
    """Return CSV whose texts no spreadsheet takes as a formula (OWASP, CSV Injection)."""
    words = data.select_dtypes(["object", "string"])
    safe = {
        name: pd.Series([_without_formula(value) for value in column], data.index, object)
        for name, column in words.items()
    }
    data = data.assign(**safe).rename(columns=_without_formula)
    return data.to_csv(index=False, float_format="%.6g", lineterminator="\n")


def _without_formula(value: Any) -> Any:
    """Return texts with an apostrophe before a sign that begins a formula; numbers as they are."""
    return f"'{value}" if isinstance(value, str) and _FORMULA.match(value) else value


def markdown_cell(text: str) -> str:
    """Return a text that stays within its cell of a Markdown table."""
    return " ".join(text.replace("|", r"\|").splitlines())


def markdown(table: Table) -> str:
    lines = ["| " + " | ".join(map(markdown_cell, table.headings)) + " |"]
    lines.append("|" + "|".join([":--"] * table.text_columns + _right(table, "--:")) + "|")
    for row in table.cells:
        texts = (f"**{cell.text}**" if cell.best else cell.text for cell in row)
        lines.append("| " + " | ".join(map(markdown_cell, texts)) + " |")
    return f"{chr(10).join(lines)}\n\n{table.caption.replace('*', chr(92) + '*')}\n"


def latex(table: Table) -> str:
    """Return a `table` environment that needs the package booktabs."""
    columns = "l" * table.text_columns + "".join(_right(table, "r"))
    lines = [
        r"\begin{table}",
        r"\centering",
        rf"\caption{{{_escaped(table.caption)}}}",
        rf"\label{{tab:{table.name.replace('_', '-')}}}",
        rf"\begin{{tabular}}{{{columns}}}",
        r"\toprule",
        " & ".join(_escaped(text) for text in table.headings) + r" \\",
        r"\midrule",
    ]
    for index, row in enumerate(table.cells):
        texts = (rf"\textbf{{{_escaped(c.text)}}}" if c.best else _escaped(c.text) for c in row)
        lines.append(" & ".join(texts) + r" \\")
        if index in table.section_ends:
            lines.append(r"\midrule")
    lines += [r"\bottomrule", r"\end{tabular}", r"\end{table}"]
    return "\n".join(lines) + "\n"


def _right(table: Table, mark: str) -> list[str]:
    return [mark] * (len(table.headings) - table.text_columns)


def _escaped(text: str) -> str:
    return text.translate(_LATEX)
