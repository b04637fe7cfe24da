"""Figures of the curves in metrics.json: calibration of the joint score, and PCKh.

A score is calibrated if 80 % of the joints with a score of 0.8 are right. Bins are those of
`tdmi.evaluation.analysis.calibration`.
"""

from __future__ import annotations

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from tdmi.reporting.data import comparison
from tdmi.reporting.data.runs import Runs
from tdmi.reporting.data.spec import Method, ReportSpec
from tdmi.reporting.figures import style
from tdmi.reporting.figures.accuracy import label_points
from tdmi.reporting.figures.axis_clipping import ends_of, outlying
from tdmi.reporting.tables.tables import number

ENOUGH = 30
"""Joints of a bin that is drawn: a share of fewer has a standard error of up to 9 points or more
(choice of this project). All bins stand in the file of the numbers."""


def reliability_data(runs: Runs) -> pd.DataFrame:
    """Return columns protocol, method, low (of the bin), joints, mean_score, right, std.

    All seeds together; right in per cent, std its sample standard deviation over seeds.
    """
    rows = runs.reliability
    rows = rows.assign(score_sum=rows.joints * rows.mean_score, right_sum=rows.joints * rows.right)
    bins = rows.groupby(["protocol", "method", "low"])
    sums = bins[["joints", "score_sum", "right_sum"]].sum()
    means = (
        sums[["score_sum", "right_sum"]]
        .div(sums.joints, axis=0)
        .set_axis(["mean_score", "right"], axis=1)
    )
    return sums[["joints"]].join(means).assign(std=bins.right.std(ddof=1)).reset_index()


def miscalibration(own: pd.DataFrame) -> float:
    """Return the mean over joints of |share right − score| of their bins, in points.

    This is the expected calibration error (Naeini, Cooper and Hauskrecht 2015).
    """
    gap = (own.right - 100 * own.mean_score).abs()
    return float((gap * own.joints).sum() / own.joints.sum())


@style.applied()
def reliability(data: pd.DataFrame, spec: ReportSpec) -> Figure:
    """Draw the shares, and below them how many joints have such a score, per box protocol.

    The subject and its references are drawn in colour, all other methods thin and grey.
    """
    named = (spec.subject, spec.reference, spec.strictest)
    shown = [method for method in dict.fromkeys(named) if method is not None]
    figure, columns = style.columns(spec, 5.6, 2, sharex=True, sharey="row", height_ratios=[3, 1])
    for protocol, (above, below) in columns.items():
        chosen = data[(data.protocol == protocol) & (data.joints >= ENOUGH)]
        above.plot([0, 1], [0, 100], color=style.MUTED, linewidth=1, linestyle=":")
        for method in spec.methods:
            own = chosen[chosen.method == method.name]
            if method not in shown:
                above.plot(own.mean_score, own.right, color=style.RULE, linewidth=0.9)
        for method in shown:
            own = chosen[chosen.method == method.name]
            if len(own):
                _curve(above, below, own, method)
        above.set_xlim(0, 1.02)
        above.set_ylim(0, 102)
        below.set_ylim(0, None)
        below.set_xlabel("Joint score")
        if above.get_legend_handles_labels()[0]:
            above.legend(loc="upper left", frameon=False, fontsize=8)
    above, below = next(iter(columns.values()))
    above.set_ylabel("Joints that are right (%)")
    below.set_ylabel("Share of joints (%)")
    return figure


def _curve(above: Axes, below: Axes, own: pd.DataFrame, method: Method) -> None:
    colour = style.colour(method.family)
    label = f"{method.label}: off by {number(miscalibration(own))} points on average"
    above.plot(
        own.mean_score, own.right, color=colour, linewidth=1.2, marker=style.marker(method.family),
        markersize=4.5, label=label,
    )  # fmt: skip
    above.vlines(own.mean_score, own.right - own["std"], own.right + own["std"], color=colour)
    share = 100 * own.joints / own.joints.sum()
    below.plot(own.mean_score, share, color=colour, linewidth=1.2, drawstyle="steps-mid")


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
