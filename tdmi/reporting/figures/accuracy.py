"""Figures about accuracy: one function per figure, data frame in, matplotlib figure out.

The `*_data` functions make the frame that a figure draws and that is saved beside it.
"""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from tdmi.reporting.data import comparison
from tdmi.reporting.data.runs import GROUPS, Runs
from tdmi.reporting.data.settings import Method
from tdmi.reporting.figures import style
from tdmi.reporting.figures.axis_clipping import arrow_across, arrow_below, ends_of, outlying
from tdmi.reporting.tables.tables import heading, number

Methods = tuple[Method, ...]
Protocols = dict[str, str]
"""Box protocols and their names in captions."""


def mean_ap_data(runs: Runs, protocols: Protocols, against: str | None) -> pd.DataFrame:
    """Columns protocol, method, seed, value: mean AP of every run in per cent.

    With `against`, value is the difference to that method's run of the same seed.
    """
    parts = []
    for protocol in protocols:
        values = comparison.per_seed(runs.groups, protocol)
        if against is not None:
            values = comparison.paired(values, against)
        long = values.stack().rename("value").reset_index()
        long.insert(0, "protocol", protocol)
        parts.append(long)
    return pd.concat(parts, ignore_index=True)


def mean_ap(
    data: pd.DataFrame, methods: Methods, protocols: Protocols, against: Method | None
) -> Figure:
    """A row per method: small marks for seeds, a large one and its value for their mean.

    With `against`, the values are differences to that method, whose row is the line at zero.
    """
    relative = against is not None
    axis = f"Difference in mean AP to “{against.label}”" if relative else "Mean AP (%)"
    with style.applied():
        figure, panels = row_panels(len(protocols), len(methods))
        for panel, (protocol, boxes) in zip(panels, protocols.items(), strict=True):
            chosen = data[data.protocol == protocol]
            panel.set_title(boxes.capitalize())
            style.rows_axis(panel, [method.label for method in methods])
            if relative:
                panel.axvline(0, color=style.MUTED, linewidth=1)
            far = outlying(ends_of(chosen))
            for row, method in enumerate(methods):
                values = chosen[chosen.method == method.name].value
                if method == against and len(values):
                    remark(panel, "reference", (0, row), "data")
                elif method.name not in far:
                    dots(panel, row, values, method, relative)
            panel.margins(x=0.15)
            panel.locator_params(axis="x", nbins=6)
            panel.set_xlabel(axis)
            for row, method in enumerate(methods):
                if method.name in far:
                    mean = chosen[chosen.method == method.name].value.mean()
                    arrow_across(panel, row, mean, style.colour(method.family), relative)
    return figure


def row_panels(count: int, rows: int, width: float = 9.6) -> tuple[Figure, list[Axes]]:
    figure = Figure(figsize=(width, 1.1 + 0.3 * rows), layout="constrained")
    return figure, list(figure.subplots(1, count, sharey=True, squeeze=False)[0])


def dots(axes: Axes, row: int, values: pd.Series, method: Method, relative: bool) -> None:
    if values.empty:
        remark(axes, "not run", (0, row), ("axes fraction", "data"))
        return
    colour, mean = style.colour(method.family), values.mean()
    axes.hlines(row, values.min(), values.max(), color=colour, linewidth=1.2, alpha=0.6)
    axes.plot(values, [row] * len(values), "o", markersize=4, color=colour, alpha=0.55, mew=0)
    axes.plot(
        [mean], [row], style.marker(method.family), markersize=7, color=colour, mec="white", mew=0.8
    )
    axes.annotate(
        number(mean, 1, sign=relative), (max(values.max(), mean), row), xytext=(7, 0),
        textcoords="offset points", va="center", fontsize=8,
    )  # fmt: skip


def remark(axes: Axes, text: str, place: tuple[float, float], coordinates) -> None:
    axes.annotate(
        text, place, xycoords=coordinates, xytext=(6, 0), textcoords="offset points",
        va="center", color=style.MUTED, style="italic", fontsize=8,
    )  # fmt: skip


