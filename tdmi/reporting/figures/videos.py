"""The figure of single videos: how often the subject is ahead, and whether few videos decide."""

from __future__ import annotations

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from tdmi.reporting.data.runs import Runs
from tdmi.reporting.data.spec import Method, ReportSpec
from tdmi.reporting.figures import style


def rivals_of(spec: ReportSpec) -> list[Method]:
    """Return the single frame and the strictest reference, without the subject."""
    return [m for m in dict.fromkeys((spec.reference, spec.strictest)) if m != spec.subject]


def videos_data(runs: Runs, spec: ReportSpec) -> pd.DataFrame:
    """Return columns protocol, against, video, seed, value: AP of the subject minus a rival's.

    Differences of a video's mean AP in points, seed by seed; a rival with a single run is
    subtracted from all. Videos without AP on one side are left out.
    """
    columns = ["protocol", "against", "video", "seed", "value"]
    parts = [pd.DataFrame(columns=columns)]
    for protocol in spec.box_protocols:
        for rival in rivals_of(spec) if spec.subject else ():
            one, other = (_by_seed(runs, protocol, m) for m in (spec.subject, rival) if m)
            single = other.shape[1] == 1
            change = one.sub(other.iloc[:, 0], axis=0) if single else one - other
            long = change.stack().rename("value").dropna().reset_index()
            parts.append(long.assign(protocol=protocol, against=rival.name)[columns])
    return pd.concat([part for part in parts if len(part)] or parts[:1], ignore_index=True)


def _by_seed(runs: Runs, protocol: str, method: Method) -> pd.DataFrame:
    videos = runs.videos
    own = videos[(videos.protocol == protocol) & (videos.method == method.name)]
    return own.pivot(index="video", columns="seed", values="ap_total").astype(float)


@style.applied()
def videos(data: pd.DataFrame, spec: ReportSpec) -> Figure:
    """Draw a row per rival, a column per box protocol; videos sorted by their mean difference."""
    rivals = rivals_of(spec)
    label, family = (spec.subject.label, spec.subject.family) if spec.subject else ("", "")
    figure, columns = style.columns(
        spec, 0.6 + 2.5 * len(rivals), len(rivals), sharey=True, sharex="col"
    )
    for place, (protocol, column) in enumerate(columns.items()):
        for rival, panel in zip(rivals, column, strict=True):
            own = data[(data.protocol == protocol) & (data.against == rival.name)]
            panel.axhline(0, color=style.MUTED, linewidth=1)
            _points(panel, own, style.colour(family))
            if place == 0:
                panel.set_ylabel(f"{label} − {rival.label}\n(points of AP)", fontsize=8)
        column[-1].set_xlabel("Videos, sorted by the mean of the seeds")
    return figure


def _points(axes: Axes, own: pd.DataFrame, colour: str) -> None:
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
