"""Tracking accuracy of joints as poseval computes it with motmetrics 1.4.0: CLEAR MOT per joint.

Every joint of a ground-truth person is an object, every predicted one a hypothesis, named by the
track id of its person; they can be paired if the joint is hit, and the assignment of whole persons
plays no part. Three surprising rules of poseval are kept. The last scored frame of each video is
left out. In a frame where one side has nobody every joint counts as one miss and one false
positive. MOTP sums distances over motmetrics' whole event log, so it is not a mean distance and
belongs to that version of motmetrics.

Where poseval ends with an exception this module answers: a video with a single scored frame adds
nothing. A person without a track id is a track of its own, and so is a predicted person with the id
of an earlier one in the same frame; a known object paired with it has switched.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, fields

import numpy as np

from tdmi.evaluation.arrays import Array, pool
from tdmi.evaluation.matching.assignment import Matches
from tdmi.evaluation.matching.scored_videos import ScoredVideo
from tdmi.evaluation.protocols.poseval import with_total
from tdmi.evaluation.tracking.correspondences import candidates, correspond


@dataclass
class Statistics:
    """Counts of some videos, per joint [J] int64; they add up over videos."""

    pairs: Array
    """Objects paired with a hypothesis, switches included."""
    switches: Array
    """Pairs whose object was last paired with another hypothesis, however long ago."""
    misses: Array
    false_positives: Array
    distance: Array
    """float64 in head sizes, summed over motmetrics' event log: every possible pair, every pair
    made, and once more for each of its events ascend, transfer and migrate."""


@dataclass
class Scores:
    """Percentages [J + 1]: each joint, then the Total (mean over joints without NaN)."""

    mota: Array
    motp: Array
    precision: Array
    recall: Array


def video_statistics(video: ScoredVideo, matches: Matches) -> Statistics:
    """Count pairs, switches, misses and false positives of one video."""
    truth, predictions = video.truth, video.predictions
    frames = len(video.frame_index)
    last = max(frames - 1, 0)
    scored = np.arange(frames) < last
    two_sided = scored.copy()
    for people in (truth, predictions):
        two_sided &= np.bincount(people.frame, minlength=frames) > 0
    one_sided = (scored & ~two_sided).sum()
    objects = truth.present[two_sided[truth.frame]].sum(axis=0)
    hypotheses = predictions.present[two_sided[predictions.frame]].sum(axis=0)

    possible = candidates(truth, predictions, matches, last)
    found = correspond(possible, truth, predictions)
    joints = len(objects)
    pairs = np.bincount(possible.joint[found.paired], minlength=joints)
    logged = possible.distance * (1 + found.paired + found.extra_events)
    return Statistics(
        pairs=pairs,
        switches=np.bincount(possible.joint[found.switched], minlength=joints),
        misses=objects - pairs + one_sided,
        false_positives=hypotheses - pairs + one_sided,
        distance=np.bincount(possible.joint, weights=logged, minlength=joints),
    )


def combine(statistics: Iterable[Statistics]) -> Statistics:
    """Add up several videos."""
    return pool(statistics, added=[field.name for field in fields(Statistics)])


def tracking_accuracy(statistics: Statistics) -> Scores:
    """Return MOTA, MOTP, precision and recall per joint and in total, in percent.

    Without objects MOTA and recall are NaN, without hypotheses precision is; without pairs MOTP
    is 0. MOTA has no lower bound.
    """
    pairs = statistics.pairs
    objects = pairs + statistics.misses
    errors = statistics.misses + statistics.switches + statistics.false_positives
    with np.errstate(invalid="ignore", divide="ignore"):
        mota = np.where(objects > 0, 100 * (1 - errors / objects), np.nan)
        motp = np.where(pairs > 0, 100 * (1 - statistics.distance / pairs), 0.0)
        precision = 100 * (pairs / (pairs + statistics.false_positives))
        recall = 100 * (pairs / objects)
    return Scores(*(with_total(values) for values in (mota, motp, precision, recall)))
