"""Signs that predictions or ground truth are not what they should be: lines for warnings.

None of them changes a result. Thresholds are choices of this project, wide enough that sound
predictions of a poor model stay silent.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np

from tdmi.data.annotations import NO_TRACK, UNSCORED, Annotations
from tdmi.data.skeletons import Skeleton
from tdmi.evaluation.arrays import Array, pool
from tdmi.evaluation.matching.assignment import head_sizes
from tdmi.evaluation.matching.scored_videos import ScoredVideo, joint_extents, places_in_frame

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
    """The data for all signs, small whatever the number of joints of the videos."""

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
    """Predicted in any frame, scored or not."""
    untracked: int
    """Of them without track id."""
    offsets: Array
    """[2 V] int64, lowest and highest difference of track id and place in the frame."""
    departures: int
    """Frames with fewer people than the one before in the same video, though not without any."""


def evidence(video: ScoredVideo, predictions: Annotations) -> Evidence:
    """Return the evidence of one video; `predictions` are those of all its frames."""
    truth, found = video.truth, video.predictions
    known = (truth.present.sum(axis=1) >= 3) & np.isfinite(truth.head_box).all(axis=1)
    low, high = joint_extents(truth)
    with np.errstate(invalid="ignore"):
        extent = (high - low)[known]
    count = np.bincount(predictions.person_frame, minlength=predictions.frames)
    fewer = (np.diff(count) < 0) & (count[1:] > 0) & (np.diff(predictions.frame_video) == 0)
    return Evidence(
        annotated=truth.present.sum(axis=0),
        predicted=found.present.sum(axis=0),
        scores=_ends(found.score[found.present]),
        annotated_centres=_centres(low, high),
        predicted_centres=_centres(*joint_extents(found)),
        head_sizes=head_sizes(truth.head_box[known]),
        spans=np.linalg.norm(extent, axis=1),
        people=predictions.persons,
        untracked=int((predictions.track_id == NO_TRACK).sum()),
        offsets=_ends(predictions.track_id - places_in_frame(predictions.person_frame)),
        departures=int(fewer.sum()),
    )


def combine(parts: Iterable[Evidence]) -> Evidence:
    """Pool the evidence of several videos."""
    return pool(parts, added=("annotated", "predicted", "people", "untracked", "departures"))


def signs(evidence: Evidence, skeleton: Skeleton, total_ap: float) -> Iterator[str]:
    """Yield one line for each sign in scored videos on `skeleton`; `total_ap` in percent."""
    if not evidence.annotated.any():
        yield "no joint is annotated in any judged frame, so there is nothing to find"
        return
    if not evidence.predicted.any():
        yield "no joint is predicted in any judged frame"
        return
    annotated, scores = evidence.annotated, evidence.scores
    absent = np.flatnonzero((annotated > 0) & (evidence.predicted == 0))
    if len(absent):
        names = ", ".join(f"{skeleton.joints[j]} ({annotated[j]})" for j in absent)
        yield (
            f"never predicted, though annotated: {names}; these count with AP 0 in their group and "
            "in the total"
        )
    joints = int(evidence.predicted.sum())
    if joints >= 2 and (scores == scores[0]).all():
        found = "no predicted joint has a score"
        if scores[0] != UNSCORED:
            found = f"all {joints} predicted joints have the score {scores[0]:g}"
        yield (
            f"{found}, so AP depends on their order in the files alone; write the confidence of "
            "each joint into 'scores' (2018) or 'score' (2017)"
        )
    yield from _other_units(evidence)
    if total_ap < LOW_AP:
        yield (
            f"the total AP is {total_ap:.2g} %: if the model is trained, look at the order of "
            "frames and joints, at units, and whether both sides are of the same videos"
        )


def track_signs(evidence: Evidence) -> Iterator[str]:
    """Yield a line if predicted track ids are missing or look as if nothing was tracked."""
    # In each frame the ids count up from a common first one, 0 or 1.
    first = evidence.offsets[:1]
    places = (evidence.offsets == first).all() and np.isin(first, (0, 1)).all()
    if evidence.untracked:
        yield (
            f"{evidence.untracked} of {evidence.people} predicted people have no track id, so each "
            "is a track alone and MOTA counts a switch wherever it is paired again"
        )
    elif places and evidence.departures >= DEPARTURES:
        yield (
            "the predicted track ids are each person's place in its frame, as if nothing had been "
            "tracked; MOTA is that of these ids"
        )


def _other_units(evidence: Evidence) -> Iterator[str]:
    sides = (evidence.annotated_centres, evidence.predicted_centres)
    for axis, name in enumerate("xy" if min(map(len, sides)) >= ENOUGH_PEOPLE else ""):
        ours, theirs = (np.percentile(centres[:, axis], 95) for centres in sides)
        if ours > 0 and not ours / UNIT_RATIO < theirs < ours * UNIT_RATIO:
            yield (
                f"95 % of predicted {name} are below {theirs:.4g}, of annotated ones below "
                f"{ours:.4g} (middle of each person); both are expected in pixels of the "
                "full frame"
            )
    if len(evidence.spans):
        heads, bodies = np.median(evidence.head_sizes), np.nanmedian(evidence.spans)
        if bodies > 0 and not HEAD_SHARE[0] <= heads / bodies <= HEAD_SHARE[1]:
            yield (
                f"the head size is {heads:.3g} px and the joints of a person span {bodies:.3g} px "
                "(medians of the ground truth); head boxes are expected in pixels, as x, y, width, "
                "height (2018) or x1, y1, x2, y2 (2017)"
            )


def _ends(values: Array) -> Array:
    """Return the lowest and highest of `values`, nothing of nothing."""
    return np.array([values.min(), values.max()]) if len(values) else values[:0]


def _centres(low: Array, high: Array) -> Array:
    """Return the middle [N, 2] of each person's joints; people without joints are left out."""
    known = (np.isfinite(low) & np.isfinite(high)).all(axis=1)
    middle: Array = (low[known] + high[known]) / 2
    return middle
