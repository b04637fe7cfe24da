"""Figure of what the jobs of the bench take as the data grows."""

from __future__ import annotations

import pandas as pd
from matplotlib.figure import Figure

from tdmi.reporting.figures import style

_MEASURES = {"seconds": "Processor time (s)", "memory_mb": "Rise of peak memory (MB)"}


def growth(table: pd.DataFrame) -> Figure:
    """A column of panels per job: processor time and memory against the size of the data.

    A dashed line goes through zero and the value of the smallest size: what lies above it grows
    faster than the data.

    Args:
        table: job, times (how many times the smallest data), seconds, memory_mb.
    """
    jobs = list(dict.fromkeys(table.job))
    with style.applied():
        figure = Figure(figsize=(2.1 * len(jobs), 4.6), layout="constrained")
        panels = figure.subplots(len(_MEASURES), len(jobs), sharex=True, squeeze=False)
        for row, (measure, label) in zip(panels, _MEASURES.items(), strict=True):
            for axes, job in zip(row, jobs, strict=True):
                chosen = table[table.job == job].sort_values("times")
                first = chosen.iloc[0]
                largest = chosen.times.max()
                per_part = first[measure] / first.times
                axes.plot([0, largest], [0, per_part * largest], "--", color=style.MUTED)
                axes.plot(
                    chosen.times,
                    chosen[measure],
                    style.marker("difference"),
                    color=style.colour("difference"),
                    linestyle="-",
                    linewidth=1.2,
                )
                axes.set_xticks(chosen.times)
                axes.set_ylim(bottom=0)
            row[0].set_ylabel(label)
        for axes, job in zip(panels[0], jobs, strict=True):
            axes.set_title(job.capitalize())
        figure.supxlabel(
            "Times the smallest data. Dashed: in proportion to it.", color=style.MUTED, fontsize=9
        )
    return figure
