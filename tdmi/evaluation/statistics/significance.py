"""The difference of two methods: its interval over videos and seeds, and a permutation test.

**Interval of a difference.** Both methods get the same videos in every resample, which takes the
difficulty of the videos out of the difference. Seeds are a second level, crossed with the videos:
videos and each method's runs are drawn independently of one another (Owen 2007, The Pigeonhole
Bootstrap, Annals of Applied Statistics 1), and the difference is that of the mean APs. Of S runs
S - 1 are drawn, which makes the variance of their mean right on average (McCarthy and Snowden 1985,
The Bootstrap and Finite Population Sampling). S runs out of S would make it too small by
(S - 1) / S, a third at three seeds. With one run per method there is nothing to draw: the interval
is then about these trained networks and says nothing of their training.

**p-value of a difference.** A permutation test (Noreen 1989, Computer-Intensive Methods for Testing
Hypotheses: approximate randomisation; Fisher's sign flips are its case for means). If the methods
were alike, their predictions of any video could change sides. They do so at random for each video,
and the pooled APs of the two mixtures are compared; p is the share of mixtures that differ at least
as much as the methods do. Flipping the signs of per-video differences of AP is simpler and tests
something else: a mean in which a video with two people counts as much as one with thirty.

Scores are first replaced by their rank among the method's own, joint by joint, which changes no AP.
Otherwise a method with low scores would sink to the bottom of every mixture, and the test would
lose its power. If 2^V is at most the number of resamples all mixtures are taken; otherwise the real
one counts as one of them (Phipson and Smyth 2010, Permutation P-values Should Never Be Zero). Equal
methods were found different at the 5% level in 2 to 6% of simulated cases with 6 to 40 videos. The
share of bootstrap differences beyond zero, which is often used as p, found 15 to 16% at 6 videos.
Runs are held fixed in this test. Only the Total is tested, because many p-values of single columns
would find something by chance.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import product
from typing import TypeAlias

import numpy as np
from tqdm import tqdm

from tdmi.evaluation.arrays import Array
from tdmi.evaluation.output import Content, group_entries, number_or_none
from tdmi.evaluation.protocols.poseval import Statistics, best_first, combine
from tdmi.evaluation.statistics import interval
from tdmi.evaluation.statistics.bootstrap import (
    RankedVideos,
    draw_videos,
    generator,
    mean_of_drawn_runs,
)

Runs: TypeAlias = Sequence[Sequence[Statistics]]
"""The seeds of a method; of each the videos, in the same order everywhere."""
_SAME = 1e-9
"""Percentage points by which two ways to the same AP may differ."""


@dataclass
class Difference:
    """The difference of two methods, a minus b, in percentage points; [J + 1] joints and Total."""

    a: Array
    """Mean AP over the runs of a."""
    b: Array
    estimate: Array
    replicates: Array
    """[B, J + 1] differences in the resamples."""
    p_value: float
    """Of the Total, two-sided."""
    mixtures: int
    """Number of mixtures behind the p-value."""


def difference(
    a: Runs,
    b: Runs,
    resamples: int,
    seed: int,
    never_annotated: float = np.nan,
    quiet: bool = True,
) -> Difference:
    """Compare two methods, given by their runs, on the same videos.

    In the test run k of one changes sides with run k of the other where both have as many runs;
    otherwise all pairs of runs are averaged.
    """
    videos, random = len(a[0]), generator(seed)
    # The first row is the videos as they are.
    weights = np.ones((1 + resamples, videos), dtype=np.int64)
    weights[1:] = draw_videos(videos, resamples, random)
    runs = tqdm([*a, *b], desc="resampling", unit="run", disable=quiet or None)
    ap = np.array([RankedVideos(run, never_annotated).average_precision(weights) for run in runs])
    ap_a, ap_b = ap[: len(a)], ap[len(a) :]
    drawn_a, drawn_b = (mean_of_drawn_runs(ap[:, 1:], random) for ap in (ap_a, ap_b))
    swapped = _swaps(videos, resamples, random)
    pairs = list(zip(a, b, strict=True) if len(a) == len(b) else product(a, b))
    shown = tqdm(pairs, desc="permuting", unit="pair of runs", disable=quiet or None)
    mixed = np.mean([_mixed_differences(x, y, swapped, never_annotated) for x, y in shown], axis=0)
    mean_a, mean_b = ap_a[:, 0].mean(axis=0), ap_b[:, 0].mean(axis=0)
    return Difference(
        a=mean_a,
        b=mean_b,
        estimate=mean_a - mean_b,
        replicates=drawn_a - drawn_b,
        p_value=_p_value(mixed, mean_a[-1] - mean_b[-1], complete=len(mixed) == 2**videos),
        mixtures=len(mixed),
    )


def content(found: Difference, videos: int, seed: int) -> Content:
    """Return the JSON of a comparison, by column; undefined values None."""
    about = interval.about(len(found.replicates), videos, seed)
    return {
        "videos": videos,
        "ap": {"a": group_entries(found.a), "b": group_entries(found.b)},
        "difference": group_entries(found.estimate),
        "interval": about | {"difference": interval.column_ends(found.replicates, videos)},
        "p_value": number_or_none(found.p_value),
        "mixtures": found.mixtures,
    }


def _swaps(videos: int, resamples: int, random: np.random.Generator) -> Array:
    """Return 1 where a video changes sides [B, V]: at random, or every way once if fewer."""
    if 2**videos <= resamples:
        every: Array = np.arange(2**videos)[:, None] >> np.arange(videos) & 1
        return every
    return random.integers(0, 2, (resamples, videos))


def _mixed_differences(
    a: Sequence[Statistics], b: Sequence[Statistics], swapped: Array, never_annotated: float
) -> Array:
    """Return the difference of the Totals [B] of two runs after some videos have changed sides."""
    ranked = RankedVideos([*_by_rank(a), *_by_rank(b)], never_annotated)
    first = ranked.average_precision(np.concatenate([1 - swapped, swapped], axis=1))
    second = ranked.average_precision(np.concatenate([swapped, 1 - swapped], axis=1))
    by: Array = first[:, -1] - second[:, -1]
    return by


def _by_rank(videos: Sequence[Statistics]) -> list[Statistics]:
    """Return the same videos with scores 0, -1, ... for the best, second, ... of each joint."""
    pooled = combine(videos)
    score = np.empty(len(pooled.score))
    for joint in range(len(pooled.annotated)):
        rows = np.flatnonzero(pooled.joint == joint)
        score[rows[best_first(pooled.score[rows])]] = -np.arange(len(rows))
    ends = np.cumsum([len(video.score) for video in videos])
    return [
        replace(video, score=part)
        for video, part in zip(videos, np.split(score, ends[:-1]), strict=True)
    ]


def _p_value(mixed: Array, observed: float, complete: bool) -> float:
    """Return the share of mixtures [B] that differ as much as the observed one, included."""
    if np.isnan(observed):
        return float("nan")
    as_large = np.count_nonzero(np.abs(mixed) >= np.abs(observed) - _SAME)
    return as_large / len(mixed) if complete else (1 + as_large) / (1 + len(mixed))
