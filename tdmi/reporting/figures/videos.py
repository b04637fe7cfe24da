"""The figure of single videos: how often the subject is ahead, and whether few videos decide."""

from __future__ import annotations

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from tdmi.reporting.data.runs import Runs
from tdmi.reporting.data.settings import Method
from tdmi.reporting.figures import style


def videos_data(
    runs: Runs, protocols: dict[str, str], subject: str, rivals: list[str]
) -> pd.DataFrame:
    """Columns protocol, against, video, seed, value: AP of `subject` minus that of a rival.

    Differences of a video's mean AP in points, seed by seed; a rival with a single run is
    subtracted from all. Videos without AP on one side are left out.
    """
    parts = []
    for protocol in protocols:
        for rival in rivals:
            one, other = (_by_seed(runs, protocol, name) for name in (subject, rival))
            single = other.shape[1] == 1
            change = one.sub(other.iloc[:, 0], axis=0) if single else one - other
            long = change.stack().rename("value").dropna().reset_index()
            parts.append(long.assign(protocol=protocol, against=rival))
    return pd.concat(parts, ignore_index=True)[["protocol", "against", "video", "seed", "value"]]


def _by_seed(runs: Runs, protocol: str, method: str) -> pd.DataFrame:
    videos = runs.videos
    own = videos[(videos.protocol == protocol) & (videos.method == method)]
    return own.pivot(index="video", columns="seed", values="ap_total").astype(float)


def videos(
    data: pd.DataFrame, subject: Method, rivals: list[Method], protocols: dict[str, str]
) -> Figure:
    """A row per rival, a column per box protocol; videos sorted by their mean difference."""
    with style.applied():
        figure = Figure(figsize=(9.6, 0.6 + 2.5 * len(rivals)), layout="constrained")
        grid = figure.subplots(
            len(rivals), len(protocols), sharey=True, sharex="col", squeeze=False
        )
        for rival, row in zip(rivals, grid, strict=True):
            row[0].set_ylabel(f"{subject.label} − {rival.label}\n(points of AP)", fontsize=8)
            for panel, (protocol, boxes) in zip(row, protocols.items(), strict=True):
                own = data[(data.protocol == protocol) & (data.against == rival.name)]
                panel.axhline(0, color=style.MUTED, linewidth=1)
                _points(panel, own, subject)
                if rival is rivals[0]:
                    panel.set_title(boxes.capitalize())
                if rival is rivals[-1]:
                    panel.set_xlabel("Videos, sorted by the mean of the seeds")
    return figure


def _points(axes: Axes, own: pd.DataFrame, subject: Method) -> None:
    means = own.groupby("video").value.mean().sort_values(kind="stable")
    place = {video: number for number, video in enumerate(means.index, start=1)}
    colour = style.colour(subject.family)
    axes.plot(own.video.map(place), own.value, "o", markersize=2, color=colour, alpha=0.4, mew=0)
    axes.plot(range(1, len(means) + 1), means, color=style.INK, linewidth=1.4)
    ahead, behind = (means > 0).sum(), (means < 0).sum()
    axes.annotate(
        f"ahead in {ahead}, behind in {behind}, equal in {len(means) - ahead - behind}",
        (0.03, 0.96), xycoords="axes fraction", va="top", fontsize=8,
    )  # fmt: skip
    axes.grid(axis="x", visible=False)
