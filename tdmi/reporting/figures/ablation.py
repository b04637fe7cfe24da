"""The figure of an ablation: mean AP of every variant, and its differences with both intervals."""

from __future__ import annotations

import math
from dataclasses import asdict

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from tdmi.reporting.data import comparison
from tdmi.reporting.data.runs import Runs
from tdmi.reporting.data.spec import Method, ReportSpec
from tdmi.reporting.figures import style
from tdmi.reporting.figures.accuracy import dots
from tdmi.reporting.tables.ablation import PREVIOUS, Contrast
from tdmi.reporting.tables.tables import number


def ablation_data(runs: Runs, protocol: str, found: list[Contrast]) -> pd.DataFrame:
    """Return columns kind, method, against, seed, value, low, high, videos_low, videos_high.

    kind "run": a run's mean AP in per cent; "previous" or a reference's name: a difference.
    """
    values = comparison.per_seed(runs.groups, protocol)
    seeds = values.stack().rename("value").dropna().reset_index().assign(kind="run")
    contrasts = pd.DataFrame([asdict(contrast) for contrast in found])
    contrasts = contrasts.rename(columns={"key": "kind", "mean": "value"}).dropna(subset=["value"])
    columns = ["kind", "method", "against", "seed", "value", "low", "high"]
    joined = pd.concat([part for part in (seeds, contrasts) if len(part)] or [contrasts])
    return joined.reindex(columns=[*columns, "videos_low", "videos_high"]).astype({"seed": "Int64"})


@style.applied()
def ablation(data: pd.DataFrame, spec: ReportSpec) -> Figure:
    """Draw a panel of mean AP and one per comparison of the grid; a row per variant."""
    methods, keys = spec.methods, list(spec.ablation.comparisons)
    figure = Figure(figsize=(style.WIDTH, 1.1 + 0.3 * len(methods)), layout="constrained")
    first, *others = figure.subplots(1, 1 + len(keys), sharey=True, squeeze=False)[0]
    style.rows_axis(first, [method.label for method in methods])
    first.set_title("Mean AP (%)")
    runs = data[data.kind == "run"]
    if PREVIOUS in keys:
        means = runs.groupby("method").value.mean()
        rows = [row for row, method in enumerate(methods) if method.name in means.index]
        heights = [means[methods[row].name] for row in rows]
        first.plot(heights, rows, color=style.MUTED, linewidth=0.8, zorder=0.5)
    for row, method in enumerate(methods):
        dots(first, row, runs[runs.method == method.name].value, method, False)
    for panel, key in zip(others, keys, strict=True):
        panel.tick_params(axis="y", length=0)
        panel.spines["left"].set_visible(False)
        panel.grid(axis="y", visible=False)
        panel.axvline(0, color=style.MUTED, linewidth=1)
        against = "the row above" if key == PREVIOUS else f"“{spec.method(key).label}”"
        panel.set_title(f"To {against}")
        chosen = data[data.kind == key].set_index("method")
        for row, method in enumerate(methods):
            if method.name in chosen.index:
                _difference(panel, row, chosen.loc[method.name], method)
            elif method.name == key:
                style.remark(panel, "reference", (0, row))
    for panel in (first, *others):
        panel.margins(x=0.2)
        panel.locator_params(axis="x", nbins=5)
    return figure


def _difference(axes: Axes, row: int, values: pd.Series, method: Method) -> None:
    colour = style.colour(method.family)
    for kind, shift, width in (("", -0.1, 3), ("videos_", 0.1, 1)):
        low, high = values[f"{kind}low"], values[f"{kind}high"]
        if not math.isnan(low):
            axes.hlines(row + shift, low, high, color=colour, linewidth=width, alpha=0.7)
    axes.plot(
        [values["value"]], [row], style.marker(method.family), markersize=7, color=colour,
        mec="white", mew=0.8,
    )  # fmt: skip
    end = np.nanmax(values[["value", "high", "videos_high"]].astype(float))
    style.note(axes, number(values["value"], 1, sign=True), (end, row))
