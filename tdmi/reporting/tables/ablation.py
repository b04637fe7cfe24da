"""Ablations: differences of each variant of a grid to the row above it and to the references.

Every difference has two 95% intervals. That over seeds is Student's, of the differences paired by
seed (`tdmi.reporting.data.comparison`): it covers training alone, on these videos. That over videos
and seeds is the bootstrap of `tdmi.evaluation.statistics.significance`, on the same runs.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import pandas as pd

from tdmi.evaluation.protocols.base import Request
from tdmi.evaluation.run import EVALUATORS
from tdmi.evaluation.statistics.bootstrap import (
    RankedVideos,
    draw_videos,
    generator,
    mean_of_drawn_runs,
)
from tdmi.evaluation.statistics.interval import interval
from tdmi.experiments.evaluate import checked_statistics
from tdmi.reporting.data import comparison
from tdmi.reporting.data.runs import Runs, run_folder
from tdmi.reporting.data.spec import Method, Record, ReportSpec
from tdmi.reporting.tables import tables
from tdmi.reporting.tables.tables import Cell, Row, Table

RESAMPLES, RANDOM = 1000, 0
PREVIOUS = "previous"
_ENDS = ("mean", "std", "low", "high", "videos_low", "videos_high")


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
    mean: float = math.nan
    std: float = math.nan
    low: float = math.nan
    high: float = math.nan
    """Of the interval over seeds."""
    videos_low: float = math.nan
    videos_high: float = math.nan
    """Of the interval over videos and seeds."""

    @property
    def beyond_seeds(self) -> bool:
        return comparison.beyond(self.mean, self.low, self.high)

    @property
    def beyond_videos(self) -> bool:
        return comparison.beyond(self.mean, self.videos_low, self.videos_high)

    @property
    def beyond_both(self) -> bool:
        return self.beyond_seeds and self.beyond_videos


def contrasts(runs: Runs, spec: ReportSpec, protocol: str) -> list[Contrast]:
    """Return every comparison of the grid, column by column, in the order of its variants."""
    values = comparison.per_seed(runs.groups, protocol)
    resampled = _Resampled(runs, spec, protocol)
    return [
        _contrast(values, resampled, key, spec.method(method), spec.method(against))
        for key, pairs in spec.ablation.comparisons.items()
        for method, against in pairs.items()
    ]


class _Resampled:
    """Mean AP of every run in the resamples of the videos; each run is evaluated once.

    The draws are those that `tdmi.evaluation.statistics.significance.difference` makes.
    """

    def __init__(self, runs: Runs, spec: ReportSpec, protocol: str) -> None:
        self.folder, self.protocol, self.evaluation = runs.folder, protocol, spec.evaluation
        self.truth = spec.dataset.root / "annotations" / spec.dataset.split
        self.videos = 0
        self.total = functools.cache(self._total)

    def _total(self, method: Method, seed: int) -> np.ndarray | None:
        """Return mean AP [B]; None without predictions, labels, or AP in the protocol."""
        predictions = run_folder(self.folder, method, seed) / self.protocol / "predictions"
        available = predictions.is_dir() and self.truth.is_dir()
        if not available or self.evaluation not in EVALUATORS:
            return None
        statistics = checked_statistics(Request(self.truth, predictions, self.evaluation))
        self.videos = len(statistics)
        ranked = RankedVideos(statistics, EVALUATORS[self.evaluation].never_annotated)
        weights = draw_videos(self.videos, RESAMPLES, generator(RANDOM))
        return ranked.average_precision(weights)[:, -1]

    def interval(
        self, one: Method, seeds: Iterable[int], other: Method, other_seeds: Iterable[int]
    ) -> tuple[float, float]:
        """Return low and high end of the difference in mean AP."""
        a = [self.total(one, seed) for seed in seeds]
        b = [self.total(other, seed) for seed in other_seeds]
        if not a or not b or any(run is None for run in a + b):
            return math.nan, math.nan
        random = generator(RANDOM)
        draw_videos(self.videos, RESAMPLES, random)  # precede those of the runs
        one_ap, other_ap = (mean_of_drawn_runs(np.array(x)[..., None], random) for x in (a, b))
        low, high = interval((one_ap - other_ap)[:, 0], self.videos)
        return float(low), float(high)


def _contrast(
    values: pd.DataFrame, resampled: _Resampled, key: str, method: Method, against: Method
) -> Contrast:
    one, other = method.name, against.name
    if one not in values.index or other not in values.index:
        return Contrast(resampled.protocol, key, one, other, 0)
    row = comparison.differences(values, other).loc[one]
    paired = comparison.paired(values, other).loc[one].dropna().index
    own = values.loc[other].dropna().index
    # A reference with a single run is subtracted from all.
    reference = own if len(own) == 1 else paired
    return Contrast(
        resampled.protocol, key, one, other, int(row["n"]),
        float(row["mean"]), float(row["std"]), float(row["low"]), float(row["high"]),
        *resampled.interval(method, map(int, paired), against, map(int, reference)),
    )  # fmt: skip


def ablation_table(runs: Runs, spec: ReportSpec, protocol: str, found: list[Contrast]) -> Table:
    """Return a row per variant: mean AP, each difference with two intervals, size and cost."""
    summary = comparison.summary(comparison.per_seed(runs.groups, protocol))
    keys = list(spec.ablation.comparisons)
    contrast_of = {(contrast.key, contrast.method): contrast for contrast in found}

    def row(method: Method) -> Row:
        done = int(summary["n"].get(method.name, 0))
        mean, std = tables.values_of(summary, method, "mean", "std")
        cells = [Cell(method.label, method.label), tables.mean_cell(mean, std)]
        record: Record = {"variant": method.name, "label": method.label}
        record |= {"mean_ap_mean": mean, "mean_ap_std": std, "seeds": done}
        for key in keys:
            contrast = contrast_of.get((key, method.name), Contrast(protocol, key, "", "", 0))
            cells += [
                tables.difference_cell(contrast.mean, contrast.std, contrast.beyond_both),
                tables.interval_cell(contrast.low, contrast.high),
                tables.interval_cell(contrast.videos_low, contrast.videos_high),
            ]
            record |= {"previous": contrast.against} if key == PREVIOUS else {}
            record |= {f"vs_{key}_{name}": getattr(contrast, name) for name in _ENDS}
        own_cells, own_record = tables.cost_cells(runs, method)
        return [*cells, *own_cells, tables.seeds_cell(done, method)], record | own_record

    headings = ["Variant", "Mean AP"]
    for key in keys:
        against = "row above" if key == PREVIOUS else spec.method(key).label
        headings += [f"vs {against}", "95%, seeds", "95%, videos and seeds"]
    boxes = spec.boxes(protocol)
    return tables.method_table(
        f"ablation_{protocol}", f"Ablation on {boxes}", _caption(spec, boxes),
        [*headings, "Params (M)", "GFLOPs", "Seeds"], runs, spec.methods, row,
    )  # fmt: skip


def _caption(spec: ReportSpec, boxes: str) -> str:
    left_out = "".join(
        f" Left out: {label} ({why})." for label, why in spec.ablation.left_out.items()
    )
    return (
        f"{spec.dataset.name}, split {spec.dataset.split}, {boxes}, labels: "
        f"{spec.dataset.label_kind}. Average precision of {spec.evaluator} in per cent, mean "
        "over seeds ± sample standard deviation. Differences are paired by seed (a counterpart "
        "with a single run is subtracted from all), with the 95% Student interval over seeds, "
        f"then the 95% bootstrap interval over videos and seeds ({RESAMPLES} resamples; where a "
        "side has a single run, its training does not vary in it). * marks those of at least "
        f"{comparison.LEAST} that both intervals place beyond zero.{left_out}"
    )


BEYOND_BOTH = "Beyond zero in both intervals"
BEYOND_SEEDS = "Beyond zero over seeds, not over videos and seeds"
BEYOND_VIDEOS = "Beyond zero over videos and seeds, not over seeds"
OPEN = "No difference beyond noise"
ONE_SEED = "One common seed, spread unknown"
NOT_RUN = "Not run"
VERDICTS = (BEYOND_BOTH, BEYOND_SEEDS, BEYOND_VIDEOS, OPEN, ONE_SEED, NOT_RUN)


def statements(found: list[Contrast], spec: ReportSpec) -> list[str]:
    """Return one sentence per column: which contrasts of one box protocol hold, by rule."""
    keys = spec.ablation.comparisons
    return [_statement([one for one in found if one.key == key], key, spec) for key in keys]


def _statement(found: list[Contrast], key: str, spec: ReportSpec) -> str:
    against = "the row above" if key == PREVIOUS else f"“{spec.method(key).label}”"
    groups: dict[str, list[str]] = {verdict: [] for verdict in VERDICTS}
    for contrast in found:
        label, value = spec.method(contrast.method).label, tables.number(contrast.mean, 1, True)
        groups[_verdict(contrast)].append(f"“{label}” {value}".strip())
    parts = [f"{verdict}: {', '.join(listed)}." for verdict, listed in groups.items() if listed]
    return f"On {spec.boxes(found[0].protocol)}, against {against}. " + " ".join(parts)


def _verdict(contrast: Contrast) -> str:
    if contrast.pairs < 2:
        return ONE_SEED if contrast.pairs else NOT_RUN
    if contrast.beyond_both:
        return BEYOND_BOTH
    if contrast.beyond_seeds:
        return BEYOND_SEEDS
    return BEYOND_VIDEOS if contrast.beyond_videos else OPEN
