"""Bar chart of a benchmark's table, in the style of the report, and the name of the machine."""

from __future__ import annotations

import os
import platform
from pathlib import Path

import pandas as pd
import torch
from matplotlib.figure import Figure

from tdmi.reporting.figures import style


def machine() -> str:
    """Processor and version of torch, for a row of a table."""
    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.exists() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    processor = names[0] if names else platform.machine()
    return f"{processor}, {os.cpu_count()} cores, torch {torch.__version__}"


def bars(
    table: pd.DataFrame,
    rows: str,
    panels: list[tuple[str, str, float | None]],
    folder: Path,
    name: str,
) -> None:
    """Write `name`.csv, .svg, .png: a panel per (column, title, bar), a bar per row of `table`."""
    with style.applied():
        figure = Figure(figsize=(9.6, 1.0 + 0.34 * len(table)), layout="constrained")
        axes = figure.subplots(1, len(panels), sharey=True, squeeze=False)[0]
        for panel, (column, title, limit) in zip(axes, panels, strict=True):
            panel.set_title(title, fontsize=8.5)
            style.rows_axis(panel, list(table[rows]))
            panel.barh(range(len(table)), table[column], 0.6, color=style.colour("difference"))
            for row, value in enumerate(table[column]):
                panel.text(0, row, f" {value:.3g}", va="center", fontsize=8, color="white")
            if limit is not None:
                panel.axvline(limit, color=style.INK, linewidth=1, linestyle="--")
            panel.set_xlim(0, 1.2 * max([*table[column], limit or 0]))
    style.save(figure, table, folder, name)
