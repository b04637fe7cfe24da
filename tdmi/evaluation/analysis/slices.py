"""Average precision on parts of the people, by how hard they are to find.

The people of the ground truth fall into bins by an attribute: size, speed, crowding... In a bin

- only the people of the bin are to be found;
- a prediction that poseval's matching, done once on the whole frame, gives to a person of the bin
  counts as always; one given to a person outside the bin is left out, because it is neither right
  nor wrong here (COCO's practice for areas out of range);
- a prediction given to nobody is shared by all bins: each of its joints counts with the share of
  this joint's annotations that lie in the bin.

The last rule is the normalised precision of Hoiem, Chodpathumwan and Dai (2012, Diagnosing Error in
Object Detectors). If false positives counted fully in every bin, a bin of few people would have a
low AP merely because it is small; if they were left out, AP would hardly differ from recall. COCO
instead gives a false positive to the bin of its own area. That works for sizes only: a false
positive has neither visibility nor speed. With this rule the APs of two
bins differ only if their people are found, placed or ranked differently; bins alike in that have
the AP of the whole; and one bin that holds everybody has exactly the AP of the whole.

For an attribute of the frame (the number of people in it) a false positive has a value of its own
and counts fully in its frame's bin: AP in the bin is then AP on only these frames.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from tdmi.data.annotations import Annotations
from tdmi.evaluation.arrays import Array
from tdmi.evaluation.matching.assignment import Matches
from tdmi.evaluation.matching.scored_videos import ScoredVideo
from tdmi.evaluation.output import Content, group_entries
from tdmi.evaluation.protocols.poseval import (
    Scores,
    Statistics,
    average_precision,
    combine,
    with_total,
)

PARTS = 4
"""Bins of an attribute without fixed edges: quartiles of the scored people. Equal quartiles, as
where most people are wholly visible, are one edge."""
FIXED_EDGES: Mapping[str, tuple[float, ...]] = {"crowding": (0.1, 0.8)}
"""CrowdPose's own limits of easy, medium and hard (arXiv 1812.00324)."""
FEW_PERSONS = 100
"""Bins of fewer people are marked: a share of so many has a standard error of up to 5 points, and
more where they are of few videos (choice of this project)."""
FRAME_ATTRIBUTE = "people"
"""Number of people to be found in the frame."""


@dataclass
class Owned:
    """The statistics of some videos with each prediction's owner; M joints, T people to find."""

    statistics: Statistics
    owner: Array
    """[M] int64, row of the person that the prediction is assigned to; -1 for nobody."""
    neighbours: Array
    """[M] int64, people to be found in the frame of the prediction."""
    present: Array
    """[T, J] bool, annotated joints of the people."""
    attributes: dict[str, Array]
    """[T] float64 by name, NaN where unknown; FRAME_ATTRIBUTE is one of them."""
    video: Array
    """[T] int64, number of the person's video."""
    image_id: Array
    """[T] int64, the ground truth's id of the person's image."""
    track_id: Array
    """[T] int64."""


@dataclass
class Bin:
    low: float
    """Smallest value in the bin; minus infinity for the first."""
    high: float
    """Smallest value beyond the bin; infinity for the last."""
    persons: int
    videos: int
    scores: Scores


def own(
    video: ScoredVideo,
    matches: Matches,
    statistics: Statistics,
    truth: Annotations,
    attributes: Mapping[str, Array],
) -> Owned:
    """Return one video with the owner of each prediction.

    `truth` are the annotations that the video was taken from, `attributes` [N] those of its people
    (such as `derived_attributes` finds).
    """
    assigned = matches.assigned_pair >= 0
    owner = np.full(len(assigned), -1)
    owner[assigned] = matches.truth[matches.assigned_pair[assigned]]
    person, _ = np.nonzero(video.predictions.present)
    to_find = video.truth.present.any(axis=1)
    people = np.bincount(video.truth.frame[to_find], minlength=len(video.frame_index))
    row = video.truth.row
    scored = {name: column[row] for name, column in attributes.items()}
    scored[FRAME_ATTRIBUTE] = people[video.truth.frame].astype(np.float64)
    return Owned(
        statistics=statistics,
        owner=owner[person],
        neighbours=people[video.predictions.frame[person]],
        present=video.truth.present,
        attributes=scored,
        video=np.zeros(len(row), dtype=np.int64),
        image_id=truth.frame_id[truth.person_frame[row]],
        track_id=video.truth.track_id,
    )


def pool(videos: Sequence[Owned]) -> Owned:
    """Pool several videos, in the order given; all have the same attributes."""
    first = np.cumsum([0, *(len(video.present) for video in videos)])
    owners = [
        np.where(video.owner >= 0, video.owner + start, -1)
        for video, start in zip(videos, first, strict=False)
    ]
    return Owned(
        statistics=combine(video.statistics for video in videos),
        owner=np.concatenate(owners),
        attributes={
            name: np.concatenate([video.attributes[name] for video in videos])
            for name in videos[0].attributes
        },
        video=np.repeat(np.arange(len(videos)), np.diff(first)),
        **{
            name: np.concatenate([getattr(video, name) for video in videos])
            for name in ("neighbours", "present", "image_id", "track_id")
        },
    )


