"""Differences between two trees as JSON and as Markdown in columns, readable as text."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd

from tdmi.experiments.provenance import shown
from tdmi.reporting.diff.changes import EQUAL, VERDICTS, Comparison, Diff
from tdmi.reporting.tables.tables import markdown_cell, number

_LEGEND = """\
Numbers are in per cent, means over the shared seeds (over all seeds where only one side has any).
B − A is the mean difference between runs of the same seed, in brackets its 95% Student interval.
Beyond the noise: the interval excludes zero, as it does by chance in one unchanged row of twenty.
The noise is that of the seeds, not of machines or videos. Equal: all joints of all shared runs, to
six digits. Settings of a run folder are its config.yaml; those of a report are what the workflow
sets at the recorded commit, if the recorded hash agrees. Records leave out times; hashes are cut
to twelve digits."""


def as_markdown(diff: Diff, changed_only: bool = False) -> str:
    """Return all tables; with `changed_only`, without equal numbers and the legend."""
    parts = [f"# Changes from {diff.a} to {diff.b}"] if not changed_only else []
    heads = [f"A: {diff.a}", f"B: {diff.b}"]
    for side, suites in (("A", diff.suites_only_a), ("B", diff.suites_only_b)):
        heads += [f"Suites only in {side}: {', '.join(suites)}"] if suites else []
    parts.append("\n".join(heads) if changed_only else "  \n".join(heads))
    for suite, found in diff.suites.items():
        parts += [f"## {suite}", "\n".join(f"- {line}" for line in summary(found))]
        numbers = found.numbers[found.numbers.verdict != EQUAL] if changed_only else found.numbers
        rows = [_number_row(row) for row in numbers.to_dict("records")]
        headings = ["Method", "Boxes", "Measure", "Verdict", "A", "B", "B − A", "Shared seeds"]
        parts += [f"### Numbers\n\n{_columns(headings, rows)}"] if rows else []
        for title, frame in (("Settings", found.settings), ("Records", found.records)):
            rows = [
                [row.entry, shown(row.a), shown(row.b), _described(row.runs, found.runs)]
                for row in frame.itertuples()
            ]
            headings = ["Entry", "A", "B", "Runs"]
            parts += [f"### {title}\n\n{_columns(headings, rows)}"] if rows else []
    parts += [] if changed_only else [_LEGEND]
    return "\n\n".join(parts) + "\n"


def as_json(diff: Diff) -> dict[str, object]:
    suites = {
        suite: {
            name: _rows(value) if isinstance(value, pd.DataFrame) else value
            for name, value in vars(found).items()
        }
        for suite, found in diff.suites.items()
    }
    return vars(diff) | {"suites": suites}


def summary(found: Comparison) -> list[str]:
    """Return counts of what was compared, one statement per kind."""
    verdicts = found.numbers.verdict.value_counts()
    counts = ", ".join(f"{verdicts[name]} {name}" for name in VERDICTS if name in verdicts)
    known = found.runs_with_known_settings
    of = f"; known of {known} runs in both" * (known < len(found.runs))
    only = f"{len(found.runs_only_a)} only in A, {len(found.runs_only_b)} only in B"
    return [
        f"numbers: {counts or 'none'}",
        f"settings: {_count(found.settings)}{of}",
        f"records: {_count(found.records)}",
        f"runs: {len(found.runs)} in both, {only}",
    ]


def _number_row(row: Mapping[str, Any]) -> list[str]:
    low, high = (number(row[side], 2, sign=True) for side in ("low", "high"))
    return [
        row["method"],
        row["protocol"].replace("_", " "),
        row["measure"].upper(),
        row["verdict"],
        number(row["a"], 2),
        number(row["b"], 2),
        number(row["difference"], 2, sign=True) + (f" [{low}, {high}]" if low else ""),
        f"{row['seeds']} of {row['seeds_a']} and {row['seeds_b']}",
    ]


def _described(chosen: list[str], runs: list[str]) -> str:
    """Return the runs of a row in words: all, or the methods if they are few."""
    if len(chosen) == len(runs):
        return f"all {len(runs)}" if len(runs) > 1 else runs[0]
    methods = list(dict.fromkeys(run.split("/")[0] for run in chosen))
    named = f" ({', '.join(methods)})" if len(methods) <= 3 else ""
    return f"{len(chosen)} of {len(runs)}{named}"


def _columns(headings: list[str], rows: list[list[str]]) -> str:
    """Return a Markdown table with cells padded to the width of their column."""
    lines = [headings, *([*map(markdown_cell, row)] for row in rows)]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    lines.insert(1, ["-" * width for width in widths])
    padded = ([c.ljust(w) for c, w in zip(line, widths, strict=True)] for line in lines)
    return "\n".join(f"| {' | '.join(line)} |" for line in padded)


def _count(frame: pd.DataFrame) -> str:
    entries = frame.entry.nunique()
    return f"{entries} {'entry differs' if entries == 1 else 'entries differ'}"


def _rows(frame: pd.DataFrame) -> list[dict[str, object]]:
    return [
        {key: None if value is not None and value != value else value for key, value in row.items()}
        for row in frame.to_dict("records")
    ]