def per_joint_data(runs: Runs, protocol: str) -> pd.DataFrame:
    """Columns joint, method, mean, std, n: AP in per cent over seeds for groups and mean."""
    parts = []
    for group in GROUPS:
        part = comparison.summary(comparison.per_seed(runs.groups, protocol, group)).reset_index()
        part.insert(0, "joint", group)
        parts.append(part)
    return pd.concat(parts, ignore_index=True)


def per_joint(data: pd.DataFrame, methods: Methods) -> Figure:
    """A panel per joint group: a bar per method from zero, the spread of seeds as a whisker."""
    with style.applied():
        figure = Figure(figsize=(9.6, 2 * (0.7 + 0.25 * len(methods))), layout="constrained")
        panels = figure.subplots(2, math.ceil(len(GROUPS) / 2), sharex=True, sharey=True).flat
        for panel, group in zip(panels, GROUPS, strict=True):
            chosen = data[data.joint == group].set_index("method")
            panel.set_title(heading(group))
            style.rows_axis(panel, [method.label for method in methods])
            for row, method in enumerate(methods):
                if method.name in chosen.index:
                    _bar(panel, row, chosen.loc[method.name], style.colour(method.family))
                else:
                    remark(panel, "not run", (0, row), "data")
            panel.set_xlim(0, 118)
            panel.set_xticks([0, 50, 100])
    return figure


def _bar(axes: Axes, row: int, values: pd.Series, colour: str) -> None:
    mean, std = float(values["mean"]), float(values["std"])
    axes.barh(row, mean, height=0.62, color=colour)
    if not math.isnan(std):
        axes.hlines(row, mean - std, mean + std, color=style.INK, linewidth=1.2)
    end = mean if math.isnan(std) else mean + std
    axes.annotate(
        number(mean, 1), (end, row), xytext=(3, 0), textcoords="offset points", va="center",
        fontsize=7.5,
    )  # fmt: skip


def cost_data(runs: Runs, protocols: Protocols) -> pd.DataFrame:
    """Columns protocol, method, gflops, mean, std: mean AP over seeds beside the cost."""
    parts = []
    for protocol in protocols:
        part = comparison.summary(comparison.per_seed(runs.groups, protocol)).reset_index()
        part.insert(0, "protocol", protocol)
        parts.append(part.merge(runs.cost[["method", "gflops"]], on="method"))
    columns = ["protocol", "method", "gflops", "mean", "std", "n"]
    return pd.concat(parts, ignore_index=True)[columns].dropna(subset=["gflops", "mean"])


def accuracy_against_cost(data: pd.DataFrame, methods: Methods, protocols: Protocols) -> Figure:
    """Mean AP (whiskers: standard deviation over seeds) against GFLOPs per key frame."""
    with style.applied():
        figure = Figure(figsize=(9.6, max(3.8, 1.2 + 0.18 * len(methods))), layout="constrained")
        panels = figure.subplots(1, len(protocols), squeeze=False)[0]
        for panel, (protocol, boxes) in zip(panels, protocols.items(), strict=True):
            panel.set_title(boxes.capitalize())
            panel.set_xlabel("GFLOPs per key frame")
            panel.set_ylabel("Mean AP (%)")
            chosen = data[data.protocol == protocol].set_index("method")
            far = outlying(ends_of(chosen.reset_index(), "mean"))
            present = [method for method in methods if method.name in chosen.index]
            shown = [method for method in present if method.name not in far]
            for method in shown:
                x, mean, std = chosen.loc[method.name, ["gflops", "mean", "std"]]
                panel.errorbar(
                    x, mean, yerr=None if math.isnan(std) else std, fmt=style.marker(method.family),
                    color=style.colour(method.family), markersize=7, mec="white", mew=0.8,
                    elinewidth=1,
                )  # fmt: skip
            panel.margins(x=0.08, y=0.15)
            label_points(panel, [(m, *chosen.loc[m.name, ["gflops", "mean"]]) for m in shown])
            for method in present:
                if method.name in far:
                    arrow_below(panel, *chosen.loc[method.name, ["gflops", "mean"]], method)
    return figure


