"""What differs between two trees of one suite: numbers against their noise, and entry by entry.

A number is the mean over seeds of a method's AP or MOTA on one kind of boxes. It has changed beyond
the noise if the 95% Student interval of the differences between runs of the same seed excludes zero
(`tdmi.reporting.data.comparison`). That noise is of the seeds alone: not of machines, not of videos.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pandas as pd

from tdmi.reporting.data import comparison
from tdmi.reporting.diff.trees import Tree
from tdmi.reporting.page.html import flat

EQUAL, WITHIN, BEYOND = "equal", "within the noise", "beyond the noise"
TOO_FEW, ONLY_A, ONLY_B = "too few shared seeds", "only in A", "only in B"
VERDICTS = (EQUAL, WITHIN, BEYOND, TOO_FEW, ONLY_A, ONLY_B)
MEASURES = ("ap", "mota")
_MANY = 3
"""More pairs of values than this are counted, not listed: hashes differ from run to run."""


@dataclass(frozen=True)
class Comparison:
    """Tree A beside tree B of one suite.

    numbers:  method, protocol, measure, verdict, a, b (means over the shared seeds, or over all
              where only one side has any, in per cent), difference (b minus a), low, high (its 95%
              interval), seeds (shared), seeds_a, seeds_b
    settings, records: entry, a, b , runs (a list of names), see `entry_changes`;
              empty where all shared runs agree
    runs:     names of the runs that both have a record or settings of
    only_a, only_b: names of the other runs
    configured: of how many shared runs both trees know the settings
    """

    numbers: pd.DataFrame
    settings: pd.DataFrame
    records: pd.DataFrame
    runs: list[str]
    only_a: list[str]
    only_b: list[str]
    configured: int


def compare(a: Tree, b: Tree) -> Comparison:
    ours, theirs = ({**tree.records, **tree.settings} for tree in (a, b))
    return Comparison(
        numbers=number_changes(a, b),
        settings=entry_changes(a.settings, b.settings),
        records=entry_changes(_lasting(a.records), _lasting(b.records)),
        runs=[run for run in ours if run in theirs],
        only_a=[run for run in ours if run not in theirs],
        only_b=[run for run in theirs if run not in ours],
        configured=len(a.settings.keys() & b.settings.keys()),
    )


def number_changes(a: Tree, b: Tree) -> pd.DataFrame:
    """One row per method, box protocol and measure that either tree has, as in `Comparison`."""
    sides = [_by_number(tree.values) for tree in (a, b)]
    methods = [run.split("/")[0] for tree in (b, a) for run in tree.records]
    order = {name: place for place, name in enumerate(dict.fromkeys(methods))}
    keys = sorted(
        sides[0].keys() | sides[1].keys(),
        key=lambda key: (key[1:], order.get(key[0], len(order)), key),
    )
    rows = [
        dict(zip(("method", "protocol", "measure"), key, strict=True))
        | _number_change(sides[0].get(key), sides[1].get(key))
        for key in keys
    ]
    columns = ["method", "protocol", "measure", "verdict", "a", "b", "difference", "low", "high"]
    return pd.DataFrame(rows, columns=[*columns, "seeds", "seeds_a", "seeds_b"])


def _by_number(values: pd.DataFrame) -> dict[tuple[str, str, str], pd.DataFrame]:
    """{(method, protocol, measure): values, rows joint, columns seed}."""
    chosen = values[values.measure.isin(MEASURES)]
    groups = chosen.groupby(["method", "protocol", "measure"])
    return {
        key: group.pivot(index="joint", columns="seed", values="value") for key, group in groups
    }


def _number_change(a: pd.DataFrame | None, b: pd.DataFrame | None) -> dict[str, Any]:
    if a is None or b is None:
        only, values = ("b", b) if a is None else ("a", a)
        return {
            "verdict": ONLY_B if a is None else ONLY_A,
            only: values.loc["total"].mean(),
            "seeds": 0,
            "seeds_a": 0 if a is None else a.shape[1],
            "seeds_b": 0 if b is None else b.shape[1],
        }
    seeds = a.columns.intersection(b.columns)
    totals = pd.DataFrame({"a": a.loc["total", seeds], "b": b.loc["total", seeds]}).T
    change = comparison.differences(totals, "a").loc["b"]
    if len(seeds) and a[seeds].equals(b[seeds]):
        verdict = EQUAL
    elif change["holds"] is None:
        verdict = TOO_FEW
    else:
        verdict = BEYOND if change["holds"] else WITHIN
    return {
        "verdict": verdict,
        "a": totals.loc["a"].mean(),
        "b": totals.loc["b"].mean(),
        "difference": change["mean"],
        "low": change["low"],
        "high": change["high"],
        "seeds": len(seeds),
        "seeds_a": a.shape[1],
        "seeds_b": b.shape[1],
    }


def entry_changes(a: dict[str, dict], b: dict[str, dict]) -> pd.DataFrame:
    """Entries of nested mappings that differ in runs of the same name: entry, a, b, runs.

    Runs with the same pair of values share a row. An entry with more than three such pairs has one
    row: a side's value if it has only one, else how many it has. An entry that is not there counts
    as None.
    """
    found: dict[str, dict[tuple[str, str], list[str]]] = {}
    values: dict[str, Any] = {}
    for run in (name for name in a if name in b):
        one, other = flat(a[run]), flat(b[run])
        for entry in dict.fromkeys([*one, *other]):
            sides = one.get(entry), other.get(entry)
            if sides[0] != sides[1]:
                pair = repr(sides[0]), repr(sides[1])
                values |= dict(zip(pair, sides, strict=True))
                found.setdefault(entry, {}).setdefault(pair, []).append(run)
    rows = []
    for entry, pairs in found.items():
        if len(pairs) > _MANY:
            sides = [set(side) for side in zip(*pairs, strict=True)]
            cells = [values[min(s)] if len(s) == 1 else f"{len(s)} values" for s in sides]
            rows.append((entry, *cells, [run for runs in pairs.values() for run in runs]))
        else:
            rows += [(entry, values[x], values[y], runs) for (x, y), runs in pairs.items()]
    return pd.DataFrame(rows, columns=["entry", "a", "b", "runs"], dtype=object)


def _lasting(records: dict[str, dict]) -> dict[str, dict]:
    """Records without what no two runs share: how long they took."""
    return {
        run: {entry: value for entry, value in flat(record).items() if "second" not in entry}
        for run, record in records.items()
    }
