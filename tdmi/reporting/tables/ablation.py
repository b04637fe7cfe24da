"""Ablations: what each variant of a grid differs by from the row above it and from the references.

Every difference has two 95% intervals. That over seeds is Student's, of the differences paired by
seed (`tdmi.reporting.data.comparison`): it speaks of training alone, on these videos. That over videos
and seeds is the bootstrap of `tdmi.evaluation.statistics.significance`, on the same runs.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import asdict, dataclass

import numpy as np
import pandas as pd

from tdmi.evaluation.protocols.base import Request
from tdmi.evaluation.run import EVALUATORS, folder_statistics
from tdmi.evaluation.statistics.bootstrap import (
    RankedVideos,
    draw_videos,
    generator,
    mean_of_drawn_runs,
)
from tdmi.evaluation.statistics.interval import interval
from tdmi.reporting.data import comparison
from tdmi.reporting.data.runs import Runs, run_folder
from tdmi.reporting.data.settings import Method, Settings
from tdmi.reporting.tables.tables import (
    Cell,
    Table,
    anchor,
    number,
    seeds_text,
    source,
    with_spread,
)

RESAMPLES, RANDOM = 1000, 0
PREVIOUS = "previous"


@dataclass(frozen=True)
class Contrast:
    """A variant minus its counterpart, in points of mean AP; NaN for what is not known."""

    protocol: str
    key: str
    """Column of the table: PREVIOUS, or the reference's name."""
    method: str
    against: str
    pairs: int
    """Seeds that both have."""
    mean: float
    std: float
    low: float
    high: float
    """Of the interval over seeds."""
    videos_low: float
    videos_high: float
    """Of the interval over videos and seeds."""

    @property
    def beyond_seeds(self) -> bool:
        return comparison.beyond(self.mean, self.low, self.high)

    @property
    def beyond_videos(self) -> bool:
        return comparison.beyond(self.mean, self.videos_low, self.videos_high)


def contrasts(runs: Runs, settings: Settings, protocol: str) -> list[Contrast]:
    """Every comparison that the grid asks for, column by column, in the order of its variants."""
    values = comparison.per_seed(runs.groups, protocol)
    resampled = _Resampled(runs, settings, protocol)
    found = []
    for key, pairs in settings.ablation.comparisons.items():
        for method, against in pairs.items():
            found.append(_contrast(values, resampled, protocol, key, method, against))
    return found


class _Resampled:
    """Mean AP of every run in the resamples of the videos, each run judged and resampled once.

    The draws are those that `tdmi.evaluation.statistics.significance.difference` makes.
    """

    def __init__(self, runs: Runs, settings: Settings, protocol: str) -> None:
        self.runs, self.settings, self.protocol = runs, settings, protocol
        self.truth = settings.dataset.root / "annotations" / settings.dataset.split
        self.videos = 0
        self.known: dict[tuple[str, int], np.ndarray | None] = {}

    def total(self, method: Method, seed: int) -> np.ndarray | None:
        """Mean AP [B]; None where predictions or labels are missing or the judge has none."""
        key = method.name, seed
        if key not in self.known:
            predictions = run_folder(self.runs.folder, method, seed) / self.protocol / "predictions"
            there = predictions.is_dir() and self.truth.is_dir()
            judge = self.settings.evaluation
            self.known[key] = None
            if there and judge in EVALUATORS:
                statistics = folder_statistics(Request(self.truth, predictions, judge))
                self.videos = len(statistics)
                ranked = RankedVideos(statistics, EVALUATORS[judge].never_annotated)
                weights = draw_videos(self.videos, RESAMPLES, generator(RANDOM))
                self.known[key] = ranked.average_precision(weights)[:, -1]
        return self.known[key]

    def interval(
        self, one: Method, seeds: Iterable[int], other: Method, other_seeds: Iterable[int]
    ) -> tuple[float, float]:
        """Low and high end of the difference in mean AP."""
        a = [self.total(one, seed) for seed in seeds]
        b = [self.total(other, seed) for seed in other_seeds]
        if not a or not b or any(run is None for run in a + b):
            return math.nan, math.nan
        random = generator(RANDOM)
        draw_videos(self.videos, RESAMPLES, random)  # what was drawn before the runs
        drawn = [mean_of_drawn_runs(np.array(side)[..., None], random) for side in (a, b)]
        low, high = interval((drawn[0] - drawn[1])[:, 0], self.videos)
        return float(low), float(high)


def _contrast(
    values: pd.DataFrame, resampled: _Resampled, protocol: str, key: str, method: str, against: str
) -> Contrast:
    if method not in values.index or against not in values.index:
        return Contrast(protocol, key, method, against, 0, *(math.nan,) * 6)
    row = comparison.differences(values, against).loc[method]
    paired = comparison.paired(values, against).loc[method].dropna().index
    own = values.loc[against].dropna().index
    # A reference with a single run is subtracted from all.
    reference = own if len(own) == 1 else paired
    one, other = resampled.settings.method(method), resampled.settings.method(against)
    return Contrast(
        protocol, key, method, against, int(row["n"]),
        *(float(row[name]) for name in ("mean", "std", "low", "high")),
        *resampled.interval(one, map(int, paired), other, map(int, reference)),
    )  # fmt: skip


