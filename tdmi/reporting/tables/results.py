"""Tables of a suite: comparison and differences per box protocol, single videos, and timing.

Only the timing table differs between runs of the same seed.
"""

from __future__ import annotations

import math

import pandas as pd

from tdmi.reporting.data import comparison
from tdmi.reporting.data.runs import GROUPS, Runs
from tdmi.reporting.data.spec import Method, Record, ReportSpec
from tdmi.reporting.tables import tables
from tdmi.reporting.tables.tables import Cell, Row, Table

_DIFFERENCES = (
    "Differences are paired by seed (a reference with a single run is subtracted from all); "
    f"* marks those of at least {comparison.LEAST} whose 95% Student interval excludes zero. "
)
_MOTA = (
    " MOTA: the evaluator's tracking accuracy, mean of the joints, of the sure part of the same "
    "predictions, joined to tracks by one tracker for all methods."
)
_ENDS = ("mean", "std", "low", "high")
_TIMES = {
    "train_seconds": ("Training (s)", 0),
    "train_samples_per_second": ("Training (samples/s)", 1),
    "predict_ms_per_person": ("Prediction (ms/person)", 1),
}
"""Columns of timing.json: heading and decimals."""


def comparison_table(runs: Runs, spec: ReportSpec, protocol: str, prefix: str = "") -> Table:
    """Return AP per joint group, differences to the references, size and cost; a row per method.

    The mean is the evaluator's: the plain mean of all joints, not of the seven groups. `prefix`
    goes before the table's name.
    """
    data, release = spec.dataset, f" (labels {runs.release})" if runs.release else ""
    values = {group: comparison.per_seed(runs.groups, protocol, group) for group in GROUPS}
    summaries = {group: comparison.summary(values[group]) for group in GROUPS}
    if ((runs.groups.measure == "mota") & (runs.groups.protocol == protocol)).any():
        tracked = comparison.per_seed(runs.groups, protocol, measure="mota")
        summaries["mota"] = comparison.summary(tracked)
    best = {column: table["mean"].max() for column, table in summaries.items()}
    # The differences to a grid's reference have a table of their own.
    references = spec.references if not spec.is_grid else spec.references[1:]
    changes = {r: comparison.differences(values["total"], r.method.name) for r in references}

    def row(method: Method) -> Row:
        cells = [Cell(method.label, method.label), Cell(method.family_label, method.family_label)]
        record: Record = {"method": method.name, "label": method.label, "family": method.family}
        for column, table in summaries.items():
            mean, std = tables.values_of(table, method, "mean", "std")
            cells.append(tables.mean_cell(mean, std, best=mean == best[column]))
            key = "mean_ap" if column == "total" else column
            record |= {f"{key}_mean": mean, f"{key}_std": std}
        for reference, change in changes.items():
            ends = dict(zip(_ENDS, tables.values_of(change, method, *_ENDS), strict=True))
            is_reference = method.name == reference.method.name
            holds = change["holds"].get(method.name)
            cells.append(tables.difference_cell(ends["mean"], ends["std"], holds, is_reference))
            record |= {f"vs_{reference.key}_{name}": value for name, value in ends.items()}
        own_cells, own_record = tables.cost_cells(runs, method)
        done = int(summaries["total"]["n"].get(method.name, 0))
        record |= own_record | {"seeds": done, "seeds_planned": len(method.seeds)}
        return [*cells, *own_cells, tables.seeds_cell(done, method)], record

    headings = ["Method", "Family", *(tables.heading(column) for column in summaries)]
    headings += [f"vs {reference.words}" for reference in references]
    caption = (
        f"{data.name}{release}, split {data.split}, labels: {data.label_kind}. "
        f"Average precision of {spec.evaluator} in per cent, mean over seeds ± sample standard "
        "deviation. "
        + (_DIFFERENCES if references else "")
        + "Params: whole model. GFLOPs: per key frame, two operations per multiply-add."
        + (_MOTA if "mota" in summaries else "")
        + (f" {spec.note}" if spec.note else "")
        + (f" Runs of several commits: {runs.commits}." if runs.commits else "")
    )
    return tables.method_table(
        f"{prefix}comparison_{protocol}", f"Comparison on {spec.boxes(protocol)}", caption,
        [*headings, "Params (M)", "GFLOPs", "Seeds"], runs, spec.methods, row, text_columns=2,
    )  # fmt: skip


