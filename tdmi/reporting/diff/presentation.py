"""What has changed between two trees as text for the terminal, Markdown, JSON and a page."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from html import escape
from typing import Any

import pandas as pd

from tdmi.experiments.provenance import shown
from tdmi.reporting.diff.changes import EQUAL, VERDICTS, Comparison
from tdmi.reporting.page import html
from tdmi.reporting.tables.tables import Cell, Table, markdown, number

_NUMBERS = (
    "In per cent, means over the shared seeds (over all seeds where one side has no other). "
    "B − A is the mean difference between runs of the same seed, in brackets its 95% Student "
    "interval. Beyond the noise: the interval excludes zero, as it does by chance in one row of "
    "twenty that have not changed. The noise is that of the seeds, not of machines or videos; "
    "where all seeds of a method start from one model, what a change of that model brings is no "
    "noise. Equal: all joints of all shared runs, to six digits."
)
_SETTINGS = (
    "Entries of the settings that differ. Settings of a run folder are its config.yaml; for a run "
    "of a report they are what the workflow sets at the commit that its record names, as long as "
    "the recorded hash agrees. Runs whose settings are not known to both sides are left out."
)
_RECORDS = (
    "Entries of provenance.json that differ, hashes cut to twelve digits: code, packages, "
    "hardware, data, labels, boxes, files of the run. Times are left out."
)


@dataclass(frozen=True)
class Diff:
    """Two trees by name, and what was found for each suite that both have."""

    a: str
    b: str
    suites: Mapping[str, Comparison]
    only_a: list[str]
    only_b: list[str]


def text(diff: Diff) -> str:
    """For the terminal: rows that have changed, in columns."""
    parts = _heads(diff)
    for suite, found in diff.suites.items():
        changed = replace(found, numbers=found.numbers[found.numbers.verdict != EQUAL])
        parts.append("\n".join([f"{suite}:", *(f"  {line}" for line in summary(found))]))
        parts += [
            f"{table.title}\n{_columns(table)}" for table in tables(suite, changed) if table.cells
        ]
    return "\n\n".join(parts) + "\n"


def as_markdown(diff: Diff) -> str:
    parts = [f"# {_title(diff)}", *_heads(diff)]
    for suite, found in diff.suites.items():
        parts += [f"## {suite}", "\n".join(f"- {line}" for line in summary(found))]
        parts += [
            f"### {table.title}\n\n{_lined(table)}" for table in tables(suite, found) if table.cells
        ]
    return "\n\n".join(part.strip() for part in parts) + "\n"


def as_json(diff: Diff) -> dict[str, Any]:
    return {
        "a": diff.a,
        "b": diff.b,
        "suites_only_a": diff.only_a,
        "suites_only_b": diff.only_b,
        "suites": {
            suite: {
                "numbers": _rows(found.numbers),
                "settings": _rows(found.settings),
                "runs_with_known_settings": found.configured,
                "records": _rows(found.records),
                "runs": found.runs,
                "runs_only_a": found.only_a,
                "runs_only_b": found.only_b,
            }
            for suite, found in diff.suites.items()
        },
    }


def page(diff: Diff) -> str:
    """One self-contained HTML file; rows that have changed are marked."""
    sections = []
    for suite, found in diff.suites.items():
        lines = "".join(f"<li>{escape(line)}</li>" for line in summary(found))
        body = f"<ul>{lines}</ul>"
        numbers, *others = tables(suite, found)
        changed = frozenset(
            place for place, verdict in enumerate(found.numbers.verdict) if verdict != EQUAL
        )
        for table, marked in ((numbers, changed), *((other, frozenset()) for other in others)):
            if table.cells:
                body += f"<h3>{escape(table.title)}</h3>{html.table(table, marked)}"
        sections.append((suite, suite, body))
    introduction = "".join(f"<p>{escape(line)}</p>" for line in _heads(diff))
    footer = "<p>Made by <code>tdmi diff</code> from results alone.</p>"
    return html.document(
        "What has changed", "Two trees of measured results", introduction, sections, footer
    )


def summary(found: Comparison) -> list[str]:
    """Counts of what was compared, one statement per kind."""
    verdicts = found.numbers.verdict.value_counts()
    counts = ", ".join(f"{verdicts[name]} {name}" for name in VERDICTS if name in verdicts)
    lines = [f"numbers: {counts or 'none'}"]
    of = f"; known of {found.configured} runs in both" * (found.configured < len(found.runs))
    lines.append(f"settings: {_count(found.settings)}{of}")
    lines.append(f"records: {_count(found.records)}")
    lines.append(
        f"runs: {len(found.runs)} in both, {len(found.only_a)} only in A, "
        f"{len(found.only_b)} only in B"
    )
    return lines


def tables(suite: str, found: Comparison) -> list[Table]:
    """Numbers, settings, records."""
    return [
        _number_table(suite, found.numbers),
        _entry_table("settings", suite, found.settings, found.runs, _SETTINGS),
        _entry_table("records", suite, found.records, found.runs, _RECORDS),
    ]


def _number_table(suite: str, frame: pd.DataFrame) -> Table:
    cells = []
    for row in frame.to_dict("records"):
        texts = (row["method"], row["protocol"].replace("_", " "), row["measure"].upper())
        interval = ""
        if row["low"] == row["low"]:
            low, high = (number(row[side], 2, sign=True) for side in ("low", "high"))
            interval = f" [{low}, {high}]"
        difference = number(row["difference"], 2, sign=True) + interval
        seeds = f"{row['seeds']} of {row['seeds_a']} and {row['seeds_b']}"
        cells.append(
            [
                *(Cell(value, value) for value in (*texts, row["verdict"])),
                *(Cell(number(row[side], 2), row[side]) for side in ("a", "b")),
                Cell(difference, row["difference"]),
                Cell(seeds, row["seeds"]),
            ]
        )
    headings = ["Method", "Boxes", "Measure", "Verdict", "A", "B", "B − A", "Shared seeds"]
    return Table(f"numbers_{suite}", "Numbers", _NUMBERS, headings, cells, frame, 4)


def _entry_table(
    kind: str, suite: str, frame: pd.DataFrame, runs: list[str], caption: str
) -> Table:
    cells = [
        [Cell(value, value) for value in (row.entry, shown(row.a), shown(row.b))]
        + [Cell(_described(row.runs, runs), len(row.runs))]
        for row in frame.itertuples()
    ]
    headings = ["Entry", "A", "B", "Runs"]
    return Table(f"{kind}_{suite}", kind.capitalize(), caption, headings, cells, frame, 4)


def _described(chosen: list[str], runs: list[str]) -> str:
    """The runs of a row: all, or the methods if they are few."""
    if len(chosen) == len(runs):
        return f"all {len(runs)}" if len(runs) > 1 else runs[0]
    methods = list(dict.fromkeys(run.split("/")[0] for run in chosen))
    named = f" ({', '.join(methods)})" if len(methods) <= 3 else ""
    return f"{len(chosen)} of {len(runs)}{named}"


def _columns(table: Table) -> str:
    """Cells in columns as wide as their widest."""
    rows = [table.headings, *([cell.text for cell in row] for row in table.cells)]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    padded = (
        (
            cell.ljust(width) if place < table.text_columns else cell.rjust(width)
            for place, (cell, width) in enumerate(zip(row, widths, strict=True))
        )
        for row in rows
    )
    return "\n".join("  " + "  ".join(row).rstrip() for row in padded)


def _lined(table: Table) -> str:
    """Markdown in which no text of a cell ends its column."""
    cells = [[replace(c, text=c.text.replace("|", r"\|")) for c in row] for row in table.cells]
    return markdown(replace(table, cells=cells))


def _title(diff: Diff) -> str:
    return f"Changes from {diff.a} to {diff.b}"


def _heads(diff: Diff) -> list[str]:
    lines = [f"A: {diff.a}", f"B: {diff.b}"]
    for side, suites in (("A", diff.only_a), ("B", diff.only_b)):
        if suites:
            lines.append(f"Suites only in {side}: {', '.join(suites)}")
    return ["\n".join(lines)]


def _count(frame: pd.DataFrame) -> str:
    entries = frame.entry.nunique()
    return f"{entries} {'entry differs' if entries == 1 else 'entries differ'}"


def _rows(frame: pd.DataFrame) -> list[dict[str, Any]]:
    return [
        {key: None if isinstance(value, float) and value != value else value
         for key, value in row.items()}
        for row in frame.to_dict("records")
    ]  # fmt: skip
