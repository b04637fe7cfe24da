"""Signs that predictions or ground truth are not what they should be: lines for warnings.

None of them changes a result. Thresholds are choices of this project, wide enough that sound
predictions of a poor model stay silent.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from tdmi.data.annotations import NO_TRACK, UNSCORED, Annotations
from tdmi.data.judging import filler_joints
from tdmi.evaluation.arrays import Array, pool
from tdmi.evaluation.matching.assignment import head_sizes
from tdmi.evaluation.matching.scored_videos import ScoredVideo, joint_extents, places_in_frame
from tdmi.evaluation.output import OFFICIAL, Columns

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


class Rules(NamedTuple):
    """Facts about a protocol that the warnings need."""

    never_annotated: float = np.nan
    """AP of a joint that is predicted but annotated nowhere; NaN leaves it out of the total."""
    columns: Columns = OFFICIAL
    size: str = "head size"
    """What distances are measured by."""
    expected: str = (
        "head boxes are expected in pixels, as x, y, width, height (2018) or x1, y1, x2, y2 (2017)"
    )
    """Where that size comes from."""
    people: bool = False
    """People are scored as a whole, so that a joint has neither a score nor an AP of its own."""


@dataclass
class Evidence:
    """The data for all signs but those of tracks, small whatever the number of joints."""

    annotated: Array
    """[J] int64, annotated joints."""
    predicted: Array
    """[J] int64, predicted joints."""
    fillers: Array
    """[2] int64, annotated and predicted joints at (0, 0), (-1, -1) and the like."""
    scored: int
    """Predicted joints, or people where they are scored as a whole."""
    unscored: int
    """Of them without a score."""
    scores: Array
    """[2 V] float64, lowest and highest score of each video with predictions."""
    annotated_centres: Array
    """[N, 2] float64, middle of each person's joints, px."""
    predicted_centres: Array
    """[M, 2] float64."""
    sizes: Array
    """[K] float64 px, head sizes of people with three joints and a head box."""
    spans: Array
    """[K] float64 px, diagonal of the box around their joints."""


@dataclass
class Tracks:
    """The data for the signs of wrong track ids, in all frames, scored or not."""

    people: int
    untracked: int
    """Of them without track id."""
    offsets: Array
    """[2 V] int64, lowest and highest difference of track id and place in the frame."""
    departures: int
    """Frames with fewer people than the one before in the same video, though not without any."""


def evidence(video: ScoredVideo, person_scores: Array | None = None) -> Evidence:
    """Return the evidence of one video; `person_scores` [M] where people are scored as a whole."""
    truth, found = video.truth, video.predictions
    known = (truth.present.sum(axis=1) >= 3) & np.isfinite(truth.head_box).all(axis=1)
    low, high = joint_extents(truth)
    with np.errstate(invalid="ignore", over="ignore"):
        spans = np.linalg.norm((high - low)[known], axis=1)
    sides = (truth, found)
    scores = found.score[found.present] if person_scores is None else person_scores
    return Evidence(
        annotated=truth.present.sum(axis=0),
        predicted=found.present.sum(axis=0),
        fillers=np.array([filler_joints(x.keypoints, x.present).sum() for x in sides]),
        scored=len(scores),
        unscored=int((scores == UNSCORED).sum()),
        scores=_ends(scores),
        annotated_centres=_centres(low, high),
        predicted_centres=_centres(*joint_extents(found)),
        sizes=head_sizes(truth.head_box[known]),
        spans=spans,
    )


def tracks(predictions: Annotations) -> Tracks:
    """Return the evidence on track ids of the predictions of one video."""
    count = np.bincount(predictions.person_frame, minlength=predictions.frames)
    return Tracks(
        people=predictions.persons,
        untracked=int((predictions.track_id == NO_TRACK).sum()),
        offsets=_ends(predictions.track_id - places_in_frame(predictions.person_frame)),
        departures=int(((np.diff(count) < 0) & (count[1:] > 0)).sum()),
    )


def signs(videos: Mapping[str, Evidence], total_ap: float, rules: Rules) -> Iterator[str]:
    """Yield one line for each sign in the videos, given by name; `total_ap` in percent."""
    added = ("annotated", "predicted", "fillers", "scored", "unscored")
    whole = pool(videos.values(), added)
    if not whole.annotated.any():
        yield "no joint is annotated in any judged frame, so there is nothing to find"
        return
    if not whole.predicted.any():
        yield "no joint is predicted in any judged frame"
        return
    annotated = whole.annotated
    absent = np.flatnonzero((annotated > 0) & (whole.predicted == 0))
    if len(absent):
        names = ", ".join(f"{rules.columns.skeleton.joints[j]} ({annotated[j]})" for j in absent)
        effect = "these count with AP 0 in their group and in the total"
        if rules.people:
            effect = "these are missed in the similarity of everybody who has them"
        yield f"never predicted, though annotated: {names}; {effect}"
    if not rules.people:
        yield from _never_annotated(videos, whole, rules)
    yield from _scores(whole, rules)
    effects = {"annotated": "have to be found", "predicted": "count like any other"}
    for count, (side, effect) in zip(whole.fillers, effects.items(), strict=True):
        if count:
            yield (
                f"{count} {side} joints lie at (0, 0), (-1, -1) or the like, a mark of a missing "
                f"joint; they {effect}, as in the official program; write 0, 0, 0 (2018) or leave "
                "the joint out"
            )
    yield from _other_units(whole, rules)
    if total_ap < LOW_AP:
        yield (
            f"the total AP is {total_ap:.2g} %: if the model is trained, look at the order of "
            "frames and joints, at units, and whether both sides are of the same videos"
        )


