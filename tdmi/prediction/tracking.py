"""Tracks of predicted persons: confident poses, associated through time.

MOTA counts every predicted joint that misses as an error; AP hardly counts one with a low score.
So tracks are evaluated on a set of their own, without the doubtful boxes and joints (PoseFlow, Xiu
et al., BMVC 2018, does so joint by joint). `track` makes it and leaves the predictions for AP as
they are.

Association follows FlowTrack (Xiao et al., "Simple Baselines for Human Pose Estimation and
Tracking", ECCV 2018), which pairs poses of successive frames by object keypoint similarity, and
SORT (Bewley et al., ICIP 2016), which moves boxes on with constant velocity and pairs them by
overlap with an optimal assignment. Time is counted in frames of the real video, so predictions on
every fourth frame are four frames apart. No label is read.

The numbers in `Tracking` were found on the validation motions of the embedded data, rendered
longer than the suite does (80 videos, frames 2, 6, ... 30) and predicted by its single-frame model.
Identity switches of all joints together, with ground-truth boxes and with detected ones:

    as here                                85   189
    greedy instead of optimal pairs       243   284
    without velocity                      148   282
    keypoint similarity alone             248   357
    box overlap alone                     124   178
    place in the frame as track id        259   887
    track id of the nearest label          77    88
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from tdmi.config.inference import Tracking
from tdmi.data.annotations import Annotations, select_persons
from tdmi.data.boxes import extent, overlap
from tdmi.data.skeletons import BOX_SHARE


def track(predictions: Annotations, options: Tracking | None = None) -> Annotations:
    """Return the confident part of the predictions, with track ids.

    Persons and joints below the options' thresholds are gone, and so is a person without any joint
    left. Ids count from 0 in each video in the order in which people appear, from left to right
    where several do at once, and are unique in a frame; they depend on nothing but poses, boxes and
    frame numbers, not on the order of persons and not on former ids. A joint that is not at a
    finite place counts as not predicted.

    The confidence of a joint is its score over the person's, since scores of predictions are
    heatmap maximum times box score; without a person's score it is the joint's own.
    """
    options = options or Tracking()
    finite = np.isfinite(predictions.keypoints).all(axis=2)
    predictions = replace(predictions, present=predictions.present & finite)
    sure = sure_joints(predictions, options)
    kept = sure.any(axis=1)
    people = select_persons(predictions, kept)
    sure = sure[kept]
    return replace(
        people,
        # Doubtful joints say something about where a person is, so they help to pair persons.
        track_id=track_ids(people, options),
        frame_annotated=np.bincount(people.person_frame, minlength=people.frames) > 0,
        present=sure,
        visible=people.visible & sure,
        keypoints=np.where(sure[..., None], people.keypoints, 0.0),
        joint_score=np.where(sure, people.joint_score, 0.0),
    )


def sure_joints(predictions: Annotations, options: Tracking) -> np.ndarray:
    """[N, J] bool: predicted joints that are confident enough, of persons who are."""
    score = predictions.score[:, None]
    confidence = predictions.joint_score / np.where(score > 0, score, 1.0)
    likely = ~(score < options.person_score)  # an unknown score counts as high enough
    return predictions.present & likely & (confidence >= options.joint_confidence)


def track_ids(people: Annotations, options: Tracking) -> np.ndarray:
    """[N] int64, the track of every person, from 0 in each video."""
    from scipy.optimize import (
        linear_sum_assignment,
    )  # here, because a training imports this module as well

    boxes = _boxes(people)
    ids = np.full(people.persons, -1)
    first = np.searchsorted(people.person_frame, np.arange(people.frames + 1))
    for video in range(len(people.video_names)):
        tracks = _Tracks.none()
        for frame in people.frames_of(video):
            here = np.arange(first[frame], first[frame + 1])
            if not len(here):
                continue
            number = people.frame_number[frame]
            similarity = _similarity(people, boxes, tracks, here, number, options)
            row, column = linear_sum_assignment(similarity, maximize=True)
            real = similarity[row, column] > 0
            ids[here[column[real]]] = row[real]
            tracks.continue_with(people, row[real], here[column[real]], number, options)
            born = here[ids[here] < 0]
            born = born[np.lexsort(boxes[born].T[::-1])]
            ids[born] = len(tracks.person) + np.arange(len(born))
            tracks.begin(born, number)
    return ids


@dataclass
class _Tracks:
    """The K tracks of a video so far, by their ids; ended ones stay in their place."""

    person: np.ndarray
    """[K] row of the person last seen."""
    frame_number: np.ndarray
    """[K] when that was."""
    velocity: np.ndarray
    """[K, 2] px in a frame; NaN for who was seen only once."""

    @classmethod
    def none(cls) -> _Tracks:
        return cls(np.zeros(0, np.int64), np.zeros(0, np.int64), np.zeros((0, 2)))

    def begin(self, persons: np.ndarray, number: int) -> None:
        self.person = np.concatenate([self.person, persons])
        self.frame_number = np.append(self.frame_number, np.full(len(persons), number))
        self.velocity = np.concatenate([self.velocity, np.full((len(persons), 2), np.nan)])

    def continue_with(
        self,
        people: Annotations,
        tracks: np.ndarray,
        persons: np.ndarray,
        number: int,
        options: Tracking,
    ) -> None:
        """Continue tracks [M] with persons [M]; the median joint gives the velocity."""
        before = self.person[tracks]
        both = people.present[before] & people.present[persons]
        way = people.keypoints[persons] - people.keypoints[before]
        way[~both] = np.nan
        way[~both.any(axis=1)] = 0.0
        time = _frames_between(self.frame_number[tracks], number)
        now = np.nanmedian(way, axis=1) / time[:, None]
        former, memory = self.velocity[tracks], options.velocity_memory
        mixed = memory * former + (1 - memory) * now
        self.velocity[tracks] = np.where(np.isnan(former), now, mixed)
        self.person[tracks] = persons
        self.frame_number[tracks] = number


def _similarity(
    people: Annotations,
    boxes: np.ndarray,
    tracks: _Tracks,
    here: np.ndarray,
    number: int,
    options: Tracking,
) -> np.ndarray:
    """[K, P] mean of keypoint similarity and box overlap, 0 where a pair may not be."""
    result = np.zeros((len(tracks.person), len(here)))
    live = np.flatnonzero(number - tracks.frame_number <= options.longest_gap)
    last = tracks.person[live]
    time = _frames_between(tracks.frame_number[live], number)
    shift = np.nan_to_num(tracks.velocity[live]) * time[:, None]
    moved = boxes[last] + np.pad(shift, ((0, 0), (0, 2)))
    sizes = boxes[:, 2] * boxes[:, 3]
    alike = keypoint_similarity(
        people.keypoints[last][:, None] + shift[:, None, None],
        people.keypoints[here],
        people.present[last][:, None] & people.present[here],
        BOX_SHARE * (sizes[last][:, None] + sizes[here]) / 2,
        _falloff(people) ** 2 + (options.motion * time[:, None]) ** 2,
    )
    mean = (alike + overlap(moved, boxes[here])) / 2
    result[live] = np.where(mean >= options.least_similarity, mean, 0.0)
    return result


def keypoint_similarity(
    one: np.ndarray, other: np.ndarray, both: np.ndarray, area: np.ndarray, variance: np.ndarray
) -> np.ndarray:
    """Object keypoint similarity [T, P]: mean over common joints of exp(-d^2 / (2 v A)).

    `one` [T, 1, J, 2], `other` [P, J, 2], `both` [T, P, J] bool, `area` A [T, P] px^2, `variance` v
    [T, J] of the distance in units of A. 0 without a common joint.
    """
    with np.errstate(over="ignore", under="ignore"):
        squared = ((one - other) ** 2).sum(axis=-1)
        near = np.exp(-squared / (2 * variance[:, None] * area[..., None]))
    return (near * both).sum(axis=-1) / np.maximum(both.sum(axis=-1), 1)


def _boxes(people: Annotations) -> np.ndarray:
    """[N, 4] the persons' boxes; where there is none, that of their joints; a pixel at least."""
    own = np.isfinite(people.box).all(axis=1)[:, None]
    boxes = np.where(own, people.box, extent(people.keypoints, people.present))
    boxes[:, 2:] = np.maximum(boxes[:, 2:], 1.0)
    return boxes


def _falloff(people: Annotations) -> np.ndarray:
    """[J] standard deviation of each joint in square roots of the area: COCO's 2 sigma."""
    return 2 * people.skeleton.oks_sigmas


def _frames_between(before: np.ndarray, now: int) -> np.ndarray:
    """At least 1: files may number their frames oddly."""
    return np.maximum(now - before, 1)
