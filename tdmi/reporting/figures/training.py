"""Figures of training: curves of every method, and signs of collapse of those with gates.

The signs are columns of history.csv that `tdmi.models.tdmi.TDMI.monitor` and the trainer write; see
tdmi/models/README.md for their meaning.
"""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from tdmi.reporting.data.runs import Runs
from tdmi.reporting.data.spec import ReportSpec
from tdmi.reporting.figures import style

GRADIENT = "gradient_norm_"
GATED = "mask_distance"
"""A column that only methods with gates have."""

_BOTH = (("useful", style.colour("difference"), "-"), ("noisy", "#0072b2", "--"))
_ONE = (style.INK, "-")
_PARTS = {
    "backbone": ("#6b7280", ":"),
    "encoder": ("#009e73", "-"),
    "disentanglement": ("#cc79a7", "-"),
    "fusion": ("#e69f00", "--"),
    "alignment": ("#56b4e9", "--"),
    "fused_head": ("#0072b2", ":"),
    "mutual_information": ("#000000", "-."),
}
_OTHER_PART = ("#d55e00", "-.")
Lines = dict[str, tuple[str, str]]
"""Column -> colour and line style."""


def _masks(kind: str) -> Lines:
    return {f"mask_{part}_{kind}": (colour, line) for part, colour, line in _BOTH}


PANELS: tuple[tuple[str, Lines, tuple[float, float | None]], ...] = (
    ("Masks: mean", _masks("mean"), (-0.04, 1.04)),
    ("Masks: spread", _masks("spread"), (0, None)),
    ("Masks: saturated", _masks("saturated"), (-0.04, 1.04)),
    ("Masks: distance", {GATED: _ONE}, (0, None)),
    ("Useful / visual", {"useful_over_visual": _ONE}, (0, None)),
    ("Heatmap peak", {"heatmap_peak": _ONE}, (0, None)),
)
"""Title, lines, and limits (upper None: a little above the greatest value); the panel of the
gradients follows."""


def history_data(runs: Runs, column: str) -> pd.DataFrame:
    """Return columns method, seed, step, value: one recorded column of every history."""
    if column not in runs.history:
        return pd.DataFrame(columns=["method", "seed", "step", "value"])
    chosen = runs.history[["method", "seed", "step", column]].rename(columns={column: "value"})
    return chosen.dropna(subset=["value"]).reset_index(drop=True)


@style.applied()
def training_curves(data: pd.DataFrame, spec: ReportSpec, axis: str, logarithmic: bool) -> Figure:
    """Draw a panel per method: its seeds as thin lines over the seed means of all in grey."""
    methods = spec.methods
    columns = min(4, max(1, len(methods)))
    rows = math.ceil(len(methods) / columns)
    means = data.groupby(["method", "step"]).value.mean().reset_index()
    figure = Figure(figsize=(style.WIDTH, 0.5 + 1.75 * rows), layout="constrained")
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
            style.remark(panel, "not run", (0, 0.5), "axes fraction")
        if logarithmic:
            panel.set_yscale("log")
    if logarithmic and len(data):
        # Cut the first few per cent of a loss, whose fall would flatten the rest.
        low, high = data.value.min(), np.quantile(data.value, 0.98)
        figure.axes[0].set_ylim(low / 1.1, high * 1.2)
    figure.supxlabel("Optimiser step", fontsize=9, color=style.MUTED)
    figure.supylabel(axis, fontsize=9, color=style.MUTED)
    return figure


def collapse_data(runs: Runs) -> pd.DataFrame:
    """Return columns method, seed, step, quantity, value; no rows if no method has gates."""
    history = runs.history
    if GATED not in history:
        return pd.DataFrame(columns=["method", "seed", "step", "quantity", "value"])
    gated = history[GATED].notna().groupby(history.method).transform("any")
    shown = [column for _, columns, _ in PANELS for column in columns]
    # "new" is the sum of all parts but the backbone.
    parts = [c for c in history if c.startswith(GRADIENT) and c != f"{GRADIENT}new"]
    quantities = [column for column in (*shown, *parts) if column in history]
    long = history[gated].melt(["method", "seed", "step"], quantities, "quantity")
    return long.dropna(subset=["value"]).reset_index(drop=True)


@style.applied()
def collapse(data: pd.DataFrame, spec: ReportSpec) -> Figure:
    """Draw a row per method that has gates, a panel per sign."""
    methods = tuple(method for method in spec.methods if method.name in set(data.method))
    norms = data.quantity[data.quantity.str.startswith(GRADIENT)].unique()
    parts = {name: _PARTS.get(name.removeprefix(GRADIENT), _OTHER_PART) for name in norms}
    columns = (*PANELS, ("Gradient norms", parts, None))
    figure = Figure(figsize=(style.WIDTH, 1.25 + 1.15 * len(methods)), layout="constrained")
    grid = figure.subplots(len(methods), len(columns), sharex=True, sharey="col", squeeze=False)
    for method, row in zip(methods, grid, strict=True):
        row[0].set_ylabel(method.label, fontsize=7.5, color=style.INK)
        own = data[data.method == method.name]
        for panel, (title, lines, limits) in zip(row, columns, strict=True):
            _curves(panel, own, lines)
            panel.tick_params(labelsize=6.5)
            panel.locator_params(axis="x", nbins=3)
            if method is methods[0]:
                panel.set_title(title, fontsize=7.5)
            if limits:
                most = data.value[data.quantity.isin(lines)].max()
                panel.set_ylim(limits[0], limits[1] or 1.08 * max(most, 1e-6))
        if (own.value[own.quantity.isin(norms)] > 0).any():
            row[-1].set_yscale("log")
    figure.supxlabel("Optimiser step", fontsize=8, color=style.MUTED)
    named = {f"{name} mask": (colour, line) for name, colour, line in _BOTH}
    named |= {name.removeprefix(GRADIENT): look for name, look in parts.items()}
    handles = [
        Line2D([], [], color=colour, label=name, ls=line)  # type: ignore[arg-type]
        for name, (colour, line) in named.items()
    ]
    figure.legend(handles=handles, loc="outside upper center", ncols=8, frameon=False, fontsize=7)
    return figure


def _curves(panel: Axes, data: pd.DataFrame, lines: Lines) -> None:
    for quantity, (colour, line) in lines.items():
        chosen = data[data.quantity == quantity]
        for _, curve in chosen.groupby("seed"):
            panel.plot(curve.step, curve.value, color=colour, linewidth=0.5, alpha=0.5)
        mean = chosen.groupby("step").value.mean()
        panel.plot(mean.index, mean, color=colour, linestyle=line, linewidth=1.4)