def label_points(axes: Axes, points: list[tuple[Method, float, float]]) -> None:
    """Write names in a column right of the axes, each tied to its point by a thin line."""
    if not points:
        return
    low, high = axes.get_ylim()
    axes.set_ylim(low, high)
    points = sorted(points, key=lambda point: (-point[2], point[1]))
    places = spaced([y for _, _, y in points], 0.16 * (high - low) / _plot_height(axes))
    for (method, x, y), place in zip(points, places, strict=True):
        axes.annotate(
            method.label, (x, y), xytext=(1.03, (place - low) / (high - low)),
            textcoords="axes fraction", va="center", fontsize=8, annotation_clip=False,
            arrowprops={
                "arrowstyle": "-", "color": style.colour(method.family), "linewidth": 0.6,
                "alpha": 0.55, "shrinkA": 1, "shrinkB": 4, "relpos": (0, 0.5),
            },
        )  # fmt: skip


def _plot_height(axes: Axes) -> float:
    """Inches between the horizontal axis and the title, nearly; known before the layout is."""
    share = axes.get_subplotspec().get_position(axes.figure).height
    return axes.figure.get_size_inches()[1] * share


def spaced(places: list[float], gap: float) -> list[float]:
    """Move descending `places` apart to at least `gap`, each group about its own middle."""
    groups: list[list[float]] = []
    for place in places:
        groups.append([place])
        while len(groups) > 1 and _bottom(groups[-2], gap) - _top(groups[-1], gap) < gap:
            last = groups.pop()
            groups[-1] += last
    return [_top(group, gap) - i * gap for group in groups for i in range(len(group))]


def _top(group: list[float], gap: float) -> float:
    return sum(group) / len(group) + gap * (len(group) - 1) / 2


def _bottom(group: list[float], gap: float) -> float:
    return _top(group, gap) - gap * (len(group) - 1)


def history_data(runs: Runs, column: str) -> pd.DataFrame:
    """Columns method, seed, step, value: one recorded column of every training history."""
    if column not in runs.history:
        return pd.DataFrame(columns=["method", "seed", "step", "value"])
    chosen = runs.history[["method", "seed", "step", column]].rename(columns={column: "value"})
    return chosen.dropna(subset=["value"]).reset_index(drop=True)


def training_curves(data: pd.DataFrame, methods: Methods, axis: str, logarithmic: bool) -> Figure:
    """A panel per method: its seeds as thin lines over everybody's seed means in grey."""
    columns = min(4, max(1, len(methods)))
    rows = math.ceil(len(methods) / columns)
    means = data.groupby(["method", "step"]).value.mean().reset_index()
    with style.applied():
        figure = Figure(figsize=(9.6, 0.5 + 1.75 * rows), layout="constrained")
        panels = figure.subplots(rows, columns, sharex=True, sharey=True, squeeze=False).ravel()
        for panel in panels[len(methods) :]:
            panel.remove()
        for panel in panels[max(0, len(methods) - columns) : len(methods)]:
            panel.tick_params(labelbottom=True)
        for panel, method in zip(panels, methods, strict=False):
            panel.set_title(method.label, fontsize=8.5)
            for _, curve in means.groupby("method"):
                panel.plot(curve.step, curve.value, color=style.RULE, linewidth=0.9)
            own = data[data.method == method.name]
            for _, curve in own.groupby("seed"):
                panel.plot(curve.step, curve.value, color=style.colour(method.family), linewidth=1)
            if own.empty:
                remark(panel, "not run", (0, 0.5), "axes fraction")
            if logarithmic:
                panel.set_yscale("log")
        _limits(figure.axes[0], data, logarithmic)
        figure.supxlabel("Optimiser step", fontsize=9, color=style.MUTED)
        figure.supylabel(axis, fontsize=9, color=style.MUTED)
    return figure


def _limits(axes: Axes, data: pd.DataFrame, logarithmic: bool) -> None:
    """Leave out the first few per cent of a loss, whose fall would flatten all the rest."""
    if data.empty or not logarithmic:
        return
    low, high = data.value.min(), np.quantile(data.value, 0.98)
    axes.set_ylim(low / 1.1, high * 1.2)
