"""Signs that predictions or ground truth are not what they should be: lines for warnings.

None of them changes a result. Thresholds are choices of this project, wide enough that sound
predictions of a poor model stay silent.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from tdmi.annotations import NO_TRACK, UNSCORED, Annotations
from tdmi.evaluation.matching import head_sizes
from tdmi.evaluation.pairing import JudgedVideo, People
from tdmi.skeletons import Skeleton

UNIT_RATIO = 2.0
"""Coordinates whose 95th percentile is this many times larger or smaller are in other units."""
ENOUGH_JOINTS = 100
"""On each side, for units to be compared."""
HEAD_SHARE = (0.02, 2.0)
"""Median of head size to the diagonal of the person's joints; about 0.1 for standing people."""
DEPARTURES = 3
"""How often somebody must have left while others stayed before track ids are doubted."""
LOW_AP = 1.0
"""Percent; an untrained model has less, a working one has never."""


@dataclass
class _Side:
    """The people of all judged videos."""

    keypoints: np.ndarray
    present: np.ndarray
    score: np.ndarray
    head_box: np.ndarray


def suspicions(videos: Sequence[JudgedVideo], skeleton: Skeleton, total_ap: float) -> list[str]:
    """One line for each sign found in judged videos on `skeleton`; `total_ap` in percent."""
    truth = _together([video.truth for video in videos])
    predictions = _together([video.predictions for video in videos])
    if not truth.present.any():
        return ["no joint is annotated in any judged frame, so there is nothing to find"]
    if not predictions.present.any():
        return ["no joint is predicted in any judged frame"]
    lines = _never_predicted(truth, predictions, skeleton)
    lines += _equal_scores(predictions)
    lines += _other_units(truth, predictions)
    lines += _odd_heads(truth)
    if total_ap < LOW_AP:
        lines.append(
            f"the total AP is {total_ap:.2g} %: if the model is trained, look at the order of "
            "frames and joints, at units, and whether both sides are of the same videos"
        )
    return lines


def doubtful_tracks(predictions: Annotations) -> list[str]:
    """A line if the track ids of predictions are missing or look as if nothing was tracked."""
    lacking = (predictions.track_id == NO_TRACK).sum()
    if lacking:
        return [
            f"{lacking} of {predictions.persons} predicted people have no track id, so each is a "
            "track alone and MOTA counts a switch wherever it is paired again"
        ]
    if _are_places(predictions) and _departures(predictions) >= DEPARTURES:
        return [
            "the predicted track ids are each person's place in its frame, as if nothing had been "
            "tracked; MOTA is that of these ids"
        ]
    return []


def _together(sides: Sequence[People]) -> _Side:
    return _Side(
        **{
            name: np.concatenate([getattr(side, name) for side in sides])
            for name in _Side.__dataclass_fields__
        }
    )


def _never_predicted(truth: _Side, predictions: _Side, skeleton: Skeleton) -> list[str]:
    annotated = truth.present.sum(axis=0)
    absent = np.flatnonzero((annotated > 0) & ~predictions.present.any(axis=0))
    if not len(absent):
        return []
    names = ", ".join(f"{skeleton.joints[j]} ({annotated[j]})" for j in absent)
    return [
        f"never predicted, though annotated: {names}; these count with AP 0 in their group and in "
        "the total"
    ]


def _equal_scores(predictions: _Side) -> list[str]:
    scores = predictions.score[predictions.present]
    if len(scores) < 2 or (scores != scores[0]).any():
        return []
    found = "no predicted joint has a score"
    if scores[0] != UNSCORED:
        found = f"all {len(scores)} predicted joints have the score {scores[0]:g}"
    return [
        f"{found}, so AP depends on their order in the files alone; write the confidence of each "
        "joint into 'scores' (2018) or 'score' (2017)"
    ]


def _other_units(truth: _Side, predictions: _Side) -> list[str]:
    lines = []
    for axis, name in enumerate("xy"):
        values = [side.keypoints[side.present][:, axis] for side in (truth, predictions)]
        values = [column[np.isfinite(column)] for column in values]
        if min(map(len, values)) < ENOUGH_JOINTS:
            continue
        ours, theirs = (np.percentile(column, 95) for column in values)
        if ours > 0 and not ours / UNIT_RATIO < theirs < ours * UNIT_RATIO:
            lines.append(
                f"95 % of predicted {name} are below {theirs:.4g}, of annotated ones below "
                f"{ours:.4g}; both are expected in pixels of the full frame"
            )
    return lines


def _odd_heads(truth: _Side) -> list[str]:
    people = (truth.present.sum(axis=1) >= 3) & np.isfinite(truth.head_box).all(axis=1)
    if not people.any():
        return []
    joints = np.where(truth.present[people][..., None], truth.keypoints[people], np.nan)
    spread = np.linalg.norm(np.nanmax(joints, axis=1) - np.nanmin(joints, axis=1), axis=1)
    heads = np.median(head_sizes(truth.head_box[people]))
    bodies = np.nanmedian(spread)
    if not bodies > 0 or HEAD_SHARE[0] <= heads / bodies <= HEAD_SHARE[1]:
        return []
    return [
        f"the head size is {heads:.3g} px and the joints of a person span {bodies:.3g} px (medians "
        "of the ground truth); head boxes are expected in pixels, as x, y, width, height (2018) or "
        "x1, y1, x2, y2 (2017)"
    ]


def _are_places(people: Annotations) -> bool:
    """In each frame the track ids count up from a common first one, 0 or 1."""
    first = np.searchsorted(people.person_frame, people.person_frame)
    offset = people.track_id - (np.arange(people.persons) - first)
    return bool((offset == offset[:1]).all() and np.isin(offset[:1], (0, 1)).all())


def _departures(people: Annotations) -> int:
    """Frames with fewer people than the one before in the same video, though not without any."""
    count = np.bincount(people.person_frame, minlength=people.frames)
    fewer = (np.diff(count) < 0) & (count[1:] > 0)
    return int((fewer & (np.diff(people.frame_video) == 0)).sum())
