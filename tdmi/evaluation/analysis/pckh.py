"""PCKh curves and normalised errors: how near joints are, in head sizes.

Pairs of people are those of poseval's assignment, whose head size is 0.6 of the diagonal of the
head box; a joint of a pair is within t if its distance is at most t head sizes. Two shares are
given for every t, because they answer different questions:

- "matched": of the annotated joints of ground-truth people who have a partner. How well are people
  located who are found at all?
- "annotated": of all annotated joints of judged frames; who has no partner has nothing within t.
  At t = 0.5 this is the recall of poseval.

A joint that the partner lacks is within no t. Predictions without a partner count nowhere: for
false positives see precision. The measure PCKh is that of Andriluka et al., "2D Human Pose
Estimation: New Benchmark and State of the Art Analysis" (CVPR 2014), for single people; the two
denominators are choices of this project.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from tdmi.data.skeletons import JOINT_GROUPS, POSETRACK17
from tdmi.evaluation.matching.assignment import HIT_DISTANCE, Matches
from tdmi.evaluation.matching.pairing import JudgedVideo
from tdmi.evaluation.protocols.poseval import with_total
from tdmi.evaluation.table import group_means, number_or_none

THRESHOLDS = np.arange(51) / 100
"""0, 0.01, ..., 0.5 head sizes. The assignment uses 0.5, so larger ones would mix two notions."""
QUANTILES = (0.25, 0.5, 0.75, 0.9, 0.95)


@dataclass
class Statistics:
    """What curves need to know of some videos; K joints of pairs, present on both sides."""

    joint: np.ndarray
    """[K] int8."""
    error: np.ndarray
    """[K] float64, distance in head sizes; infinite where a coordinate is NaN."""
    matched: np.ndarray
    """[J] int64, annotated joints of ground-truth people who have a partner."""
    annotated: np.ndarray
    """[J] int64, annotated joints."""


def video_statistics(video: JudgedVideo, matches: Matches) -> Statistics:
    """Errors of one video; `matches` must be made with poseval's threshold."""
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
    parts = list(statistics)
    return Statistics(
        joint=np.concatenate([part.joint for part in parts]),
        error=np.concatenate([part.error for part in parts]),
        matched=np.sum([part.matched for part in parts], axis=0),
        annotated=np.sum([part.annotated for part in parts], axis=0),
    )


def curve(
    statistics: Statistics, of: np.ndarray, thresholds: np.ndarray = THRESHOLDS
) -> np.ndarray:
    """Percentages [T, J + 1] within each threshold [T]: each joint, then the Total.

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


def error_quantiles(error: np.ndarray, quantiles: Iterable[float] = QUANTILES) -> np.ndarray:
    """Quantiles of errors [K], each the smallest error that has the share at or below it.

    NaN without errors; infinite where too many errors are.
    """
    if not len(error):
        return np.full(len(list(quantiles)), np.nan)
    return np.quantile(error, list(quantiles), method="inverted_cdf")


def metrics(statistics: Statistics) -> dict:
    """The part "pckh" of ``metrics.json``: lists along the thresholds and the quantiles.

    Curves of groups are means over their joints, as in the official row; quantiles of groups and
    of the total are those of all their joints together. Undefined values are None.
    """
    return {
        "thresholds": THRESHOLDS.tolist(),
        "matched": _columns(curve(statistics, statistics.matched)),
        "annotated": _columns(curve(statistics, statistics.annotated)),
        "normalised_error": {
            "assignment_threshold": HIT_DISTANCE,
            "quantiles": list(QUANTILES),
            **{
                name: [_finite_or_none(v) for v in error_quantiles(statistics.error[rows])]
                for name, rows in _rows(statistics).items()
            },
        },
    }


def _columns(curves: np.ndarray) -> dict[str, list]:
    means = np.stack([group_means(row) for row in curves], axis=1)
    names = [*JOINT_GROUPS, "total"]
    columns = {n: list(map(number_or_none, v)) for n, v in zip(names, means, strict=True)}
    joints = zip(POSETRACK17.joints, curves[:, :-1].T, strict=True)
    return columns | {"per_joint": {n: list(map(number_or_none, v)) for n, v in joints}}


def _rows(statistics: Statistics) -> dict[str, np.ndarray]:
    """[K] bool for each group: the joints that belong to it."""
    groups = {
        name: np.isin(statistics.joint, [POSETRACK17.index(joint) for joint in joints])
        for name, joints in JOINT_GROUPS.items()
    }
    return groups | {"total": np.ones(len(statistics.joint), dtype=bool)}


def _finite_or_none(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None
