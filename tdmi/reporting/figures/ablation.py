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
from tdmi.reporting.data.settings import Method, Settings
from tdmi.reporting.figures import style
from tdmi.reporting.figures.accuracy import dots, remark, row_panels
from tdmi.reporting.tables.ablation import PREVIOUS, Contrast
from tdmi.reporting.tables.tables import number


def caption(settings: Settings, protocol: str) -> str:
    ladder = PREVIOUS in settings.ablation.comparisons
    joined = ", joined in the order of the ladder" if ladder else ""
    return (
        f"Ablation on {settings.boxes(protocol)}. Left: mean AP; small dots: seeds, large marks: "
        f"their mean{joined}. Then differences in mean AP; upper, thick lines: 95% Student "
        "interval over seeds; lower, thin ones: 95% bootstrap interval over videos and seeds."
    )


def ablation_data(runs: Runs, protocol: str, found: list[Contrast]) -> pd.DataFrame:
    """Columns kind, method, against, seed, value, low, high, videos_low, videos_high.

    kind "run": a run's mean AP in per cent; "previous" or a reference's name: a difference.
    """
    values = comparison.per_seed(runs.groups, protocol)
    seeds = values.stack().rename("value").dropna().reset_index().assign(kind="run")
    contrasts = pd.DataFrame([asdict(contrast) for contrast in found])
    contrasts = contrasts.rename(columns={"key": "kind", "mean": "value"}).dropna(subset=["value"])
    columns = ["kind", "method", "against", "seed", "value", "low", "high"]
    joined = pd.concat([part for part in (seeds, contrasts) if len(part)] or [contrasts])
    return joined.reindex(columns=[*columns, "videos_low", "videos_high"]).astype({"seed": "Int64"})


def ablation(data: pd.DataFrame, settings: Settings) -> Figure:
    """A panel of mean AP and one per comparison of the grid; a row per variant."""
    methods, keys = settings.methods, list(settings.ablation.comparisons)
    with style.applied():
        figure, (first, *others) = row_panels(1 + len(keys), len(methods))
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
            panel.set_title("To the row above" if key == PREVIOUS else _title(settings, key))
            chosen = data[data.kind == key].set_index("method")
            for row, method in enumerate(methods):
                if method.name in chosen.index:
                    _difference(panel, row, chosen.loc[method.name], method)
                elif method.name == key:
                    remark(panel, "reference", (0, row), "data")
        for panel in (first, *others):
            panel.margins(x=0.2)
            panel.locator_params(axis="x", nbins=5)
    return figure


def _title(settings: Settings, key: str) -> str:
    return f"To “{settings.method(key).label}”"


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
    axes.annotate(
        number(values["value"], 1, sign=True), (end, row), xytext=(7, 0),
        textcoords="offset points", va="center", fontsize=8,
    )  # fmt: skip