def differences_table(runs: Runs, spec: ReportSpec, protocol: str) -> Table:
    """Return mean AP, and for each reference and the best rival the difference and its interval.

    The best rival of a method is the other one with the highest mean over seeds, chosen on these
    very results, which favours it.
    """
    values = comparison.per_seed(runs.groups, protocol)
    summary = comparison.summary(values)
    changes = {name: comparison.differences(values, name) for name in values.index}
    none = pd.DataFrame(columns=[*_ENDS, "holds"])

    def row(method: Method) -> Row:
        name = method.name
        rivals = summary["mean"].drop(name, errors="ignore").dropna()
        best = rivals.idxmax() if len(rivals) and name in summary.index else None
        mean, std, n = tables.values_of(summary, method, "mean", "std", "n")
        cells = [Cell(method.label, method.label), tables.mean_cell(mean, std)]
        record = {"method": name, "mean_ap_mean": mean, "mean_ap_std": std}
        against = {reference.key: reference.method.name for reference in spec.references}
        for key, other in (against | {"best_rival": best}).items():
            if key == "best_rival":
                label = spec.method(best).label if best else ""
                cells.append(Cell(label, label))
                record["best_rival"] = best
            change = changes.get(other, none).drop(name if other == name else [], errors="ignore")
            ends = tables.values_of(change, method, *_ENDS)
            cell = tables.difference_cell(ends[0], ends[1], change["holds"].get(name))
            cells += [Cell("reference") if other == name else cell, tables.interval_cell(*ends[2:])]
            record |= {f"vs_{key}_{end}": value for end, value in zip(_ENDS, ends, strict=True)}
        done = 0 if math.isnan(n) else int(n)
        return [*cells, tables.seeds_cell(done, method)], record | {"seeds": done}

    headings = ["Method", "Mean"]
    for reference in spec.references:
        headings += [f"vs {reference.words}", "95%"]
    caption = (
        f"{spec.dataset.name}, split {spec.dataset.split}. Mean AP in per cent and "
        f"differences in points. {_DIFFERENCES}95%: that interval. Best rival: the "
        "other method with the highest mean, chosen on these very results, which favours it."
    )
    return tables.method_table(
        f"differences_{protocol}", f"Differences on {spec.boxes(protocol)}", caption,
        [*headings, "Best rival", "vs best rival", "95%", "Seeds"], runs, spec.methods, row,
    )  # fmt: skip


def videos_table(runs: Runs, spec: ReportSpec, protocol: str) -> Table:
    """Return the mean AP of every video, averaged over seeds; a row per method."""
    chosen = runs.videos[runs.videos.protocol == protocol]
    means = chosen.groupby(["method", "video"]).ap_total.mean().astype(float)
    videos = sorted(chosen.video.unique())

    def row(method: Method) -> Row:
        numbers = [means.get((method.name, video), math.nan) for video in videos]
        cells = [Cell(method.label, method.label), *(Cell(tables.number(x), x) for x in numbers)]
        return cells, {"method": method.name} | dict(zip(videos, numbers, strict=True))

    return tables.method_table(
        f"videos_{protocol}", f"Single videos, {spec.boxes(protocol)}",
        "Mean AP of each video in per cent, averaged over seeds.", ["Method", *videos], runs,
        spec.methods, row,
    )  # fmt: skip


def timing_table(runs: Runs, spec: ReportSpec) -> Table:
    """Return training time and speed of prediction: of this machine and moment."""

    def row(method: Method) -> Row:
        own = runs.timing[runs.timing.method == method.name]
        device = ", ".join(sorted({str(x) for x in own["device"]})) if "device" in own else ""
        cells = [Cell(method.label, method.label), Cell(device, device)]
        record = {"method": method.name}
        for key, (_, digits) in _TIMES.items():
            numbers = own[key].astype(float) if key in own else pd.Series(dtype=float)
            mean, std = numbers.mean(), numbers.std(ddof=1)
            cells.append(tables.mean_cell(mean, std, digits))
            record |= {f"{key}_mean": mean, f"{key}_std": std}
        cells.append(tables.seeds_cell(len(own), method))
        return cells, record | {"device": device, "seeds": len(own)}

    return tables.method_table(
        "timing", "Time",
        "Wall time, mean over seeds ± sample standard deviation. It depends on the machine "
        "and on what else it did; it is no part of what a repeated run must reproduce.",
        ["Method", "Device", *(text for text, _ in _TIMES.values()), "Seeds"], runs,
        spec.methods, row, text_columns=2,
    )  # fmt: skip
