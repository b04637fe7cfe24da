"""PCKh curves and normalised errors of joints, and calibration of their scores.

**PCKh.** Pairs of people are those of poseval's assignment. A joint of a pair is within t if its
distance is at most t head sizes, each 0.6 of the diagonal of the head box. Two shares are given for
every t, because they answer different questions:

- "matched": of the annotated joints of ground-truth people who have a partner. It tells how well
  people are located who are found at all.
- "annotated": of all annotated joints of scored frames; who has no partner has nothing within t.
  At t = 0.5 this is the recall of poseval.

A joint that the partner lacks is within no t. Predictions without a partner count nowhere: for
false positives see precision. The measure PCKh is that of Andriluka et al., "2D Human Pose
Estimation: New Benchmark and State of the Art Analysis" (CVPR 2014), for single people; the two
denominators are choices of this project.

**Calibration.** Of the predicted joints with a score near s, how many are right. Right is what the
evaluator counts as a true positive: within half a head size of the joint of the person that the
prediction is assigned to. A joint that its person does not have and every joint of a prediction
without a person is wrong. A score is calibrated if the share of right joints equals it (DeGroot and
Fienberg 1983, The Comparison and Evaluation of Forecasters). AP depends on the order of the scores
alone and does not show it.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from tdmi.data.skeletons import JOINT_GROUPS, POSETRACK17
from tdmi.evaluation.arrays import Array, pool
from tdmi.evaluation.matching.assignment import HIT_DISTANCE, Matches
from tdmi.evaluation.matching.scored_videos import ScoredVideo
from tdmi.evaluation.output import Content, entries, number_or_none
from tdmi.evaluation.protocols import poseval
from tdmi.evaluation.protocols.poseval import with_total

THRESHOLDS = np.arange(51) / 100
"""0, 0.01, ..., 0.5 head sizes. The assignment uses 0.5, so larger ones would mix two notions."""
QUANTILES = (0.25, 0.5, 0.75, 0.9, 0.95)
EDGES = np.arange(21) / 20
"""Bins of 0.05, enough joints in each for a share and fine enough for a curve (choice of this
project). A score below 0 is in the first, one above 1 in the last."""


@dataclass
class Statistics:
    """The errors of some videos; K joints of pairs, present on both sides."""

    joint: Array
    """[K] int8."""
    error: Array
    """[K] float64, distance in head sizes; infinite where a coordinate is NaN."""
    matched: Array
    """[J] int64, annotated joints of ground-truth people who have a partner."""
    annotated: Array
    """[J] int64, annotated joints."""


def video_statistics(video: ScoredVideo, matches: Matches) -> Statistics:
    """Return the errors of one video; `matches` must be made with poseval's threshold."""
    pairs = matches.assigned_pair[matches.assigned_pair >= 0]
    both = video.truth.present[matches.truth[pairs]]
    matched = both.sum(axis=0)
    both = both & video.predictions.present[matches.prediction[pairs]]
    pair, joint = np.nonzero(both)
    error = matches.distance[pairs[pair], joint]
    return Statistics(
        joint=joint.astype(np.int8),
        error=np.where(np.isnan(error), np.inf, error),
        matched=matched,
        annotated=video.truth.present.sum(axis=0),
    )


def combine(statistics: Iterable[Statistics]) -> Statistics:
    """Pool several videos."""
    return pool(statistics, added=("matched", "annotated"))


def curve(statistics: Statistics, of: Array, thresholds: Array = THRESHOLDS) -> Array:
    """Return percentages [T, J + 1] within each threshold [T]: each joint, then the Total.

    `of` [J] is the denominator, ``statistics.matched`` or ``statistics.annotated``; NaN where it is
    0. The Total is the mean over joints without NaN.
    """
    within = np.stack(
        [
            np.searchsorted(np.sort(statistics.error[statistics.joint == j]), thresholds, "right")
            for j in range(len(of))
        ],
        axis=1,
    )
    with np.errstate(invalid="ignore"):
        shares = 100 * (within / of)
    return np.stack([with_total(row) for row in shares])


def error_quantiles(error: Array, quantiles: Iterable[float] = QUANTILES) -> Array:
    """Return quantiles of errors [K], each the smallest error that has the share at or below it.

    NaN without errors; infinite where too many errors are.
    """
    if not len(error):
        return np.full(len(list(quantiles)), np.nan)
    return np.quantile(error, list(quantiles), method="inverted_cdf")


def pckh(statistics: Statistics) -> Content:
    """Return "pckh" of ``metrics.json``: lists along the thresholds and the quantiles.

    Curves of groups are means over their joints, as in the official row. Quantiles of groups and of
    the total are those of all their joints together.
    """
    groups = {
        name: np.isin(statistics.joint, [POSETRACK17.index(joint) for joint in joints])
        for name, joints in JOINT_GROUPS.items()
    } | {"total": np.ones(len(statistics.joint), dtype=bool)}
    return {
        "thresholds": THRESHOLDS.tolist(),
        "matched": entries(curve(statistics, statistics.matched)),
        "annotated": entries(curve(statistics, statistics.annotated)),
        "normalised_error": {
            "assignment_threshold": HIT_DISTANCE,
            "quantiles": list(QUANTILES),
            **{
                name: [
                    float(v) if np.isfinite(v) else None
                    for v in error_quantiles(statistics.error[rows])
                ]
                for name, rows in groups.items()
            },
        },
    }


def reliability(statistics: poseval.Statistics) -> Content:
    """Return "reliability" of ``metrics.json``: a value for each bin between two edges.

    "joints": how many; "mean_score"; "right" in percent; None in an empty bin. Joints whose score
    is NaN are left out.
    """
    known = ~np.isnan(statistics.score)
    score, hit = statistics.score[known], statistics.hit[known]
    place = np.clip(np.searchsorted(EDGES, score, side="right") - 1, 0, len(EDGES) - 2)
    joints, scores, right = (
        np.bincount(place, weights, minlength=len(EDGES) - 1)
        for weights in (np.ones(len(score)), score, 100.0 * hit)
    )
    with np.errstate(invalid="ignore"):
        means = {"mean_score": scores / joints, "right": right / joints}
    return {
        "edges": EDGES.tolist(),
        "joints": joints.astype(int).tolist(),
        **{name: number_or_none(values) for name, values in means.items()},
    }