def track_signs(found: Iterable[Tracks]) -> Iterator[str]:
    """Yield a line if predicted track ids are missing or look as if nothing was tracked."""
    whole = pool(found, ("people", "untracked", "departures"))
    # In each frame the ids count up from a common first one, 0 or 1.
    first = whole.offsets[:1]
    places = (whole.offsets == first).all() and np.isin(first, (0, 1)).all()
    if whole.untracked:
        yield (
            f"{whole.untracked} of {whole.people} predicted people have no track id, so each "
            "is a track alone and MOTA counts a switch wherever it is paired again"
        )
    elif places and whole.departures >= DEPARTURES:
        yield (
            "the predicted track ids are each person's place in its frame, as if nothing had been "
            "tracked; MOTA is that of these ids"
        )


def _never_annotated(
    videos: Mapping[str, Evidence], whole: Evidence, rules: Rules
) -> Iterator[str]:
    """Yield why perfect predictions would not have 100: joints that nobody is annotated with."""
    missing = whole.annotated == 0
    zero, undefined = _zero(whole, rules), missing & ~_zero(whole, rules)
    if zero.any():
        best = 100 * (1 - zero.sum() / (~undefined).sum())
        yield (
            f"never annotated: {_named(zero, rules)}; by the protocol's rules these count with "
            f"AP 0 in their group ({_groups(zero, rules)}) and in the total, where even "
            f"perfect predictions have {best:.1f}"
        )
    if undefined.any():
        yield (
            f"never annotated, though predicted: {_named(undefined, rules)}; AP of these, and "
            f"so of {_groups(undefined, rules)}, is undefined and left out of the total"
        )
    parts = {name: _zero(part, rules) & ~missing for name, part in videos.items()}
    first = [name for name, part in parts.items() if part.any()]
    if first and len(videos) > 1:
        yield (
            f"in {len(first)} of {len(videos)} videos nobody is annotated with some joint "
            f"({first[0]}: {_named(parts[first[0]], rules)}); these count with AP 0 in the "
            "video's total under 'per_video'"
        )


def _zero(part: Evidence, rules: Rules) -> Array:
    """Return the joints [J] that have AP 0 because nobody is annotated with them."""
    zero: Array = (part.annotated == 0) & ((part.predicted == 0) | (rules.never_annotated == 0))
    return zero


def _named(joints: Array, rules: Rules) -> str:
    return ", ".join(rules.columns.skeleton.joints[j] for j in np.flatnonzero(joints))


def _groups(joints: Array, rules: Rules) -> str:
    skeleton, groups = rules.columns
    names = {skeleton.joints[j] for j in np.flatnonzero(joints)}
    return ", ".join(group for group, members in groups.items() if names & set(members))


def _scores(whole: Evidence, rules: Rules) -> Iterator[str]:
    what = "people" if rules.people else "joints"
    place = "each joint into 'scores' (2018) or 'score' (2017)"
    if rules.people:
        place = "each person into 'score'"
    if whole.scored >= 2 and (whole.scores == whole.scores[0]).all():
        found = f"no predicted {'person' if rules.people else 'joint'} has a score"
        if whole.scores[0] != UNSCORED:
            found = f"all {whole.scored} predicted {what} have the score {whole.scores[0]:g}"
        yield (
            f"{found}, so AP depends on their order in the files alone; write the confidence of "
            f"{place}"
        )
    elif whole.unscored:
        yield (
            f"{whole.unscored} of {whole.scored} predicted {what} have no score and rank below all "
            f"others; write the confidence of {place}"
        )


def _other_units(whole: Evidence, rules: Rules) -> Iterator[str]:
    sides = (whole.annotated_centres, whole.predicted_centres)
    for axis, name in enumerate("xy" if min(map(len, sides)) >= ENOUGH_PEOPLE else ""):
        ours, theirs = (np.percentile(centres[:, axis], 95) for centres in sides)
        if ours > 0 and not ours / UNIT_RATIO < theirs < ours * UNIT_RATIO:
            yield (
                f"95 % of predicted {name} are below {theirs:.4g}, of annotated ones below "
                f"{ours:.4g} (middle of each person); both are expected in pixels of the "
                "full frame"
            )
    flat = int((whole.sizes == 0).sum())
    if flat:
        yield (
            f"{flat} of {len(whole.sizes)} people of the ground truth have the {rules.size} 0, so "
            f"their joints are never found; {rules.expected}"
        )
    if len(whole.spans) and flat < len(whole.spans):
        heads, bodies = np.median(whole.sizes), np.nanmedian(whole.spans)
        if bodies > 0 and not HEAD_SHARE[0] <= heads / bodies <= HEAD_SHARE[1]:
            yield (
                f"the {rules.size} is {heads:.3g} px and the joints of a person span {bodies:.3g} "
                f"px (medians of the ground truth); {rules.expected}"
            )


def _ends(values: Array) -> Array:
    """Return the lowest and highest of `values`, nothing of nothing."""
    return np.array([values.min(), values.max()]) if len(values) else values[:0]


def _centres(low: Array, high: Array) -> Array:
    """Return the middle [N, 2] of each person's joints; people without joints are left out."""
    known = (np.isfinite(low) & np.isfinite(high)).all(axis=1)
    middle: Array = (low[known] + high[known]) / 2
    return middle
