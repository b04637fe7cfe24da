"""Signs that predictions or ground truth are not what they should be: lines for warnings.

None of them changes a result. Thresholds are choices of this project, wide enough that sound
predictions of a poor model stay silent.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from tdmi.data.annotations import NO_TRACK, UNSCORED, Annotations
from tdmi.data.skeletons import Skeleton
from tdmi.evaluation.arrays import Array, pool
from tdmi.evaluation.matching.assignment import head_sizes
from tdmi.evaluation.matching.scored_videos import ScoredVideo, joint_extents

UNIT_RATIO = 2.0
"""Coordinates whose 95th percentile is this many times larger or smaller are in other units."""
ENOUGH_PEOPLE = 10
"""On each side, for units to be compared."""
HEAD_SHARE = (0.02, 2.0)
"""Median of head size to the diagonal of the person's joints; about 0.1 for standing people."""
DEPARTURES = 3
"""How often somebody must have left while others stayed before track ids are doubted."""
LOW_AP = 1.0
"""Percent; an untrained model has less, a working one has never."""


@dataclass
class Evidence:
    """What the signs are looked for in: little, whatever the number of joints of the videos."""

    annotated: Array
    """[J] int64, annotated joints."""
    predicted: Array
    """[J] int64, predicted joints."""
    scores: Array
    """[2 V] float64, lowest and highest joint score of each video with predictions."""
    annotated_centres: Array
    """[N, 2] float64, middle of each person's joints, px."""
    predicted_centres: Array
    """[M, 2] float64."""
    head_sizes: Array
    """[K] float64 px, of people with three joints and a head box."""
    spans: Array
    """[K] float64 px, diagonal of the box around their joints."""
    people: int
    """Predicted in any frame, judged or not."""
    untracked: int
    """Of them without track id."""
    offsets: Array
    """[2 V] int64, lowest and highest difference of track id and place in the frame."""
    departures: int
    """Frames with fewer people than the one before in the same video, though not without any."""


def evidence(video: ScoredVideo, predictions: Annotations) -> Evidence:
    """Evidence of one video; `predictions` are those of all its frames."""
    truth, found = video.truth, video.predictions
    scores = found.score[found.present]
    known = (truth.present.sum(axis=1) >= 3) & np.isfinite(truth.head_box).all(axis=1)
    low, high = joint_extents(truth)
    with np.errstate(invalid="ignore"):
        extent = (high - low)[known]
    offsets = predictions.track_id - _places(predictions)
    return Evidence(
        annotated=truth.present.sum(axis=0),
        predicted=found.present.sum(axis=0),
        scores=_ends(scores),
        annotated_centres=_centres(low, high),
        predicted_centres=_centres(*joint_extents(found)),
        head_sizes=head_sizes(truth.head_box[known]),
        spans=np.linalg.norm(extent, axis=1),
        people=predictions.persons,
        untracked=int((predictions.track_id == NO_TRACK).sum()),
        offsets=_ends(offsets),
        departures=_departures(predictions),
    )


def combine(parts: Iterable[Evidence]) -> Evidence:
    """Pool the evidence of several videos."""
    return pool(parts, added=("annotated", "predicted", "people", "untracked", "departures"))


def suspicions(evidence: Evidence, skeleton: Skeleton, total_ap: float) -> list[str]:
    """One line for each sign found in judged videos on `skeleton`; `total_ap` in percent."""
    if not evidence.annotated.any():
        return ["no joint is annotated in any judged frame, so there is nothing to find"]
    if not evidence.predicted.any():
        return ["no joint is predicted in any judged frame"]
    lines = _never_predicted(evidence, skeleton)
    lines += _equal_scores(evidence)
    lines += _other_units(evidence)
    lines += _odd_heads(evidence)
    if total_ap < LOW_AP:
        lines.append(
            f"the total AP is {total_ap:.2g} %: if the model is trained, look at the order of "
            "frames and joints, at units, and whether both sides are of the same videos"
        )
    return lines