def ablation_table(runs: Runs, settings: Settings, protocol: str, found: list[Contrast]) -> Table:
    """One row per variant: mean AP, then each difference with its two intervals, size and cost."""
    summary = comparison.summary(comparison.per_seed(runs.groups, protocol))
    cost = runs.cost.set_index("method")
    keys = list(settings.ablation.comparisons)
    of = {(contrast.key, contrast.method): contrast for contrast in found}
    cells, data = [], []
    for method in settings.methods:
        done = int(summary["n"].get(method.name, 0))
        mean, std = (float(summary[c].get(method.name, math.nan)) for c in ("mean", "std"))
        row = [Cell(method.label, method.label), Cell(with_spread(mean, std), mean)]
        record = {"variant": method.name, "label": method.label}
        record |= {"mean_ap_mean": mean, "mean_ap_std": std, "seeds": done}
        for key in keys:
            contrast = of.get((key, method.name))
            row += _cells(contrast)
            record |= _record(key, contrast)
        parameters, gflops = (
            float(cost[c].get(method.name, math.nan)) for c in ("parameters", "gflops")
        )
        row += [Cell(number(parameters / 1e6, 2), parameters), Cell(number(gflops, 2), gflops)]
        row.append(Cell(seeds_text(done, len(method.seeds)), done))
        cells.append(row)
        record |= {"parameters": parameters, "gflops": gflops, "runs": source(runs, method)}
        data.append(record)
    headings = ["Variant", "Mean AP"]
    for key in keys:
        headings += [_against(key, settings), "95%, seeds", "95%, videos and seeds"]
    boxes = settings.boxes(protocol)
    return Table(
        name=f"ablation_{protocol}",
        title=f"Ablation on {boxes}",
        caption=_caption(settings, boxes),
        headings=[*headings, "Params (M)", "GFLOPs", "Seeds"],
        cells=cells,
        data=pd.DataFrame(data).astype({"parameters": "Int64"}),
        text_columns=1,
        sources=tuple(anchor(runs, method) for method in settings.methods),
    )


def _cells(contrast: Contrast | None) -> list[Cell]:
    if contrast is None:
        return [Cell(), Cell(), Cell()]
    star = "*" if contrast.beyond_seeds and contrast.beyond_videos else ""
    text = with_spread(contrast.mean, contrast.std, sign=True)
    return [
        Cell(text + star, contrast.mean),
        Cell(_ends(contrast.low, contrast.high), contrast.low),
        Cell(_ends(contrast.videos_low, contrast.videos_high), contrast.videos_low),
    ]


def _ends(low: float, high: float) -> str:
    return "" if math.isnan(low) else f"{number(low, 1, True)} to {number(high, 1, True)}"


def _record(key: str, contrast: Contrast | None) -> dict:
    names = ("mean", "std", "low", "high", "videos_low", "videos_high")
    values = asdict(contrast) if contrast else {"against": ""} | dict.fromkeys(names, math.nan)
    record = {f"vs_{key}_{name}": values[name] for name in names}
    return ({"previous": values["against"]} if key == PREVIOUS else {}) | record


def _against(key: str, settings: Settings) -> str:
    return "vs row above" if key == PREVIOUS else f"vs {settings.method(key).label}"


def _caption(settings: Settings, boxes: str) -> str:
    left_out = "".join(
        f" Left out: {label} ({why})." for label, why in settings.ablation.left_out.items()
    )
    return (
        f"{settings.dataset.name}, split {settings.dataset.split}, {boxes}, labels: "
        f"{settings.dataset.label_kind}. Average precision of {settings.judge} in per cent, mean "
        "over seeds ± sample standard deviation. Differences are paired by seed (a counterpart "
        "with a single run is subtracted from all), with the 95% Student interval over seeds, "
        f"then the 95% bootstrap interval over videos and seeds ({RESAMPLES} resamples; where a "
        "side has a single run, its training does not vary in it). * marks those of at least "
        f"{comparison.LEAST} that both intervals place beyond zero.{left_out}"
    )


def statements(found: list[Contrast], settings: Settings) -> list[str]:
    """What the contrasts of one box protocol say, column by column, by rule."""
    return [
        _statement([contrast for contrast in found if contrast.key == key], key, settings)
        for key in settings.ablation.comparisons
    ]


def _statement(found: list[Contrast], key: str, settings: Settings) -> str:
    against = "the row above" if key == PREVIOUS else f"“{settings.method(key).label}”"
    boxes = settings.boxes(found[0].protocol)
    groups: dict[str, list[str]] = {}
    for contrast in found:
        label = f"“{settings.method(contrast.method).label}”"
        value = number(contrast.mean, 1, True)
        groups.setdefault(_verdict(contrast), []).append(f"{label} {value}".strip())
    order = [verdict for verdict in VERDICTS if verdict in groups]
    parts = [f"{verdict}: {', '.join(groups[verdict])}." for verdict in order]
    return f"On {boxes}, against {against}. " + " ".join(parts)


BEYOND_BOTH = "Beyond zero in both intervals"
BEYOND_SEEDS = "Beyond zero over seeds, not over videos and seeds"
BEYOND_VIDEOS = "Beyond zero over videos and seeds, not over seeds"
OPEN = "Not told apart"
ONE_SEED = "One common seed, nothing known of its spread"
NOT_RUN = "Not run"
VERDICTS = (BEYOND_BOTH, BEYOND_SEEDS, BEYOND_VIDEOS, OPEN, ONE_SEED, NOT_RUN)


def _verdict(contrast: Contrast) -> str:
    if contrast.pairs == 0:
        return NOT_RUN
    if contrast.pairs == 1:
        return ONE_SEED
    beyond = contrast.beyond_seeds, contrast.beyond_videos
    return {
        (True, True): BEYOND_BOTH,
        (True, False): BEYOND_SEEDS,
        (False, True): BEYOND_VIDEOS,
        (False, False): OPEN,
    }[beyond]
