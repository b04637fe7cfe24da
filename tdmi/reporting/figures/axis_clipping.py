"""Outlying methods: an axis that holds them would flatten the rows of all others.

They stay in the figure: the axis ends at the others, and an arrow at its edge shows their value.
"""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd
from matplotlib.axes import Axes

from tdmi.reporting.data.spec import Method
from tdmi.reporting.figures import style
from tdmi.reporting.tables.tables import number

GAIN = 3.0
"""Factor by which the axis must shrink without a method (choice of this project: a lesser one still
leaves a readable axis)."""
SHARE = 0.2
"""Largest share of the methods that is left out."""


def ends_of(data: pd.DataFrame, column: str = "value") -> dict[str, tuple[float, float]]:
    """Return the least and the greatest value of each method in a figure's data."""
    groups = data.dropna(subset=[column]).groupby("method")[column]
    return {name: (own.min(), own.max()) for name, own in groups}


def outlying(ends: Mapping[str, tuple[float, float]]) -> set[str]:
    """Return the names to leave out, given the least and the greatest value of each method."""
    left_out: set[str] = set()
    while len(left_out) + 1 <= SHARE * len(ends):
        spans = {name: _span(ends, left_out | {name}) for name in ends if name not in left_out}
        name = min(spans, key=spans.__getitem__)
        if not 0 < GAIN * spans[name] < _span(ends, left_out):
            break
        left_out.add(name)
    return left_out


def _span(ends: Mapping[str, tuple[float, float]], left_out: set[str]) -> float:
    values = [value for name, pair in ends.items() if name not in left_out for value in pair]
    return max(values) - min(values) if values else 0.0


def arrow_across(axes: Axes, row: float, mean: float, colour: str, sign: bool) -> None:
    """Draw an arrow at the left or right edge of a row of `axes`, whose limits must be final."""
    low, high = axes.get_xlim()
    left = mean < (low + high) / 2
    edge, inner = (0.0, 0.07) if left else (1.0, 0.93)
    axes.annotate(
        "", (edge, row), xytext=(inner, row), xycoords=("axes fraction", "data"),
        arrowprops={"arrowstyle": "-|>", "color": colour, "linewidth": 1.4, "shrinkA": 0,
                    "shrinkB": 0},
    )  # fmt: skip
    style.note(
        axes, f"{number(mean, 1, sign)}, off the axis", (inner, row), 4 if left else -4,
        xycoords=("axes fraction", "data"), ha="left" if left else "right",
    )  # fmt: skip


def arrow_below(axes: Axes, x: float, mean: float, method: Method) -> None:
    """Draw an arrow at the lower edge of `axes` at `x`, with the method's name and value."""
    middle = sum(axes.get_xlim()) / 2
    axes.annotate(
        f"{method.label} {number(mean, 1)}, off the axis", (x, 0), xytext=(x, 0.07),
        xycoords=("data", "axes fraction"), va="center", fontsize=8,
        ha="left" if x < middle else "right",
        arrowprops={"arrowstyle": "-|>", "color": style.colour(method.family), "linewidth": 1.4,
                    "shrinkA": 2, "shrinkB": 0, "relpos": (0 if x < middle else 1, 0)},
    )  # fmt: skip
