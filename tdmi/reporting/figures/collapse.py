"""The figure of collapse: whether a method's gates, motion and heatmaps stay alive in training.

It draws the columns that `tdmi.models.tdmi.TDMI.monitor` and the trainer leave in history.csv; what
they mean stands in tdmi/models/README.md.
"""

from __future__ import annotations

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from tdmi.reporting.data.runs import Runs
from tdmi.reporting.data.settings import Method
from tdmi.reporting.figures import style

NAME = "signs_of_collapse"
CAPTION = (
    "Signs of collapse over training, for the methods that split motion by gates. Healthy: masks "
    "neither all near 0 nor all near 1, with a spread over channels and few saturated; a distance "
    "between the two masks; useful motion that is a part of the visual feature's size and not "
    "nothing; peaks of the heatmaps that rise; no part whose gradient vanishes or explodes alone "
    "(a part without a line has none: it is frozen, or dead). Thin lines: seeds; thick: their mean."
)
GRADIENT = "gradient_norm_"
GATED = "mask_distance"
"""The column that only methods with gates have."""

_BOTH = (("useful", style.FAMILY_COLOURS["difference"], "-"), ("noisy", "#0072b2", "--"))
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


def _masks(kind: str) -> dict[str, tuple[str, str]]:
    return {f"mask_{part}_{kind}": (colour, line) for part, colour, line in _BOTH}


PANELS: tuple[tuple[str, dict[str, tuple[str, str]], tuple[float, float | None]], ...] = (
    ("Masks: mean", _masks("mean"), (-0.04, 1.04)),
    ("Masks: spread", _masks("spread"), (0, None)),
    ("Masks: saturated", _masks("saturated"), (-0.04, 1.04)),
    ("Masks: distance", {GATED: _ONE}, (0, None)),
    ("Useful / visual", {"useful_over_visual": _ONE}, (0, None)),
    ("Heatmap peak", {"heatmap_peak": _ONE}, (0, None)),
)
"""Title, columns with colour and line, and limits (upper None: a little above the greatest value);
the panel of the gradients follows."""


def collapse_data(runs: Runs) -> pd.DataFrame:
    """Columns method, seed, step, quantity, value; no rows if no method has gates."""
    history = runs.history
    if GATED not in history:
        return pd.DataFrame(columns=["method", "seed", "step", "quantity", "value"])
    gated = history[GATED].notna().groupby(history.method).transform("any")
    shown = [column for _, columns, _ in PANELS for column in columns]
    # "new" is the sum of all parts but the backbone.
    parts = [c for c in history if c.startswith(GRADIENT) and c != f"{GRADIENT}new"]
    long = history[gated].melt(
        ["method", "seed", "step"],
        [column for column in (*shown, *parts) if column in history],
        "quantity",
    )
    return long.dropna(subset=["value"]).reset_index(drop=True)


def collapse(data: pd.DataFrame, methods: tuple[Method, ...]) -> Figure:
    """A row per method that has gates, a panel per sign."""
    methods = tuple(method for method in methods if method.name in set(data.method))
    norms = data.quantity[data.quantity.str.startswith(GRADIENT)].unique()
    parts = {name: _PARTS.get(name.removeprefix(GRADIENT), _OTHER_PART) for name in norms}
    columns = (*PANELS, ("Gradient norms", parts, None))
    with style.applied():
        figure = Figure(figsize=(9.6, 1.25 + 1.15 * len(methods)), layout="constrained")
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
        masks = [Line2D([], [], color=c, linestyle=s, label=f"{name} mask") for name, c, s in _BOTH]
        norms = [
            Line2D([], [], color=c, linestyle=s, label=name.removeprefix(GRADIENT))
            for name, (c, s) in parts.items()
        ]
        figure.legend(
            handles=masks + norms, loc="outside upper center", ncols=8, frameon=False, fontsize=7
        )
    return figure


def _curves(panel: Axes, data: pd.DataFrame, lines: dict[str, tuple[str, str]]) -> None:
    for quantity, (colour, line) in lines.items():
        chosen = data[data.quantity == quantity]
        for _, curve in chosen.groupby("seed"):
            panel.plot(curve.step, curve.value, color=colour, linewidth=0.5, alpha=0.5)
        mean = chosen.groupby("step").value.mean()
        panel.plot(mean.index, mean, color=colour, linestyle=line, linewidth=1.4)
