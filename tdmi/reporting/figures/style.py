"""Style of the figures, and saving them so that equal numbers give equal bytes.

Colours are those of Okabe and Ito, distinct under all common kinds of colour blindness. Each family
also has its own marker, so that no statement rests on colour alone.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from itertools import cycle
from pathlib import Path
from typing import Any

import matplotlib.style
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from tdmi.core.files import replacing, write_text
from tdmi.reporting.data.spec import Method, ReportSpec
from tdmi.reporting.tables.tables import csv

INK, MUTED, RULE = "#1f2328", "#5f6770", "#d5d9de"
_FAMILIES = {
    "single": ("#6b7280", "o"),
    "control": ("#009e73", "P"),
    "flow": ("#e69f00", "s"),
    "deformable": ("#0072b2", "^"),
    "difference": ("#d55e00", "D"),
    "ablation": ("#cc79a7", "v"),
}
"""Colour and marker."""
_OTHER = ("#56b4e9", "X")
_SIDES, _MIDDLE = {"left": "#56b4e9", "right": "#e69f00"}, "#f0e442"
LINES = ("-", "--", ":", "-.")
WIDTH = 9.6
"""Inches."""

_STYLE = Path(__file__).with_name("tdmi.mplstyle")
_FORMATS: dict[str, dict[str, Any]] = {
    "svg": {"metadata": {"Date": None, "Creator": None, "Format": None, "Type": None}},
    "png": {"metadata": {"Software": None}},
    "webp": {"pil_kwargs": {"quality": 85}},
}
"""Options of each format: nothing of the moment, and a small WebP."""
DRAWING, PICTURE = ("svg", "png"), ("webp",)
"""Formats of a figure of lines and text, and of one of pixels."""


@contextmanager
def applied() -> Iterator[None]:
    """Use the project's style whatever the user's matplotlib settings; also a decorator."""
    with matplotlib.style.context(_STYLE, after_reset=True):
        yield


def colour(family: str) -> str:
    return _FAMILIES.get(family, _OTHER)[0]


def marker(family: str) -> str:
    return _FAMILIES.get(family, _OTHER)[1]


def side_colour(*joints: str) -> str:
    """Return the colour of a joint or limb: of the left, the right or the middle of the body."""
    sides = {joint.split("_")[0] for joint in joints}
    return _SIDES.get(sides.pop(), _MIDDLE) if len(sides) == 1 else _MIDDLE


def lines(methods: Iterable[Method]) -> dict[str, str]:
    """Return a line style for each method's name, different within a family."""
    styles: defaultdict[str, Iterator[str]] = defaultdict(lambda: cycle(LINES))
    return {method.name: next(styles[method.family]) for method in methods}


def columns(
    spec: ReportSpec, height: float, rows: int = 1, **options: Any
) -> tuple[Figure, dict[str, np.ndarray]]:
    """Return a figure with a column of panels per box protocol, and the columns by protocol."""
    figure = Figure(figsize=(WIDTH, height), layout="constrained")
    grid = figure.subplots(rows, len(spec.protocols), squeeze=False, **options)
    for panel, boxes in zip(grid[0], spec.protocols.values(), strict=True):
        panel.set_title(boxes.capitalize())
    return figure, dict(zip(spec.protocols, grid.T, strict=True))


def note(axes: Axes, text: str, place: tuple[float, float], offset: float = 7, **look: Any) -> None:
    """Write a text right of a point of the data, `offset` points away."""
    look = {"va": "center", "fontsize": 8, **look}
    axes.annotate(text, place, xytext=(offset, 0), textcoords="offset points", **look)


def remark(axes: Axes, text: str, place: tuple[float, float], coordinates: Any = "data") -> None:
    """Write a muted text right of a point."""
    note(axes, text, place, 6, xycoords=coordinates, color=MUTED, style="italic")


def rows_axis(axes: Axes, labels: list[str]) -> None:
    """Give each label a row, first on top, without a grid line for each."""
    axes.set_yticks(range(len(labels)), labels, color=INK)
    axes.set_ylim(len(labels) - 0.5, -0.5)
    axes.tick_params(axis="y", length=0)
    axes.spines["left"].set_visible(False)
    axes.grid(axis="y", visible=False)


def save(
    figure: Figure, data: pd.DataFrame, folder: Path, name: str, formats: tuple[str, ...] = DRAWING
) -> None:
    """Write `<name>` in each format and the plotted numbers as `<name>.csv` into `folder`."""
    with applied():
        figure.draw_without_rendering()
        figure.set_layout_engine("none")  # laid out once, for all files
        for suffix in formats:
            # The page sets its own ground behind the SVG; a picture on its own needs white.
            ground = "none" if suffix == "svg" else "white"
            with replacing(folder / f"{name}.{suffix}") as path:
                figure.savefig(path, facecolor=ground, **_FORMATS[suffix])
    write_text(folder / f"{name}.csv", csv(data))
