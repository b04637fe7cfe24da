"""Figures of accuracy: mean AP, single joint groups, and accuracy against cost.

The `*_data` functions make the frame that a figure draws and that is saved beside it.
"""

from __future__ import annotations

import math
from statistics import fmean

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from tdmi.reporting.data import comparison
from tdmi.reporting.data.runs import GROUPS, Runs
from tdmi.reporting.data.spec import Method, ReportSpec
from tdmi.reporting.figures import style
from tdmi.reporting.figures.axis_clipping import arrow_across, arrow_below, ends_of, outlying
from tdmi.reporting.tables.tables import heading, number


def mean_ap_data(runs: Runs, spec: ReportSpec, against: Method | None = None) -> pd.DataFrame:
    """Return columns protocol, method, seed, value: mean AP of every run in per cent.

    With `against`, value is the difference to that method's run of the same seed.
    """
    parts = {}
    for protocol in spec.box_protocols:
        values = comparison.per_seed(runs.groups, protocol)
        parts[protocol] = (comparison.paired(values, against.name) if against else values).stack()
    return pd.concat(parts, names=["protocol"]).rename("value").reset_index()


@style.applied()
def mean_ap(data: pd.DataFrame, spec: ReportSpec, against: Method | None = None) -> Figure:
    """Draw a row per method: small marks for seeds, a large one and its value for their mean.

    With `against`, the values are differences to that method, whose row is the line at zero.
    """
    relative = against is not None
    figure, columns = style.columns(spec, 1.1 + 0.3 * len(spec.methods), sharey=True)
    for protocol, (panel,) in columns.items():
        chosen = data[data.protocol == protocol]
        style.rows_axis(panel, [method.label for method in spec.methods])
        if relative:
            panel.axvline(0, color=style.MUTED, linewidth=1)
        far = outlying(ends_of(chosen))
        for row, method in enumerate(spec.methods):
            values = chosen[chosen.method == method.name].value
            if method == against and len(values):
                style.remark(panel, "reference", (0, row))
            elif method.name not in far:
                dots(panel, row, values, method, relative)
        panel.margins(x=0.15)
        panel.locator_params(axis="x", nbins=6)
        axis = f"Difference in mean AP to “{against.label}”" if against else "Mean AP (%)"
        panel.set_xlabel(axis)
        for row, method in enumerate(spec.methods):  # now that the limits are final
            if method.name in far:
                mean = chosen[chosen.method == method.name].value.mean()
                arrow_across(panel, row, mean, style.colour(method.family), relative)
    return figure


def dots(axes: Axes, row: int, values: pd.Series, method: Method, relative: bool) -> None:
    if values.empty:
        style.remark(axes, "not run", (0, row), ("axes fraction", "data"))
        return
    colour, mean = style.colour(method.family), values.mean()
    axes.hlines(row, values.min(), values.max(), color=colour, linewidth=1.2, alpha=0.6)
    axes.plot(values, [row] * len(values), "o", markersize=4, color=colour, alpha=0.55, mew=0)
    axes.plot(
        [mean], [row], style.marker(method.family), markersize=7, color=colour, mec="white", mew=0.8
    )
    style.note(axes, number(mean, 1, sign=relative), (max(values.max(), mean), row))


def per_joint_data(runs: Runs, protocol: str) -> pd.DataFrame:
    """Return columns joint, method, mean, std, n: AP in per cent over seeds."""
    parts = {g: comparison.summary(comparison.per_seed(runs.groups, protocol, g)) for g in GROUPS}
    return pd.concat(parts, names=["joint"]).reset_index()


@style.applied()
def per_joint(data: pd.DataFrame, spec: ReportSpec) -> Figure:
    """Draw a panel per joint group: a bar per method, the spread of seeds as a whisker."""
    height = 2 * (0.7 + 0.25 * len(spec.methods))
    figure = Figure(figsize=(style.WIDTH, height), layout="constrained")
    panels = figure.subplots(2, math.ceil(len(GROUPS) / 2), sharex=True, sharey=True).flat
    for panel, group in zip(panels, GROUPS, strict=True):
        chosen = data[data.joint == group].set_index("method")
        panel.set_title(heading(group))
        style.rows_axis(panel, [method.label for method in spec.methods])
        for row, method in enumerate(spec.methods):
            if method.name in chosen.index:
                _bar(panel, row, chosen.loc[method.name], style.colour(method.family))
            else:
                style.remark(panel, "not run", (0, row))
        panel.set_xlim(0, 118)
        panel.set_xticks([0, 50, 100])
    return figure


