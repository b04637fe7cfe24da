"""Pair joints of the ground truth with predicted ones, frame after frame.

The rules are those of motmetrics 1.4.0: an object keeps the hypothesis it was last paired with if
that is possible; the rest is paired by minimum-cost assignment, as many pairs as possible first;
no pair is ever forgotten. Source: Bernardin and Stiefelhagen 2008, "Evaluating Multiple Object
Tracking Performance: The CLEAR MOT Metrics", and the program itself where the paper is silent.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.optimize import linear_sum_assignment

from tdmi.data.annotations import NO_TRACK
from tdmi.data.judging import repeated_in_frame
from tdmi.evaluation.arrays import Array
from tdmi.evaluation.matching.assignment import Matches
from tdmi.evaluation.matching.scored_videos import People


@dataclass
class Candidates:
    """C possible pairs of one video, sorted by frame, joint, ground truth and prediction.

    `truth` and `prediction` are rows of the persons, `object` and `hypothesis` their tracks
    numbered from 0, `distance` is in head sizes.
    """

    frame: Array
    joint: Array
    truth: Array
    prediction: Array
    object: Array
    hypothesis: Array
    distance: Array

    def __len__(self) -> int:
        return len(self.frame)

    def __getitem__(self, rows: Array) -> Candidates:
        return Candidates(**{name: column[rows] for name, column in vars(self).items()})


@dataclass
class Correspondences:
    """The outcome for the C candidates."""

    paired: Array
    """[C] bool."""
    switched: Array
    """[C] bool, a pair whose object was last paired with another hypothesis."""
    extra_events: Array
    """[C] int64, how many further times motmetrics logs the pair: ascend (a switch to a hypothesis
    never paired before), transfer (a new pair with a hypothesis that was last newly paired with
    another object) and migrate (a transfer to an object never paired before)."""


def identities(people: People, repeats: bool) -> Array:
    """Return the number [N] from 0 of each person's track; no track id means a track of its own.

    Without `repeats`, of several persons with one id in a frame only the first has it.
    """
    ids, identity = np.unique(people.track_id, return_inverse=True)
    single = people.track_id == NO_TRACK
    if not repeats:
        single |= repeated_in_frame(people.frame, people.track_id)
    identity[single] = len(ids) + np.arange(single.sum())
    return identity


def candidates(truth: People, predictions: People, matches: Matches, last: int) -> Candidates:
    """Return all hit joints of all pairs of persons in the frames before `last`."""
    pair, joint = np.nonzero(matches.hit & (truth.frame[matches.truth] < last)[:, None])
    truth_row, prediction = matches.truth[pair], matches.prediction[pair]
    frame = truth.frame[truth_row]
    every = Candidates(
        frame=frame,
        joint=joint,
        truth=truth_row,
        prediction=prediction,
        object=identities(truth, repeats=True)[truth_row],
        hypothesis=identities(predictions, repeats=False)[prediction],
        distance=matches.distance[pair, joint],
    )
    return every[np.lexsort((prediction, truth_row, joint, frame))]


def correspond(possible: Candidates, truth: People, predictions: People) -> Correspondences:
    """Pair objects and hypotheses of one video through time."""
    paired, turn = _pair(possible, truth, predictions)
    rows = np.flatnonzero(paired)
    pairs, turn = possible[rows], turn[rows]
    last_hypothesis = _previous(pairs.object, pairs.hypothesis, pairs, turn)
    new = last_hypothesis != pairs.hypothesis
    switch = new & (last_hypothesis >= 0)

    last_object = _previous(pairs.hypothesis, pairs.object, pairs, turn)
    newly_paired_with = np.full(len(pairs), -1)
    newly_paired_with[new] = _previous(
        pairs.hypothesis[new], pairs.object[new], pairs[new], turn[new]
    )
    ascend = switch & (last_object < 0)
    transfer = new & (newly_paired_with >= 0) & (newly_paired_with != pairs.object)
    migrate = transfer & (last_hypothesis < 0)

    switched, extra_events = np.zeros((2, len(possible)), dtype=np.int64)
    switched[rows] = switch
    extra_events[rows] = ascend.astype(np.int64) + transfer + migrate
    return Correspondences(paired, switched.astype(bool), extra_events)


def _previous(group: Array, value: Array, pairs: Candidates, turn: Array) -> Array:
    """Return `value` of the pair before in time with the same joint and `group`; -1 if none."""
    order = np.lexsort((turn, pairs.frame, group, pairs.joint))
    group, joint = group[order], pairs.joint[order]
    again = (group[1:] == group[:-1]) & (joint[1:] == joint[:-1])
    before = np.full(len(order), -1)
    before[order[1:][again]] = value[order[:-1][again]]
    return before


def _pair(possible: Candidates, truth: People, predictions: People) -> tuple[Array, Array]:
    """Return which candidates become pairs [C] bool, and each pair's turn in its frame [C] int.

    Where nobody has two candidates for a joint, all candidates of that frame and joint become pairs
    whatever happened before. Only the rest is settled in the order of time.
    """
    joints = truth.present.shape[1]
    paired = ~_contested(possible, truth, joints)
    turn = np.zeros(len(possible), dtype=np.int64)
    rows = np.flatnonzero(~paired)
    if not len(rows):
        return paired, turn
    group = (possible.frame * joints + possible.joint)[rows]
    starts = np.flatnonzero(np.diff(group, prepend=-1))
    partner = np.full((joints, possible.object.max() + 1), -1)
    done = 0
    for first, count in zip(rows[starts], np.diff(starts, append=len(rows)), strict=True):
        since = slice(done, first)
        partner[possible.joint[since], possible.object[since]] = possible.hypothesis[since]
        done = first + count
        here = np.arange(first, done)
        order = here[_settle(possible[here], truth, predictions, partner)]
        paired[order] = True
        turn[order] = np.arange(len(order))
        for row in order:
            partner[possible.joint[row], possible.object[row]] = possible.hypothesis[row]
    return paired, turn


def _contested(possible: Candidates, truth: People, joints: int) -> Array:
    """Return where somebody has two candidates for the joint in the frame, [C] bool.

    A frame in which two ground-truth persons share a track id counts as a whole.
    """

    def twice(key: Array) -> Array:
        return np.bincount(key)[key] > 1

    contested = twice(possible.truth * joints + possible.joint)
    contested |= twice(possible.prediction * joints + possible.joint)
    group = possible.frame * joints + possible.joint
    ambiguous = np.unique(truth.frame[repeated_in_frame(truth.frame, truth.track_id)])
    return np.isin(group, group[contested]) | np.isin(possible.frame, ambiguous)


def _settle(group: Candidates, truth: People, predictions: People, partner: Array) -> list[int]:
    """Pair one frame and joint; rows of `group` in the order in which the pairs are made.

    `partner` [J, objects] is the hypothesis that each object was last paired with, or -1.
    """
    frame, joint = group.frame[0], group.joint[0]
    objects = _persons(truth, frame, joint)
    hypotheses = _persons(predictions, frame, joint)
    row = np.searchsorted(objects, group.truth)
    column = np.searchsorted(hypotheses, group.prediction)
    kept = np.flatnonzero(partner[joint, group.object] == group.hypothesis)
    # Of two objects with one track id the first keeps the hypothesis.
    kept = kept[np.unique(column[kept], return_index=True)[1]]
    kept.sort()
    free = ~(np.isin(row, row[kept]) | np.isin(column, column[kept]))
    left = np.flatnonzero(free)
    if len(left) < 2:
        return [*kept, *left]
    # The whole matrix, as motmetrics builds it: its shape decides between equally good solutions.
    largest = group.distance[left].max() + 1
    impossible = 2 * min(len(objects), len(hypotheses)) * largest + 1
    cost = np.full((len(objects), len(hypotheses)), impossible)
    cost[row[left], column[left]] = group.distance[left]
    choice = np.full(len(objects), -1)
    rows, columns = linear_sum_assignment(cost)
    choice[rows] = columns
    return [*kept, *left[choice[row[left]] == column[left]]]


def _persons(people: People, frame: int, joint: int) -> Array:
    """Return the rows of the persons of a frame who have the joint."""
    first, last = np.searchsorted(people.frame, [frame, frame + 1])
    rows: Array = first + np.flatnonzero(people.present[first:last, joint])
    return rows
