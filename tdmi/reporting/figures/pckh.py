"""The figure of PCKh: how many joints are found within each distance, by every method."""

from __future__ import annotations

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from tdmi.reporting.data import comparison
from tdmi.reporting.data.runs import Runs
from tdmi.reporting.data.settings import Method
from tdmi.reporting.figures import style
from tdmi.reporting.figures.accuracy import label_points
from tdmi.reporting.figures.axis_clipping import ends_of, outlying
from tdmi.reporting.tables.tables import number

Methods = tuple[Method, ...]


def pckh_data(runs: Runs, protocols: dict[str, str], against: str) -> pd.DataFrame:
    """Columns protocol, method, threshold (head sizes), within, std, n, value, value_std.

    within: share of all annotated joints in per cent, mean over seeds; value: its difference to
    `against`, paired by seed.
    """
    parts = []
    for protocol in protocols:
        chosen = runs.pckh[runs.pckh.protocol == protocol]
        for threshold, rows in chosen.groupby("threshold"):
            values = rows.pivot(index="method", columns="seed", values="within").astype(float)
            part = comparison.summary(values).rename(columns={"mean": "within"})
            change = comparison.summary(comparison.paired(values, against))
            part["value"], part["value_std"] = change["mean"], change["std"]
            parts.append(part.reset_index().assign(protocol=protocol, threshold=threshold))
    columns = ["protocol", "method", "threshold", "within", "std", "n", "value", "value_std"]
    return pd.concat(parts, ignore_index=True)[columns] if parts else pd.DataFrame(columns=columns)


def pckh(
    data: pd.DataFrame, methods: Methods, protocols: dict[str, str], against: Method
) -> Figure:
    """Above the curves, below their differences to `against`; a column per box protocol."""
    dashes = style.lines(methods)
    with style.applied():
        figure = Figure(figsize=(9.6, 3.2 + max(3.2, 0.3 * len(methods))), layout="constrained")
        heights = [3.0, max(3.2, 0.3 * len(methods))]
        grid = figure.subplots(2, len(protocols), sharex=True, squeeze=False, height_ratios=heights)
        for (above, below), (protocol, boxes) in zip(grid.T, protocols.items(), strict=True):
            chosen = data[data.protocol == protocol]
            above.set_title(boxes.capitalize())
            above.set_ylabel("Joints within (%)")
            below.set_ylabel(f"Difference to “{against.label}”")
            below.set_xlabel("Distance (head sizes)")
            far = outlying(ends_of(chosen))
            ends = []
            for method in methods:
                own = chosen[chosen.method == method.name]
                look = {"color": style.colour(method.family), "linestyle": dashes[method.name]}
                above.plot(own.threshold, own.within, linewidth=1.1, **look)
                if method.name not in far and len(own):
                    below.plot(own.threshold, own.value, linewidth=1.3, **look)
                    ends.append((method, own.threshold.iloc[-1], own.value.iloc[-1]))
            above.set_xlim(0, None)
            above.set_ylim(0, None)
            below.margins(y=0.12)
            label_points(below, ends)
            _tell_far(above, below, chosen[chosen.method.isin(far)], methods)
    return figure


def _tell_far(above: Axes, below: Axes, data: pd.DataFrame, methods: Methods) -> None:
    """Name the methods that are off the axis below where they are seen, and say how far."""
    lines, ends = [], []
    for method in methods:
        own = data[data.method == method.name]
        if len(own):
            last = own.iloc[-1]
            ends.append((method, last.threshold, last.within))
            farthest = own.value[own.value.abs().idxmax()]
            lines.append(f"{method.label}: up to {number(farthest, 1, True)}, off the axis")
    label_points(above, ends)
    below.annotate(
        "\n".join(lines), (0.03, 0.02), xycoords="axes fraction", fontsize=7.5,
        color=style.MUTED, style="italic",
    )  # fmt: skip