def quantile_edges(values: Array, parts: int = PARTS) -> Array:
    """Return the edges of `parts` bins with equally many of `values` [T]; fewer if some are equal.

    Every edge is the value of somebody, so that no bin is empty. Unknown values are left out.
    """
    known = values[~np.isnan(values)]
    if not len(known):
        return np.zeros(0)
    edges: Array = np.unique(np.quantile(known, np.arange(1, parts) / parts, method="higher"))
    above: Array = edges[edges > known.min()]
    return above


def bins(
    people: Owned,
    attribute: str,
    edges: Sequence[float] | Array,
    score: Callable[[Statistics], Scores] = average_precision,
) -> list[Bin]:
    """Return AP in each bin of an attribute, from low to high.

    `edges` ascend, each the start of a bin. People without joints to find and those whose value is
    unknown are in no bin, and predictions assigned to them are left out. Scores of a joint that
    nobody in the bin has are NaN.
    """
    values = people.attributes[attribute]
    edges = np.asarray(edges, dtype=np.float64)
    place = np.where(np.isnan(values), -1, np.searchsorted(edges, values, side="right"))
    limits = np.concatenate([[-np.inf], edges, [np.inf]])
    whole = people.present.sum(axis=0)
    found = []
    for number in range(len(edges) + 1):
        inside = place == number
        annotated = people.present[inside].sum(axis=0)
        if attribute == FRAME_ATTRIBUTE:
            unowned = np.searchsorted(edges, people.neighbours, side="right") == number
        else:
            share = np.where(whole > 0, annotated / np.maximum(whole, 1), 1.0)
            unowned = share[people.statistics.joint]
        scores = score(_restricted(people, inside, annotated, unowned))
        to_find = inside & people.present.any(axis=1)
        found.append(
            Bin(
                low=limits[number],
                high=limits[number + 1],
                persons=int(np.count_nonzero(to_find)),
                videos=len(np.unique(people.video[to_find])),
                scores=_without(scores, (annotated == 0) & (whole > 0)),
            )
        )
    return found


def metrics(
    people: Owned,
    from_file: Mapping[str, Array] | None = None,
    score: Callable[[Statistics], Scores] = average_precision,
) -> Content:
    """Return ``slices`` of ``metrics.json``: by attribute its source and its bins.

    `from_file` are attributes [T] read from a table, which replace those of the same name that
    the labels give. "from" and "to" are null where a bin is open, "unknown" counts people in no
    bin, and "few" marks bins of fewer than FEW_PERSONS people. An attribute by which all people are
    in one bin is left out.
    """
    from_file = from_file or {}
    people = replace(people, attributes={**people.attributes, **from_file})
    to_find = people.present.any(axis=1)
    content: Content = {}
    for name, values in people.attributes.items():
        edges = FIXED_EDGES.get(name, quantile_edges(values[to_find]))
        found = bins(people, name, edges, score)
        if sum(part.persons > 0 for part in found) < 2:
            continue
        content[name] = {
            "source": "file" if name in from_file else "labels",
            "unknown": int(np.count_nonzero(np.isnan(values[to_find]))),
            "bins": [_entry(part) for part in found],
        }
    return content


def table(content: Content) -> str:
    """Return the slices of `metrics` as lines of text, scores with one decimal."""
    width = max(map(len, ("slice", *content)))
    lines = [f"{'slice':<{width}}      from        to  people  videos     AP  recall"]
    for name, attribute in content.items():
        for part in attribute["bins"]:
            low, high = ("" if part[k] is None else f"{part[k]:.4g}" for k in ("from", "to"))
            totals = (part[score]["total"] for score in ("ap", "recall"))
            ap, recall = ("---" if value is None else f"{value:.1f}" for value in totals)
            lines.append(
                f"{name:<{width}}  {low:>8}  {high:>8}  {part['persons']:>6}  {part['videos']:>6}  "
                f"{ap:>5}   {recall:>5}{'  few' if part['few'] else ''}"
            )
    return "\n".join([*lines, f"few: under {FEW_PERSONS} people, little more than a guess"])


def _entry(part: Bin) -> Content:
    return {
        "from": None if np.isinf(part.low) else float(part.low),
        "to": None if np.isinf(part.high) else float(part.high),
        "persons": part.persons,
        "videos": part.videos,
        "few": part.persons < FEW_PERSONS,
        "ap": group_entries(part.scores.ap),
        "recall": group_entries(part.scores.recall),
    }


def _restricted(people: Owned, inside: Array, annotated: Array, unowned: Array) -> Statistics:
    """Return the statistics of only the people `inside` [T].

    `unowned` [M] is the weight of a joint whose prediction is assigned to nobody.
    """
    owned = people.owner >= 0
    weight = unowned.astype(np.float64)
    weight[owned] = inside[people.owner[owned]]
    kept, whole = weight > 0, people.statistics
    return replace(
        whole,
        joint=whole.joint[kept],
        score=whole.score[kept],
        hit=whole.hit[kept],
        weight=weight[kept],
        annotated=annotated,
        truth_persons=int(np.count_nonzero(inside)),
    )


def _without(scores: Scores, undefined: Array) -> Scores:
    """Return the scores with those of some joints [J] undefined, and the Totals accordingly."""
    columns = vars(scores).values()
    return Scores(*(with_total(np.where(undefined, np.nan, c[:-1])) for c in columns))
