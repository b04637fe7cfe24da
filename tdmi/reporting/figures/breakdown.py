"""Figures of accuracy by difficulty (occlusion, speed, blur, crowding) and by single video.

Bins and their AP are those of `tdmi.evaluation.analysis.slices`, which stand in metrics.json.
"""

from __future__ import annotations

import math

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from tdmi.reporting.data import comparison
from tdmi.reporting.data.runs import Runs
from tdmi.reporting.data.spec import Method, ReportSpec
from tdmi.reporting.figures import style
from tdmi.reporting.figures.axis_clipping import ends_of, outlying
from tdmi.reporting.tables.tables import number

ATTRIBUTES = {
    "visible_fraction": ("Occlusion", "share visible"),
    "speed": ("Speed", "head sizes a frame"),
    "blur": ("Motion blur", "head sizes"),
    "crowding": ("Crowding", "others' joints over own"),
}
"""Title and unit by name in metrics.json, in the order of panels."""
_EASY_IS_HIGH = ("visible_fraction",)
_COLUMNS = [
    "attribute", "bin", "from", "to", "persons", "few", "method", "ap", "value", "std", "n", "low",
    "high",
]  # fmt: skip


def difficulty_data(runs: Runs, spec: ReportSpec, protocol: str) -> pd.DataFrame:
    """Return a row per attribute, bin (0 is the easiest) and method; AP and differences in points.

    ap: mean AP in the bin over seeds; value, std, n, low, high: its difference to the single
    frame, paired by seed, with the 95% Student interval.
    """
    chosen = runs.slices[runs.slices.protocol == protocol]
    parts = []
    for attribute in ATTRIBUTES:
        own = chosen[chosen.attribute == attribute].assign(start=lambda t: t.low.fillna(-math.inf))
        starts = sorted(own.start.unique(), reverse=attribute in _EASY_IS_HIGH)
        for place, start in enumerate(starts):
            people = own[own.start == start].rename(columns={"low": "from", "high": "to"})
            values = people.pivot(index="method", columns="seed", values="ap").astype(float)
            part = comparison.differences(values, spec.reference.name).assign(
                ap=values.mean(axis=1), bin=place,
                **people.iloc[0][["attribute", "from", "to", "persons", "few"]],
            )  # fmt: skip
            parts.append(part.rename(columns={"mean": "value"}).reset_index())
    joined = pd.concat(parts, ignore_index=True) if parts else pd.DataFrame(columns=_COLUMNS)
    return joined[_COLUMNS]


@style.applied()
def difficulty(data: pd.DataFrame, spec: ReportSpec) -> Figure:
    """Draw a column per attribute, easy to hard: AP of the single frame, below a row per method."""
    against = spec.reference
    shown = [m for m in spec.methods if m != against and m.name in set(data.method)]
    columns = [name for name in ATTRIBUTES if name in set(data.attribute)]
    differences = data[data.method.isin([m.name for m in shown])].dropna(subset=["value"])
    far = outlying(ends_of(differences))
    limits = _limits(differences[~differences.method.isin(far)])
    figure = Figure(figsize=(style.WIDTH, 2.1 + 0.6 * len(shown)), layout="constrained")
    grid = figure.subplots(
        1 + len(shown), len(columns), sharex="col", sharey="row", squeeze=False,
        height_ratios=[1.5, *[1.0] * len(shown)],
    )  # fmt: skip
    for attribute, (top, *panels) in zip(columns, grid.T, strict=True):
        own = data[data.attribute == attribute]
        _bars(top, own[own.method == against.name])
        title, unit = ATTRIBUTES[attribute]
        top.set_title(title)
        for method, panel in zip(shown, panels, strict=True):
            part = own[own.method == method.name].sort_values("bin")
            if method.name in far:
                _off_the_axis(panel, part)
            else:
                _points(panel, part, method)
            panel.set_ylim(*limits)
            panel.tick_params(labelsize=6.5)
        lowest = (top, *panels)[-1]
        lowest.set_xlabel(unit, fontsize=8)
        _name_bins(lowest, own)
    for method, panel in zip((against, *shown), grid[:, 0], strict=True):
        panel.set_ylabel(
            f"{method.label}\nAP (%)" if method == against else method.label,
            rotation=0, ha="right", va="center", color=style.INK, fontsize=8,
        )  # fmt: skip
    return figure


def _limits(kept: pd.DataFrame) -> tuple[float, float]:
    """Return limits with room around the means, whatever bins of few people or intervals span."""
    kept = kept[~kept.few.astype(bool)] if not kept.few.all() else kept
    low, high = min(kept.value.min(), 0), max(kept.value.max(), 0)
    room = max(0.35 * (high - low), 0.2)
    return low - room, high + room


def _bars(axes: Axes, own: pd.DataFrame) -> None:
    axes.bar(own["bin"], own.ap, width=0.55, color=style.RULE)
    for place, value, persons in zip(own["bin"], own.ap, own.persons, strict=True):
        axes.annotate(
            f"{number(value)}\nn = {persons}", (place, value), xytext=(0, 2), ha="center",
            textcoords="offset points", fontsize=6.5,
        )  # fmt: skip
    axes.margins(y=0.45)
    axes.grid(visible=False)
    axes.tick_params(labelsize=6.5)


