"""Average precision of joints as poseval computes it: curves pooled over all videos.

Equal scores are ordered by a stable ascending sort that is then reversed (later entries first).
poseval's own order of equal scores depends on list length, NumPy version and processor. Where
scores differ both agree to the last digit; `tie_bounds` gives the range otherwise.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np

from tdmi.data.annotations import Annotations
from tdmi.evaluation.arrays import Array, pool
from tdmi.evaluation.matching.assignment import HIT_DISTANCE, Matches, match_video
from tdmi.evaluation.matching.scored_videos import ScoredVideo, scored_videos


@dataclass
class Statistics:
    """The scored joints of some videos, as average precision needs them; M predicted ones."""

    joint: Array
    """[M] int8, joint of each predicted joint, in the order of frames and predictions."""
    score: Array
    """[M] float64."""
    hit: Array
    """[M] bool, true positive."""
    annotated: Array
    """[J] int64, number of annotated joints; float64, the sum of their weights, if weighted."""
    frames: int
    truth_persons: int
    predicted_persons: int
    weight: Array | None = None
    """[M] float64, what each predicted joint counts; 1 each if left out."""


@dataclass
class Scores:
    """Percentages [J + 1]: each joint, then the Total (mean over joints without NaN)."""

    ap: Array
    precision: Array
    recall: Array


def evaluate(
    truth: Annotations, predictions: Annotations, threshold: float = HIT_DISTANCE
) -> dict[str, Statistics]:
    """Return the statistics of every video of the ground truth by name, on any common skeleton.

    A joint is hit within `threshold` head sizes.
    """
    return {
        video.name: video_statistics(video, match_video(video, threshold))
        for video in scored_videos(truth, predictions)
    }


def total_ap(truth: Annotations, predictions: Annotations) -> float:
    """Return the Total AP in percent, pooled over all videos of the ground truth."""
    return float(average_precision(combine(evaluate(truth, predictions).values())).ap[-1])


def video_statistics(
    video: ScoredVideo, matches: Matches, frame_weight: Array | None = None
) -> Statistics:
    """Label every predicted joint of one video as true or false positive.

    A joint of an assigned prediction is true if it hits; a joint that its ground-truth person does
    not have, and every joint of an unassigned prediction, is false. `frame_weight` [K]: what a
    joint of each scored frame counts, on both sides (HiEve's weighted score; 1 if left out).
    """
    people = video.predictions
    assigned = matches.assigned_pair >= 0
    hit = np.zeros(people.present.shape, dtype=bool)
    hit[assigned] = matches.hit[matches.assigned_pair[assigned]]
    person, joint = np.nonzero(people.present)
    weight, annotated = None, video.truth.present.sum(axis=0)
    if frame_weight is not None:
        weight = frame_weight[people.frame[person]]
        annotated = frame_weight[video.truth.frame] @ video.truth.present
    return Statistics(
        joint=joint.astype(np.int8),
        score=people.score[people.present],
        hit=hit[people.present],
        annotated=annotated,
        frames=len(video.frame_index),
        truth_persons=len(video.truth),
        predicted_persons=len(people),
        weight=weight,
    )


def combine(statistics: Iterable[Statistics]) -> Statistics:
    """Pool several videos, in the order given (which matters among equal scores only).

    Either all of them are weighted or none is.
    """
    return pool(statistics, ("annotated", "frames", "truth_persons", "predicted_persons"))


def average_precision(statistics: Statistics) -> Scores:
    """Return AP, precision and recall per joint and in total, in percent.

    Precision and recall are those with all predictions kept. A joint that is never predicted has 0
    for all three; one that is predicted but never annotated has AP and recall NaN, precision 0.
    """
    return _scores(statistics, lambda score, hit: best_first(score))


def best_first(score: Array) -> Array:
    """Return rows of `score` [M] from the highest to the lowest: NaN first, of equals the later."""
    return np.argsort(score, kind="stable")[::-1]


def tie_bounds(statistics: Statistics) -> tuple[Scores, Scores]:
    """Return the lowest and highest possible scores over all orders of equal scores."""

    def rank(score: Array) -> Array:  # equal scores share one, NaN among them
        return -np.unique(score, return_inverse=True)[1]

    return (
        _scores(statistics, lambda score, hit: np.lexsort((hit, rank(score)))),
        _scores(statistics, lambda score, hit: np.lexsort((~hit, rank(score)))),
    )


def voc_area(recall: Array, precision: Array) -> float:
    """Return the area under the precision envelope at every recall step (VOC 2010, all points).

    `recall` and `precision` [M] along the list of predictions; recall that is never reached costs
    its whole share.
    """
    recall = np.concatenate([[0.0], recall, [1.0]])
    envelope = np.maximum.accumulate(np.concatenate([[0.0], precision, [0.0]])[::-1])[::-1]
    step = np.flatnonzero(recall[1:] != recall[:-1]) + 1
    return float(np.sum((recall[step] - recall[step - 1]) * envelope[step]))


def _scores(statistics: Statistics, best_first: Callable[[Array, Array], Array]) -> Scores:
    """Return scores with the predictions of each joint in the order `best_first(score, hit)`."""
    table = np.zeros((3, len(statistics.annotated)))
    for j, annotated in enumerate(statistics.annotated.astype(np.float64)):
        rows = np.flatnonzero(statistics.joint == j)
        if not len(rows):
            continue
        rows = rows[best_first(statistics.score[rows], statistics.hit[rows])]
        hit = statistics.hit[rows]
        if statistics.weight is None:
            found, counted = np.cumsum(hit, dtype=np.float64), np.arange(1.0, len(rows) + 1)
        else:
            weight = statistics.weight[rows]
            found, counted = np.cumsum(weight * hit), np.cumsum(weight)
        with np.errstate(invalid="ignore"):
            recall = found / annotated
        precision = found / counted
        table[:, j] = 100 * voc_area(recall, precision), 100 * precision[-1], 100 * recall[-1]
    return Scores(*(with_total(row) for row in table))


def with_total(values: Array) -> Array:
    """Return per-joint values [J] and their Total [J + 1], the mean of those not NaN."""
    known = values[~np.isnan(values)]
    return np.append(values, known.mean() if len(known) else np.nan)
