"""A plan, and a plan beside what was measured, as tables and figures."""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd
from matplotlib.figure import Figure
from matplotlib.ticker import NullFormatter

from tdmi.experiments.plan.plan import Plan
from tdmi.reporting.figures import style
from tdmi.reporting.tables.tables import Cell, Table, number


def plan_table(plan: Plan) -> Table:
    """One row per method and one for the sum."""
    cells = []
    for one in plan.rows.itertuples():
        sizes = [one.step_gflops, one.pflops, one.memory_bytes / 1e9, one.disk_bytes / 1e6]
        hours = [one.train_hours, one.predict_hours, one.hours]
        cells.append(
            [
                Cell(one.suite, one.suite),
                Cell(one.label, one.label),
                Cell(str(one.runs), one.runs),
                Cell(_whole(one.steps), one.steps),
                Cell(_whole(one.samples), one.samples),
                *_numbers([*sizes, *hours]),
            ]
        )
    sums = plan.rows[["pflops", "train_hours", "predict_hours", "hours"]].sum(skipna=False)
    runs, disk = int(plan.rows.runs.sum()), plan.rows.disk_bytes.sum(skipna=False)
    total = [Cell("all"), Cell("Sum"), Cell(str(runs), runs), Cell(), Cell(), Cell()]
    total += [*_numbers([sums.pflops]), Cell(), *_numbers([disk / 1e6])]
    total += _numbers([sums.train_hours, sums.predict_hours, sums.hours])
    data = "not known" if plan.data_bytes is None else f"{plan.data_bytes / 1e9:.2f} GB"
    return Table(
        name="plan",
        title=f"Plan for {plan.device}",
        caption=(
            f"Planned for {plan.device}; blank: not known. Steps and samples (windows drawn) are "
            "of one run, GFLOPs of one step forwards and backwards; PFLOPs, disk and hours are of "
            "all runs, with validation and prediction (every box protocol, flip test). Memory of "
            "one training: weights, gradients, Adam's means and the step's own tensors at their "
            "peak. Disk: checkpoints and predictions; the data sets besides: "
            f"{data}. " + " ".join(plan.notes)
        ),
        headings=[
            "Suite", "Method", "Runs", "Steps", "Samples", "GFLOPs/step", "PFLOPs", "Memory (GB)",
            "Disk (MB)", "Training (h)", "Prediction (h)", "Sum (h)",
        ],
        cells=[*cells, total],
        data=plan.rows,
    )  # fmt: skip


def plan_figure(plan: Plan) -> Figure:
    """A bar of hours per method: training, then prediction."""
    rows = plan.rows
    with style.applied():
        figure = Figure(figsize=(8.0, 1.3 + 0.28 * len(rows)), layout="constrained")
        axes = figure.subplots()
        style.rows_axis(axes, _labels(rows))
        for place, one in enumerate(rows.itertuples()):
            colour = style.colour(one.family)
            axes.barh(place, one.train_hours, color=colour, height=0.62)
            axes.barh(
                place, one.predict_hours, left=one.train_hours, color=colour, alpha=0.4, height=0.62
            )
            _remark(axes, number(one.hours, _digits(one.hours)) or "not known", one.hours, place)
        axes.margins(x=0.12)
        axes.set_xlabel(f"Hours on {plan.device} (pale: prediction)")
    return figure


MEASURES = {
    "train_seconds": ("Training of one run (s)", 1.0),
    "predict_seconds": ("Prediction of one person (ms)", 1e3),
    "memory_bytes": ("Memory of training (MB)", 1e-6),
    "disk_bytes": ("Disk of one run (MB)", 1e-6),
}
"""What is planned and measured: heading and factor to its unit."""


def comparison_table(frame: pd.DataFrame, device: str) -> Table:
    """Planned, measured and their ratio, for each of MEASURES."""
    cells = []
    for one in frame.to_dict("records"):
        line = [Cell(one["suite"]), Cell(one["label"]), Cell(f"{one['done']} of {one['runs']}")]
        for key, (_, factor) in MEASURES.items():
            planned, measured = (factor * one[f"{kind}_{key}"] for kind in ("planned", "measured"))
            line += _numbers([planned, measured, measured / planned])
        cells.append(line)
    headings = ["Suite", "Method", "Runs done"]
    for text, _ in MEASURES.values():
        headings += [f"{text}: planned", "measured", "ratio"]
    return Table(
        name="plan_comparison",
        title="Planned and measured",
        caption=(
            f"Planned for {device}; measured: means over the runs that are done, blank where none "
            "is. Times are wall times of a machine that may have done other work. Measured memory "
            "is the process's largest resident size."
        ),
        headings=headings,
        cells=cells,
        data=frame,
    )


def comparison_figure(frame: pd.DataFrame) -> Figure:
    """Per method an open mark for the plan, a full one for what was measured, on a log axis."""
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
                planned, measured = (
                    factor * one[f"{kind}_{key}"] for kind in ("planned", "measured")
                )
                colour, marker = style.colour(one["family"]), style.marker(one["family"])
                axes.plot([planned, measured], [place] * 2, color=colour, linewidth=1, alpha=0.6)
                axes.plot([planned], [place], marker, color=colour, mfc="white", markersize=7)
                axes.plot([measured], [place], marker, color=colour, markersize=7)
            axes.set_xlabel("open: planned, full: measured")
    return figure


def _labels(rows: pd.DataFrame) -> list[str]:
    several = rows.suite.nunique() > 1
    pairs = zip(rows.suite, rows.label, strict=True)
    return [f"{label} ({suite})" if several else label for suite, label in pairs]


def _numbers(values: list[float]) -> list[Cell]:
    return [Cell(number(value, _digits(value)), value) for value in values]


def _digits(value: float) -> int:
    """Decimals that leave three digits or all before the point."""
    limits: Mapping[float, int] = {100: 0, 10: 1, 1: 2, 0.1: 3}
    return next((digits for limit, digits in limits.items() if abs(value) >= limit), 4)


def _whole(value: float) -> str:
    return "" if value != value else f"{int(value):,}"


def _remark(axes, text: str, x: float, y: int) -> None:
    axes.annotate(
        text, (0 if x != x else x, y), xytext=(5, 0), textcoords="offset points", va="center",
        fontsize=8,
    )  # fmt: skip