def _points(axes: Axes, part: pd.DataFrame, method: Method) -> None:
    colour = style.colour(method.family)
    axes.axhline(0, color=style.MUTED, linewidth=0.8)
    axes.vlines(part["bin"], part.low, part.high, color=colour, linewidth=1)
    axes.plot(part["bin"], part.value, color=colour, linewidth=1, alpha=0.7)
    for few, fill in ((False, colour), (True, "white")):
        some = part[part.few == few]
        axes.plot(
            some["bin"], some.value, style.marker(method.family), markersize=4.5, color=colour,
            mfc=fill,
        )  # fmt: skip


def _off_the_axis(axes: Axes, part: pd.DataFrame) -> None:
    axes.axhline(0, color=style.MUTED, linewidth=0.8)
    for place, value in zip(part["bin"], part.value, strict=True):
        arrow = "▼" if value < 0 else "▲"
        axes.annotate(
            f"{number(value, 1, True)}\n{arrow}", (place, 0 if value < 0 else 1),
            xycoords=("data", "axes fraction"), ha="center", va="bottom" if value < 0 else "top",
            fontsize=6.5, color=style.MUTED,
        )  # fmt: skip


def _name_bins(axes: Axes, own: pd.DataFrame) -> None:
    """Write the end of each bin towards the next one; of the last, its beginning."""
    bins = own.drop_duplicates("bin").sort_values("bin")
    falling = own.attribute.iloc[0] in _EASY_IS_HIGH
    names = [
        f"≥ {low:.3g}" if math.isnan(high) or (falling and low == low) else f"< {high:.3g}"
        for low, high in zip(bins["from"], bins["to"], strict=True)
    ]
    axes.set_xticks(bins["bin"], names, fontsize=6.5)
    axes.set_xlim(-0.5, len(bins) - 0.5)


def rivals_of(spec: ReportSpec) -> list[Method]:
    """Return the single frame and the strictest reference, without the subject."""
    return [m for m in dict.fromkeys((spec.reference, spec.strictest)) if m != spec.subject]


def videos_data(runs: Runs, spec: ReportSpec) -> pd.DataFrame:
    """Return columns protocol, against, video, seed, value: AP of the subject minus a rival's.

    Differences of a video's mean AP in points, seed by seed; a rival with a single run is
    subtracted from all. Videos without AP on one side are left out.
    """
    parts = {}
    for protocol in spec.box_protocols if spec.subject else ():
        own = runs.videos[runs.videos.protocol == protocol].set_index(["video", "seed"])
        one, *others = (
            own.ap_total[own.method == method.name].astype(float).unstack()
            for method in (spec.subject, *rivals_of(spec))
            if method
        )
        for rival, other in zip(rivals_of(spec), others, strict=True):
            single = other.shape[1] == 1
            change = one.sub(other.iloc[:, 0], axis=0) if single else one - other
            parts[protocol, rival.name] = change.stack()
    if not parts:
        return pd.DataFrame()
    return pd.concat(parts, names=["protocol", "against"]).rename("value").dropna().reset_index()


@style.applied()
def videos(data: pd.DataFrame, spec: ReportSpec) -> Figure:
    """Draw a row per rival, a column per box protocol; videos sorted by their mean difference."""
    rivals = rivals_of(spec)
    label, family = (spec.subject.label, spec.subject.family) if spec.subject else ("", "")
    height = 0.6 + 2.5 * len(rivals)
    figure, columns = style.columns(spec, height, len(rivals), sharey=True, sharex="col")
    for place, (protocol, column) in enumerate(columns.items()):
        for rival, panel in zip(rivals, column, strict=True):
            own = data[(data.protocol == protocol) & (data.against == rival.name)]
            panel.axhline(0, color=style.MUTED, linewidth=1)
            _by_video(panel, own, style.colour(family))
            if place == 0:
                panel.set_ylabel(f"{label} − {rival.label}\n(points of AP)", fontsize=8)
        column[-1].set_xlabel("Videos, sorted by the mean of the seeds")
    return figure


def _by_video(axes: Axes, own: pd.DataFrame, colour: str) -> None:
    means = own.groupby("video").value.mean().sort_values(kind="stable")
    place = {video: number for number, video in enumerate(means.index, start=1)}
    axes.plot(own.video.map(place), own.value, "o", markersize=2, color=colour, alpha=0.4, mew=0)
    axes.plot(range(1, len(means) + 1), means, color=style.INK, linewidth=1.4)
    ahead, behind = (means > 0).sum(), (means < 0).sum()
    axes.annotate(
        f"ahead in {ahead}, behind in {behind}, equal in {len(means) - ahead - behind}",
        (0.03, 0.96), xycoords="axes fraction", va="top", fontsize=8,
    )  # fmt: skip
    axes.grid(axis="x", visible=False)
