"""The table of differences in mean AP, with intervals, to the references and the best rival."""

from __future__ import annotations

import math

import pandas as pd

from tdmi.reporting.data import comparison
from tdmi.reporting.data.runs import Runs
from tdmi.reporting.data.settings import Settings
from tdmi.reporting.tables.tables import (
    DIFFERENCES_CAPTION,
    Cell,
    Table,
    anchor,
    number,
    section_ends,
    seeds_text,
    source,
    with_spread,
)


def differences_table(runs: Runs, settings: Settings, protocol: str) -> Table:
    """One row a method: mean AP, then for each counterpart the difference and its 95% interval.

    The best rival of a method is the other one with the highest mean over seeds, chosen on these
    very results, which favours it.
    """
    values = comparison.per_seed(runs.groups, protocol)
    summary = comparison.summary(values)
    named = {
        "single frame": settings.reference,
        "equal compute": settings.equal_compute,
        "equal layers": settings.equal_layers,
    }
    fixed = {words: name for words, name in named.items() if name is not None}
    changes = {name: comparison.differences(values, name) for name in values.index}
    cells, data = [], []
    for method in settings.methods:
        name = method.name
        rivals = summary["mean"].drop(name, errors="ignore").dropna()
        best = rivals.idxmax() if len(rivals) and name in summary.index else None
        mean, std, done = summary.loc[name] if name in summary.index else (math.nan, math.nan, 0)
        row = [Cell(method.label, method.label), Cell(with_spread(mean, std), mean)]
        record = {"method": name, "mean_ap_mean": mean, "mean_ap_std": std}
        for words, against in (*fixed.items(), ("best rival", best)):
            change = None
            if name in values.index and against in changes and against != name:
                change = changes[against].loc[name]
            key = f"vs_{words.replace(' ', '_')}"
            if words == "best rival":
                label = settings.method(best).label if best else ""
                row.append(Cell(label, label))
                record["best_rival"] = best
            row += _cells(change, against == name)
            record |= {
                f"{key}_{column}": math.nan if change is None else change[column]
                for column in ("mean", "std", "low", "high")
            }
        row.append(Cell(seeds_text(int(done), len(method.seeds)), int(done)))
        cells.append(row)
        data.append(record | {"seeds": int(done), "runs": source(runs, method)})
    headings = ["Method", "Mean"]
    for words in fixed:
        headings += [f"vs {words}", "95%"]
    return Table(
        name=f"differences_{protocol}",
        title=f"Differences on {settings.boxes(protocol)}",
        caption=(
            f"{settings.dataset.name}, split {settings.dataset.split}. Mean AP in per cent and "
            f"differences in points. {DIFFERENCES_CAPTION}95%: that interval. Best rival: the "
            "other method with the highest mean, chosen on these very results, which favours it."
        ),
        headings=[*headings, "Best rival", "vs best rival", "95%", "Seeds"],
        cells=cells,
        data=pd.DataFrame(data),
        text_columns=1,
        section_ends=section_ends(settings.methods),
        sources=tuple(anchor(runs, method) for method in settings.methods),
    )


def _cells(change: pd.Series | None, itself: bool) -> list[Cell]:
    if change is None or math.isnan(change["mean"]):
        return [Cell("reference" if itself else ""), Cell()]
    star = "*" if change["holds"] else ""
    ends = ""
    if not math.isnan(change.low):
        ends = f"{number(change.low, 1, True)} to {number(change.high, 1, True)}"
    text = with_spread(change["mean"], change["std"], sign=True) + star
    return [Cell(text, change["mean"]), Cell(ends, change.low)]
