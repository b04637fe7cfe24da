"""How figures look, and how they are saved so that equal numbers give equal bytes.

Colours are those of Okabe and Ito, which stay apart for all common kinds of colour blindness; each
family has its own marker, too, so that no statement rests on colour alone.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

import matplotlib
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from tdmi.core.files import replacing, write_text
from tdmi.reporting.data.settings import Method
from tdmi.reporting.tables.tables import csv

INK, MUTED, RULE = "#1f2328", "#5f6770", "#d5d9de"
FAMILY_COLOURS = {
    "single": "#6b7280",
    "control": "#009e73",
    "flow": "#e69f00",
    "deformable": "#0072b2",
    "difference": "#d55e00",
    "ablation": "#cc79a7",
}
FAMILY_MARKERS = {
    "single": "o",
    "control": "P",
    "flow": "s",
    "deformable": "^",
    "difference": "D",
    "ablation": "v",
}
OTHER_COLOUR, OTHER_MARKER = "#56b4e9", "X"
LINES = ("-", "--", ":", "-.")

# Path glyphs make an SVG look the same everywhere; the salt makes its element names repeatable.
_SETTINGS = {
    "font.family": "DejaVu Sans",
    "font.size": 9,
    "axes.titlesize": 9.5,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.edgecolor": MUTED,
    "axes.labelcolor": MUTED,
    "axes.titlecolor": INK,
    "text.color": INK,
    "xtick.color": MUTED,
    "ytick.color": MUTED,
    "axes.facecolor": "none",
    "axes.grid": True,
    "axes.axisbelow": True,
    "axes.unicode_minus": True,
    "grid.color": RULE,
    "grid.linewidth": 0.6,
    "figure.constrained_layout.w_pad": 0.08,
    "figure.constrained_layout.h_pad": 0.06,
    "figure.dpi": 100,
    "savefig.dpi": 160,
    "svg.fonttype": "path",
    "svg.hashsalt": "tdmi",
    "path.simplify": False,
}

# How each format is written: without the moment, and a WebP small.
_FORMATS = {
    "svg": {"metadata": {"Date": None, "Creator": None, "Format": None, "Type": None}},
    "png": {"metadata": {"Software": None}},
    "webp": {"pil_kwargs": {"quality": 85}},
}
DRAWING, PICTURE = ("svg", "png"), ("webp",)
"""Formats of a figure of lines and text, and of one of pixels, which a drawing would only swell."""


@contextmanager
def applied() -> Iterator[None]:
    """Use the project's style, whatever the user's matplotlib settings are."""
    with matplotlib.rc_context():
        matplotlib.rcdefaults()
        matplotlib.rcParams.update(_SETTINGS)
        yield


def colour(family: str) -> str:
    return FAMILY_COLOURS.get(family, OTHER_COLOUR)


def marker(family: str) -> str:
    return FAMILY_MARKERS.get(family, OTHER_MARKER)


def lines(methods: Iterable[Method]) -> dict[str, str]:
    """A line style for each method's name, which tells the methods of one family apart."""
    seen: Counter[str] = Counter()
    found = {}
    for method in methods:
        found[method.name] = LINES[seen[method.family] % len(LINES)]
        seen[method.family] += 1
    return found


def rows_axis(axes: Axes, labels: list[str]) -> None:
    """One row per label, first on top, without a vertical grid line for each."""
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
            with replacing(folder / f"{name}.{suffix}") as path:
                figure.savefig(path, facecolor=_ground(suffix), **_FORMATS[suffix])
    write_text(folder / f"{name}.csv", csv(data))


def _ground(suffix: str) -> str:
    """The page sets its own ground behind the SVG; a picture on its own needs white."""
    return "none" if suffix == "svg" else "white"
