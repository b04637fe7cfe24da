"""The bootstrap: draws of the videos, and the exact average precision of each draw.

A resample of the videos is a whole-number weight for every video: how often it was drawn. All
videos are ranked once; for a weighting only sums of weights along that ranking are needed.

Along a ranking precision rises with every hit and falls with every miss, so its running maximum
from the right is found at the last hit of each unbroken row of hits. One joint's ranking is
therefore cut into R runs (misses, then hits), and what is summed is, per run, the number of misses
and hits of every video: a sparse matrix [2R, V] times the weights [V, B].
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy.sparse import csr_matrix

from tdmi.evaluation.arrays import Array
from tdmi.evaluation.protocols.poseval import Statistics, best_first, combine

_RUNS_AT_ONCE = 64
_WEIGHTINGS_AT_ONCE = 1000
"""Blocks of that many runs and weightings stay in the processor's cache (choice of this project,
by trial)."""


class RankedVideos:
    """The predicted joints of V videos, ranked once, whose AP can be computed under any weights."""

    def __init__(self, videos: Sequence[Statistics], never_annotated: float = np.nan) -> None:
        """Rank all predicted joints.

        `never_annotated`: AP of a joint that is predicted but not annotated (0 by PoseTrack21's
        rules).
        """
        self._never_annotated = never_annotated
        self._annotated = np.array([video.annotated for video in videos])
        pooled = combine(videos)
        owner = np.repeat(np.arange(len(videos)), [len(video.score) for video in videos])
        self._runs = []
        for joint in range(self._annotated.shape[1]):
            rows = np.flatnonzero(pooled.joint == joint)
            runs = _runs(pooled.score[rows], pooled.hit[rows], owner[rows], len(videos))
            self._runs.append(runs)

    def average_precision(self, weights: Array) -> Array:
        """Return AP in percent [B, J + 1], joints and Total, for each row of `weights` [B, V].

        Weights are whole numbers from 0: a video of weight n counts as n videos like it. Undefined
        values follow `poseval.average_precision`.
        """
        weights = np.asarray(weights, dtype=np.float64)
        annotated = weights @ self._annotated
        area, predicted = np.zeros((2, *annotated.shape))
        for first in range(0, len(weights), _WEIGHTINGS_AT_ONCE):
            chosen = slice(first, first + _WEIGHTINGS_AT_ONCE)
            # One row per video, so that what is added together lies together.
            columns = np.ascontiguousarray(weights[chosen].T)
            for joint, runs in enumerate(self._runs):
                area[chosen, joint], predicted[chosen, joint] = _area(runs, columns)
        with np.errstate(invalid="ignore", divide="ignore"):
            ap = np.where(annotated > 0, 100 * area / annotated, self._never_annotated)
        return with_totals(np.where(predicted > 0, ap, 0.0))


def with_totals(values: Array) -> Array:
    """Return per-joint values [B, J] with their Totals [B, J + 1], means of those not NaN."""
    known = ~np.isnan(values)
    with np.errstate(invalid="ignore"):
        total = np.where(known, values, 0.0).sum(axis=1) / known.sum(axis=1)
    return np.concatenate([values, total[:, None]], axis=1)


def generator(seed: int) -> np.random.Generator:
    """Return the random numbers that a seed stands for."""
    return np.random.Generator(np.random.PCG64(seed))


def draw_videos(videos: int, resamples: int, random: np.random.Generator) -> Array:
    """Return how often each of V videos is drawn in each resample [B, V] int64; rows sum to V."""
    return random.multinomial(videos, np.full(videos, 1 / videos), resamples)


def bootstrap(
    videos: Sequence[Statistics], resamples: int, seed: int, never_annotated: float = np.nan
) -> Array:
    """Return AP in percent [B, J + 1], joints and Total, of `resamples` draws of the videos.

    The seed alone decides which are drawn.
    """
    weights = draw_videos(len(videos), resamples, generator(seed))
    return RankedVideos(videos, never_annotated).average_precision(weights)


def mean_of_drawn_runs(ap: Array, random: np.random.Generator) -> Array:
    """Return mean AP [B, J + 1] of S - 1 runs, drawn for each resample, of `ap` [S, B, J + 1]."""
    runs, resamples = ap.shape[:2]
    mean: Array = ap[0]
    if runs > 1:
        drawn = random.multinomial(runs - 1, np.full(runs, 1 / runs), resamples) / (runs - 1)
        mean = np.einsum("bs,sbj->bj", drawn, ap)
    return mean


def _runs(score: Array, hit: Array, owner: Array, videos: int) -> csr_matrix:
    """Return the predictions by run and video [2R, V]: hits in even rows, misses in odd ones."""
    order = best_first(score)
    hit, owner = hit[order], owner[order]
    run = np.concatenate([[0], np.cumsum(hit[:-1] & ~hit[1:])]) if len(hit) else owner
    rows = 2 * (run[-1] + 1) if len(hit) else 0
    return csr_matrix((np.ones(len(hit)), (2 * run + ~hit, owner)), shape=(rows, videos))


def _area(runs: csr_matrix, weights: Array) -> Array:
    """Return the area under the envelope times the annotated joints, and all weight [2, B].

    `weights` [V, B]. Goes through the runs from the last to the first, as the envelope does.
    """
    reached = np.stack([runs[side::2].sum(axis=0).A1 @ weights for side in (0, 1)])
    predicted = reached.sum(axis=0)
    area, envelope = np.zeros((2, weights.shape[1]))
    for last in range(runs.shape[0] // 2, 0, -_RUNS_AT_ONCE):
        first = max(last - _RUNS_AT_ONCE, 0)
        step = (runs[2 * first : 2 * last] @ weights).reshape(last - first, 2, -1)
        upto = np.empty_like(step)
        upto[-1] = reached
        # Row by row is faster than NumPy's accumulation along the first axis.
        for run in range(len(step) - 1, 0, -1):
            np.subtract(upto[run], step[run], out=upto[run - 1])
        reached = upto[0] - step[0]
        # Where nothing is counted there is no hit either: 0 / 1.
        precision = upto[:, 0] / np.maximum(upto.sum(axis=1), 1)
        np.maximum(precision[-1], envelope, out=precision[-1])
        for run in range(len(step) - 1, 0, -1):
            np.maximum(precision[run - 1], precision[run], out=precision[run - 1])
        envelope = precision[0]
        area += np.einsum("rb,rb->b", precision, step[:, 0])
    return np.stack([area, predicted])
