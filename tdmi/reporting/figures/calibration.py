"""The figure of calibration: whether 80 % of the joints with a score of 0.8 are right.

Bins are those of `tdmi.evaluation.analysis.calibration`, which stand in metrics.json.
"""

from __future__ import annotations

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from tdmi.reporting.data.runs import Runs
from tdmi.reporting.data.spec import Method, ReportSpec
from tdmi.reporting.figures import style
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
    data = pd.DataFrame(
        {
            "joints": sums.joints,
            "mean_score": sums.score_sum / sums.joints,
            "right": sums.right_sum / sums.joints,
            "std": bins.right.std(ddof=1),
        }
    )
    return data.reset_index()


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
