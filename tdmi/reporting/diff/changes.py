"""Differences between two trees of one suite: numbers against their noise, and entry by entry.

A number is the mean over seeds of a method's AP or MOTA on one kind of boxes. It is beyond the
noise if the 95% Student interval of the differences between runs of the same seed excludes zero
(`tdmi.reporting.data.comparison`). That noise is of the seeds alone: not of machines or videos.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import pandas as pd

from tdmi.reporting.data import comparison
from tdmi.reporting.data.spec import Record, flat
from tdmi.reporting.diff.trees import Tree

EQUAL, WITHIN, BEYOND = "equal", "within the noise", "beyond the noise"
TOO_FEW, ONLY_A, ONLY_B = "too few shared seeds", "only in A", "only in B"
VERDICTS = (EQUAL, WITHIN, BEYOND, TOO_FEW, ONLY_A, ONLY_B)
MEASURES = ("ap", "mota")
_KEY = ["method", "protocol", "measure"]
_NUMBERS = ["verdict", "a", "b", "difference", "low", "high", "seeds", "seeds_a", "seeds_b"]
_MANY = 3
"""More pairs of values than this are counted, not listed: hashes differ from run to run."""


@dataclass(frozen=True)
class Comparison:
    """Tree A beside tree B of one suite; the names of its fields are those of the JSON.

    numbers:  method, protocol, measure, verdict, a, b (means over the shared seeds, or over all
              where only one side has any, in per cent), difference (b minus a), low, high (its 95%
              interval), seeds (shared), seeds_a, seeds_b
    settings, records: entry, a, b, runs (a list of names), see `entry_changes`
    runs:     names of the runs that both have a record or settings of; then those of one side
    """

    numbers: pd.DataFrame
    settings: pd.DataFrame
    runs_with_known_settings: int
    records: pd.DataFrame
    runs: list[str]
    runs_only_a: list[str]
    runs_only_b: list[str]


@dataclass(frozen=True)
class Diff:
    """Two trees by name, and the comparison of each suite that both have."""

    a: str
    b: str
    suites_only_a: list[str]
    suites_only_b: list[str]
    suites: dict[str, Comparison]


def compare(a: Tree, b: Tree) -> Comparison:
    ours, theirs = ({**tree.records, **tree.settings} for tree in (a, b))
    return Comparison(
        number_changes(a, b),
        entry_changes(a.settings, b.settings),
        len(a.settings.keys() & b.settings.keys()),
        entry_changes(_lasting(a.records), _lasting(b.records)),
        [run for run in ours if run in theirs],
        [run for run in ours if run not in theirs],
        [run for run in theirs if run not in ours],
    )


def number_changes(a: Tree, b: Tree) -> pd.DataFrame:
    """Return one row per method, box protocol and measure that either tree has."""
    ours, theirs = (_by_number(tree.values) for tree in (a, b))
    methods = [run.split("/")[0] for tree in (b, a) for run in tree.records]
    order = {name: place for place, name in enumerate(dict.fromkeys(methods))}
    keys = sorted(
        ours.keys() | theirs.keys(),
        key=lambda key: (key[1:], order.get(key[0], len(order)), key),
    )
    empty = pd.DataFrame(index=["total"])
    rows = [(*key, *_number_change(ours.get(key, empty), theirs.get(key, empty))) for key in keys]
    return pd.DataFrame(rows, columns=[*_KEY, *_NUMBERS])


def _by_number(values: pd.DataFrame) -> dict[tuple[str, str, str], pd.DataFrame]:
    """Return {(method, protocol, measure): values, rows joint, columns seed}."""
    groups = values[values.measure.isin(MEASURES)].groupby(_KEY)
    return {
        key: group.pivot(index="joint", columns="seed", values="value") for key, group in groups
    }


def _number_change(a: pd.DataFrame, b: pd.DataFrame) -> tuple[str | float, ...]:
    """Return the values of `_NUMBERS`; a side without seeds is not there."""
    sizes = a.shape[1], b.shape[1]
    if not all(sizes):
        means = (side.loc["total"].mean() for side in (a, b))
        return ONLY_A if sizes[0] else ONLY_B, *means, *(math.nan,) * 3, 0, *sizes
    seeds = a.columns.intersection(b.columns)
    totals = pd.DataFrame({"a": a.loc["total", seeds], "b": b.loc["total", seeds]}).T
    change = comparison.differences(totals, "a").loc["b"]
    verdict = BEYOND if change["holds"] else TOO_FEW if change["holds"] is None else WITHIN
    if len(seeds) and a[seeds].equals(b[seeds]):
        verdict = EQUAL
    ends = change[["mean", "low", "high"]]
    return verdict, *totals.mean(axis=1), *ends, len(seeds), *sizes


def entry_changes(a: Mapping[str, Record], b: Mapping[str, Record]) -> pd.DataFrame:
    """Return entries of nested mappings that differ in runs of the same name: entry, a, b, runs.

    Runs with the same pair of values share a row. An entry with more than three such pairs has one
    row: a side's value if it has only one, else how many it has. A missing entry counts as None.
    """
    found: dict[str, dict[str, tuple[object, object, list[str]]]] = {}
    for run in (name for name in a if name in b):
        one, other = flat(a[run]), flat(b[run])
        for entry in dict.fromkeys([*one, *other]):
            sides = one.get(entry), other.get(entry)
            if sides[0] != sides[1]:
                pairs = found.setdefault(entry, {})
                pairs.setdefault(repr(sides), (*sides, []))[2].append(run)
    rows = []
    for entry, pairs in found.items():
        if len(pairs) > _MANY:
            ours, theirs, runs = zip(*pairs.values(), strict=True)
            rows.append((entry, _one(ours), _one(theirs), [run for own in runs for run in own]))
        else:
            rows += [(entry, *pair) for pair in pairs.values()]
    return pd.DataFrame(rows, columns=["entry", "a", "b", "runs"], dtype=object)


def _one(values: tuple[object, ...]) -> object:
    """Return the value if all are the same, else their number."""
    count = len(set(map(repr, values)))
    return values[0] if count == 1 else f"{count} values"


def _lasting(records: Mapping[str, Record]) -> dict[str, Record]:
    """Return the records without times, which no two runs share."""
    return {
        run: {entry: value for entry, value in flat(record).items() if "second" not in entry}
        for run, record in records.items()
    }