def _bar(axes: Axes, row: int, values: pd.Series, colour: str) -> None:
    mean, std = float(values["mean"]), float(values["std"])
    axes.barh(row, mean, height=0.62, color=colour)
    if not math.isnan(std):
        axes.hlines(row, mean - std, mean + std, color=style.INK, linewidth=1.2)
    end = mean if math.isnan(std) else mean + std
    style.note(axes, number(mean, 1), (end, row), offset=3, fontsize=7.5)


def cost_data(runs: Runs, spec: ReportSpec) -> pd.DataFrame:
    """Return columns protocol, method, gflops, mean, std, n: mean AP over seeds and the cost."""
    protocols = spec.box_protocols
    parts = {p: comparison.summary(comparison.per_seed(runs.groups, p)) for p in protocols}
    joined = pd.concat(parts, names=["protocol"]).reset_index().merge(runs.cost, on="method")
    columns = ["protocol", "method", "gflops", "mean", "std", "n"]
    return joined[columns].dropna(subset=["gflops", "mean"])


@style.applied()
def accuracy_against_cost(data: pd.DataFrame, spec: ReportSpec) -> Figure:
    """Draw mean AP (whiskers: standard deviation over seeds) against GFLOPs per key frame."""
    figure, columns = style.columns(spec, max(3.8, 1.2 + 0.18 * len(spec.methods)))
    for protocol, (panel,) in columns.items():
        panel.set_xlabel("GFLOPs per key frame")
        panel.set_ylabel("Mean AP (%)")
        chosen = data[data.protocol == protocol].set_index("method")
        far = outlying(ends_of(chosen.reset_index(), "mean"))
        points = [
            (method, float(chosen.gflops[method.name]), float(chosen["mean"][method.name]))
            for method in spec.methods
            if method.name in chosen.index
        ]
        shown = [point for point in points if point[0].name not in far]
        for method, x, mean in shown:
            std = chosen["std"][method.name]
            panel.errorbar(
                x, mean, yerr=None if math.isnan(std) else std, fmt=style.marker(method.family),
                color=style.colour(method.family), markersize=7, mec="white", mew=0.8,
                elinewidth=1,
            )  # fmt: skip
        panel.margins(x=0.08, y=0.15)
        label_points(panel, shown)
        for method, x, mean in points:
            if method.name in far:
                arrow_below(panel, x, mean, method)
    return figure


def label_points(axes: Axes, points: list[tuple[Method, float, float]]) -> None:
    """Write names in a column right of the axes, each tied to its point by a thin line."""
    figure, grid = axes.get_figure(root=True), axes.get_subplotspec()
    if not points or figure is None or grid is None:
        return
    # About the inches between horizontal axis and title, which are known before the layout is.
    inches = figure.get_size_inches()[1] * grid.get_position(figure).height
    low, high = axes.get_ylim()
    axes.set_ylim(low, high)
    points = sorted(points, key=lambda point: (-point[2], point[1]))
    places = spaced([y for _, _, y in points], 0.16 * (high - low) / inches)
    for (method, x, y), place in zip(points, places, strict=True):
        axes.annotate(
            method.label, (x, y), xytext=(1.03, (place - low) / (high - low)),
            textcoords="axes fraction", va="center", fontsize=8, annotation_clip=False,
            arrowprops={
                "arrowstyle": "-", "color": style.colour(method.family), "linewidth": 0.6,
                "alpha": 0.55, "shrinkA": 1, "shrinkB": 4, "relpos": (0, 0.5),
            },
        )  # fmt: skip


def spaced(places: list[float], gap: float) -> list[float]:
    """Move descending `places` apart to at least `gap`, each group about its own middle."""
    groups: list[list[float]] = []
    for index, place in enumerate(places):
        groups.append([place + index * gap])
        while len(groups) > 1 and fmean(groups[-2]) < fmean(groups[-1]):
            last = groups.pop()
            groups[-1] += last
    levels = [fmean(group) for group in groups for _ in group]
    return [level - index * gap for index, level in enumerate(levels)]