def doubtful_tracks(evidence: Evidence) -> list[str]:
    """A line if the track ids of predictions are missing or look as if nothing was tracked."""
    if evidence.untracked:
        return [
            f"{evidence.untracked} of {evidence.people} predicted people have no track id, so each "
            "is a track alone and MOTA counts a switch wherever it is paired again"
        ]
    first = evidence.offsets[:1]
    # In each frame the ids count up from a common first one, 0 or 1.
    places = (evidence.offsets == first).all() and np.isin(first, (0, 1)).all()
    if places and evidence.departures >= DEPARTURES:
        return [
            "the predicted track ids are each person's place in its frame, as if nothing had been "
            "tracked; MOTA is that of these ids"
        ]
    return []


def _ends(values: Array) -> Array:
    """Lowest and highest of `values`, nothing of nothing."""
    return np.array([values.min(), values.max()]) if len(values) else values[:0]


def _centres(low: Array, high: Array) -> Array:
    """Middle [N, 2] of each person's joints; people without joints are left out."""
    known = (np.isfinite(low) & np.isfinite(high)).all(axis=1)
    middle: Array = (low[known] + high[known]) / 2
    return middle


def _never_predicted(evidence: Evidence, skeleton: Skeleton) -> list[str]:
    annotated = evidence.annotated
    absent = np.flatnonzero((annotated > 0) & (evidence.predicted == 0))
    if not len(absent):
        return []
    names = ", ".join(f"{skeleton.joints[j]} ({annotated[j]})" for j in absent)
    return [
        f"never predicted, though annotated: {names}; these count with AP 0 in their group and in "
        "the total"
    ]


def _equal_scores(evidence: Evidence) -> list[str]:
    joints, scores = int(evidence.predicted.sum()), evidence.scores
    if joints < 2 or (scores != scores[0]).any():
        return []
    found = "no predicted joint has a score"
    if scores[0] != UNSCORED:
        found = f"all {joints} predicted joints have the score {scores[0]:g}"
    return [
        f"{found}, so AP depends on their order in the files alone; write the confidence of each "
        "joint into 'scores' (2018) or 'score' (2017)"
    ]


def _other_units(evidence: Evidence) -> list[str]:
    sides = (evidence.annotated_centres, evidence.predicted_centres)
    if min(map(len, sides)) < ENOUGH_PEOPLE:
        return []
    lines = []
    for axis, name in enumerate("xy"):
        ours, theirs = (np.percentile(centres[:, axis], 95) for centres in sides)
        if ours > 0 and not ours / UNIT_RATIO < theirs < ours * UNIT_RATIO:
            lines.append(
                f"95 % of predicted {name} are below {theirs:.4g}, of annotated ones below "
                f"{ours:.4g} (middle of each person); both are expected in pixels of the "
                "full frame"
            )
    return lines


def _odd_heads(evidence: Evidence) -> list[str]:
    if not len(evidence.spans):
        return []
    heads = np.median(evidence.head_sizes)
    bodies = np.nanmedian(evidence.spans)
    if not bodies > 0 or HEAD_SHARE[0] <= heads / bodies <= HEAD_SHARE[1]:
        return []
    return [
        f"the head size is {heads:.3g} px and the joints of a person span {bodies:.3g} px (medians "
        "of the ground truth); head boxes are expected in pixels, as x, y, width, height (2018) or "
        "x1, y1, x2, y2 (2017)"
    ]


def _places(people: Annotations) -> Array:
    """Place [N] of each person in its frame, from 0."""
    first = np.searchsorted(people.person_frame, people.person_frame)
    return np.arange(people.persons) - first


def _departures(people: Annotations) -> int:
    count = np.bincount(people.person_frame, minlength=people.frames)
    fewer = (np.diff(count) < 0) & (count[1:] > 0)
    return int((fewer & (np.diff(people.frame_video) == 0)).sum())
