"""The figure of PCKh: share of joints within each distance, for every method."""

from __future__ import annotations

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from tdmi.reporting.data import comparison
from tdmi.reporting.data.runs import Runs
from tdmi.reporting.data.spec import ReportSpec
from tdmi.reporting.figures import style
from tdmi.reporting.figures.accuracy import label_points
from tdmi.reporting.figures.axis_clipping import ends_of, outlying
from tdmi.reporting.tables.tables import number


def pckh_data(runs: Runs, spec: ReportSpec) -> pd.DataFrame:
    """Return columns protocol, method, threshold (head sizes), within, std, n, value, value_std.

    within: share of all annotated joints in per cent, mean over seeds; value: its difference to
    the single frame, paired by seed.
    """
    columns = ["protocol", "method", "threshold", "within", "std", "n", "value", "value_std"]
    parts = []
    chosen = {p: runs.pckh[runs.pckh.protocol == p] for p in spec.box_protocols}
    grouped = ((p, *group) for p, own in chosen.items() for group in own.groupby("threshold"))
    for protocol, threshold, rows in grouped:
        values = rows.pivot(index="method", columns="seed", values="within").astype(float)
        part = comparison.summary(values).rename(columns={"mean": "within"})
        change = comparison.summary(comparison.paired(values, spec.reference.name))
        part["value"], part["value_std"] = change["mean"], change["std"]
        parts.append(part.reset_index().assign(protocol=protocol, threshold=threshold)[columns])
    return pd.concat(parts, ignore_index=True) if parts else pd.DataFrame(columns=columns)


@style.applied()
def pckh(data: pd.DataFrame, spec: ReportSpec) -> Figure:
    """Draw the curves, and below them their differences; a column per box protocol."""
    dashes = style.lines(spec.methods)
    heights = [3.0, max(3.2, 0.3 * len(spec.methods))]
    figure, columns = style.columns(spec, 0.2 + sum(heights), 2, sharex=True, height_ratios=heights)
    for protocol, (above, below) in columns.items():
        chosen = data[data.protocol == protocol]
        above.set_ylabel("Joints within (%)")
        below.set_ylabel(f"Difference to “{spec.reference.label}”")
        below.set_xlabel("Distance (head sizes)")
        far = outlying(ends_of(chosen))
        ends = []
        for method in spec.methods:
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
        _name_outliers(above, below, chosen[chosen.method.isin(far)], spec)
    return figure


def _name_outliers(above: Axes, below: Axes, data: pd.DataFrame, spec: ReportSpec) -> None:
    """Name the methods that are off the axis below at their curves above, and say how far."""
    lines, ends = [], []
    for method in spec.methods:
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
