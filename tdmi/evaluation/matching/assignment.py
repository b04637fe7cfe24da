"""Match predicted people with those of the ground truth and find the joints that are hits.

The rules are those of poseval: distances in units of the head size, a hit within half of it, and a
two-step assignment by the share of hit joints, in which detection scores play no part.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from tdmi.core.errors import UserError
from tdmi.data.annotations import Annotations
from tdmi.data.judging import without_head_box
from tdmi.evaluation.arrays import Array
from tdmi.evaluation.matching.scored_videos import People, ScoredVideo, frame_pairs, joint_extents

HIT_DISTANCE = 0.5
"""A joint is hit within this distance, in head sizes, both ends included."""

_HEAD_SCALE = 0.6
"""Head size in diagonals of the head box."""


@dataclass
class Matches:
    """Q pairs of a prediction and a ground-truth person in one frame, and the assignment.

    Pairs too far apart for any joint to be hit may be left out.
    """

    prediction: Array
    """[Q] int64, rows of the predictions, ascending."""
    truth: Array
    """[Q] int64, rows of the ground truth, ascending for each prediction."""
    distance: Array
    """[Q, J] float64 in head sizes; infinite where one side lacks the joint."""
    hit: Array
    """[Q, J] bool."""
    assigned_pair: Array
    """[N predictions] int64, the row of the pair that holds; -1 for an unassigned prediction."""


def head_sizes(head_box: Array) -> Array:
    """Return the head size in px [N] of head boxes [N, 4] x1, y1, x2, y2: 0.6 of the diagonal."""
    width, height = (head_box[:, 2:] - head_box[:, :2]).T
    size: Array = _HEAD_SCALE * np.sqrt(width * width + height * height)
    return size


def with_head_sizes(people: Annotations, size: Array) -> Annotations:
    """Return the same people with square head boxes of these head sizes [N] in px, at (0, 0)."""
    side = size / head_sizes(np.array([[0.0, 0.0, 1.0, 1.0]]))
    return replace(people, head_box=side[:, None] * np.array([0.0, 0.0, 1.0, 1.0]))


def match_video(video: ScoredVideo, threshold: float = HIT_DISTANCE) -> Matches:
    """Return distances and assignment for one video; a joint is hit within `threshold` head sizes.

    Raises UserError if a head box is missing in a frame that has predictions.
    """
    prediction, truth = frame_pairs(video.predictions.frame, video.truth.frame)
    _check_head_boxes(video, truth)
    near = _within_reach(video, prediction, truth, threshold)
    prediction, truth = prediction[near], truth[near]
    distance = joint_distances(video.predictions, prediction, video.truth, truth)
    hit = distance <= threshold
    annotated = video.truth.present.sum(axis=1)
    pck = hit.sum(axis=1) / np.maximum(annotated, 1)[truth]
    pairs = assign(pck, prediction, truth)
    assigned = np.full(len(video.predictions), -1)
    assigned[prediction[pairs]] = pairs
    return Matches(prediction, truth, distance, hit, assigned)


def _within_reach(video: ScoredVideo, prediction: Array, truth: Array, threshold: float) -> Array:
    """Return [Q] bool, false only where no joint of the pair can be hit.

    The boxes around the joints of other pairs are further apart than a hit can be; most pairs of a
    crowded frame are such. The margin covers rounding.
    """
    low, high = joint_extents(video.truth)
    reach = 1.001 * threshold * head_sizes(video.truth.head_box)[:, None]
    with np.errstate(invalid="ignore"):
        low, high = low - reach, high + reach
    found_low, found_high = joint_extents(video.predictions)
    near = found_low.take(prediction, axis=0) <= high.take(truth, axis=0)
    near &= found_high.take(prediction, axis=0) >= low.take(truth, axis=0)
    both: Array = near[:, 0] & near[:, 1]
    return both


def joint_distances(
    predictions: People, prediction: Array, truth_people: People, truth: Array
) -> Array:
    """Return distances [Q, J] of pairs in head sizes; infinite where a side lacks the joint.

    A head box without extent gives infinity, or NaN for a joint that is exactly right: no hit.
    """
    ours = truth_people.keypoints.take(truth, axis=0)
    step = predictions.keypoints.take(prediction, axis=0) - ours
    length = np.sqrt(step[..., 0] * step[..., 0] + step[..., 1] * step[..., 1])
    size = head_sizes(truth_people.head_box)[truth]
    with np.errstate(divide="ignore", invalid="ignore"):
        distance = length / size[:, None]
    both = predictions.present.take(prediction, axis=0) & truth_people.present.take(truth, axis=0)
    return np.where(both, distance, np.inf)


def assign(pck: Array, prediction: Array, truth: Array) -> Array:
    """Return the rows of the pairs that hold.

    1. A prediction keeps only the ground-truth person of largest PCK (the first of equals), and
       has no second choice. 2. A ground-truth person takes, of the predictions that kept it with
    PCK > 0, the one of largest PCK (the first of equals).
    """
    best_truth = _first_largest(pck, prediction, truth)
    kept = best_truth[pck[best_truth] > 0]
    return kept[_first_largest(pck[kept], truth[kept], prediction[kept])]


def _first_largest(value: Array, group: Array, rank: Array) -> Array:
    """Return the row of the largest value in each group; of equals that of the lowest rank."""
    order = np.lexsort((rank, -value, group))
    leads = np.ones(len(order), dtype=bool)
    leads[1:] = group[order][1:] != group[order][:-1]
    first: Array = order[leads]
    return first


def _check_head_boxes(video: ScoredVideo, truth: Array) -> None:
    missing = without_head_box(video.truth.head_box, video.truth.present)
    for person in truth[missing[truth]][:1]:
        frame = video.frame_index[video.truth.frame[person]]
        raise UserError(
            f"{video.file or video.name}: frame {frame}: a person of the ground truth (track id "
            f"{video.truth.track_id[person]}) has no head box, expected 'bbox_head' (2018) or x1, "
            "y1, x2, y2 (2017), by which distances are measured; use ground truth that has it"
        )
