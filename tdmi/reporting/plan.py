"""A plan, and a plan beside what was measured, as tables and figures."""

from __future__ import annotations

import math
from typing import Any

import pandas as pd
from matplotlib.figure import Figure
from matplotlib.ticker import NullFormatter

from tdmi.experiments.plan.plan import Plan
from tdmi.reporting.figures import style
from tdmi.reporting.tables.tables import Cell, Table, number

HEADINGS = {
    "suite": "Suite",
    "label": "Method",
    "runs": "Runs",
    "steps": "Steps",
    "samples": "Samples",
    "step_gflops": "GFLOPs/step",
    "pflops": "PFLOPs",
    "memory_gb": "Memory (GB)",
    "disk_mb": "Disk (MB)",
    "train_hours": "Training (h)",
    "predict_hours": "Prediction (h)",
    "hours": "Sum (h)",
}
SUMMED = ("runs", "pflops", "disk_mb", "train_hours", "predict_hours", "hours")
MEASURES = {
    "train_seconds": ("Training of one run (s)", 1.0),
    "predict_seconds": ("Prediction of one person (ms)", 1e3),
    "memory_bytes": ("Memory of training (MB)", 1e-6),
    "disk_bytes": ("Disk of one run (MB)", 1e-6),
}
"""Planned and measured quantities: heading and factor to its unit."""


def plan_table(plan: Plan) -> Table:
    """Return one row per method and one for the sum."""
    rows = plan.rows.assign(
        memory_gb=plan.rows.memory_bytes / 1e9, disk_mb=plan.rows.disk_bytes / 1e6
    )
    sums = rows[[*SUMMED]].sum(skipna=False).to_dict()
    total = {"suite": "all", "label": "Sum"} | sums | {"runs": int(sums["runs"])}
    data = "not known" if plan.data_bytes is None else f"{plan.data_bytes / 1e9:.2f} GB"
    return Table(
        name="plan",
        title=f"Plan for {plan.device}",
        caption=(
            f"Planned for {plan.device}; blank: not known. Steps and samples (windows drawn) are "
            "of one run, GFLOPs of one step forwards and backwards; PFLOPs, disk and hours are of "
            "all runs, with validation and prediction (every box protocol, flip test). Memory of "
            "one training: weights, gradients, Adam's means, and what the step itself keeps. Disk: "
            f"checkpoints and predictions; the data sets besides: {data}. " + " ".join(plan.notes)
        ),
        headings=list(HEADINGS.values()),
        cells=[
            [_cell(key, row[key]) if key in row else Cell() for key in HEADINGS]
            for row in [*rows.to_dict("records"), total]
        ],
        data=plan.rows,
    )


def plan_figure(plan: Plan) -> Figure:
    """Draw a bar of hours per method: training, then prediction."""
    rows = plan.rows
    with style.applied():
        figure = Figure(figsize=(8.0, 1.3 + 0.28 * len(rows)), layout="constrained")
        axes = figure.subplots()
        style.rows_axis(axes, _labels(rows))
        places = range(len(rows))
        bars: dict[str, Any] = {"color": [*map(style.colour, rows.family)], "height": 0.62}
        axes.barh(places, rows.train_hours, **bars)
        axes.barh(places, rows.predict_hours, left=rows.train_hours, alpha=0.4, **bars)
        for place, hours in zip(places, rows.hours, strict=True):
            end = (0 if math.isnan(hours) else hours, place)
            style.note(axes, _rounded(hours) or "not known", end, offset=5)
        axes.margins(x=0.12)
        axes.set_xlabel(f"Hours on {plan.device} (pale: prediction)")
    return figure


def comparison_table(frame: pd.DataFrame, device: str) -> Table:
    """Return planned and measured values and their ratio, for each of MEASURES."""
    cells = []
    for one in frame.to_dict("records"):
        line = [Cell(one["suite"]), Cell(one["label"]), Cell(f"{one['done']} of {one['runs']}")]
        for key, (_, factor) in MEASURES.items():
            planned, measured = one[f"planned_{key}"], one[f"measured_{key}"]
            values = (factor * planned, factor * measured, measured / planned)
            line += [Cell(_rounded(value), value) for value in values]
        cells.append(line)
    headings = ["Suite", "Method", "Runs done"]
    for text, _ in MEASURES.values():
        headings += [f"{text}: planned", "measured", "ratio"]
    return Table(
        name="plan_comparison",
        title="Planned and measured",
        caption=(
            f"Planned for {device}; measured: means over the finished runs, blank without one. "
            "Times are wall times of a machine that may have done other work. Measured memory is "
            "the process's largest resident size."
        ),
        headings=headings,
        cells=cells,
        data=frame,
    )


def comparison_figure(frame: pd.DataFrame) -> Figure:
    """Draw an open mark for the plan and a full one for the measurement, on a log axis."""
    with style.applied():
        figure = Figure(figsize=(9.6, 1.4 + 0.28 * len(frame)), layout="constrained")
        panels = figure.subplots(1, 2, sharey=True)
        for axes, key in zip(panels, ("train_seconds", "predict_seconds"), strict=True):
            text, factor = MEASURES[key]
            style.rows_axis(axes, _labels(frame))
            axes.set_xscale("log")
            axes.xaxis.set_major_formatter("{x:g}")
            axes.xaxis.set_minor_formatter(NullFormatter())
            axes.set_title(text)
            for place, one in enumerate(frame.to_dict("records")):
                ends = [factor * one[f"{kind}_{key}"] for kind in ("planned", "measured")]
                colour, marker = style.colour(one["family"]), style.marker(one["family"])
                axes.plot(ends, [place] * 2, color=colour, linewidth=1, alpha=0.6)
                for end, fill in zip(ends, ("white", colour), strict=True):
                    axes.plot([end], [place], marker, color=colour, mfc=fill, markersize=7)
            axes.set_xlabel("open: planned, full: measured")
    return figure


def _labels(rows: pd.DataFrame) -> list[str]:
    pairs = zip(rows.suite, rows.label, strict=True)
    several = rows.suite.nunique() > 1
    return [f"{label} ({suite})" if several else label for suite, label in pairs]


def _cell(key: str, value: str | float) -> Cell:
    if isinstance(value, str):
        return Cell(value, value)
    if key in ("runs", "steps", "samples"):
        return Cell("" if math.isnan(value) else f"{int(value):,}", value)
    return Cell(_rounded(value), value)


def _rounded(value: float) -> str:
    """Write three digits, or all before the point; blank for NaN."""
    return number(value, 4 - sum(abs(value) >= limit for limit in (0.1, 1, 10, 100)))
