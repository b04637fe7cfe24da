"""Labels that cannot be evaluated: one list for evaluators, checks and preparation."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np

from tdmi.core.errors import UserError
from tdmi.data.annotations import NO_TRACK, Annotations
from tdmi.data.records import Flags, Floats, Ints
from tdmi.data.skeletons import HIEVE

ID_LIMIT = 10_000
"""poseval accepts track ids and frame numbers below this."""


class Obstacle(NamedTuple):
    """A place that no evaluator can judge."""

    kind: str
    """One of the kinds of findings of `tdmi data check`."""
    frame: int
    """Row of the frame."""
    text: str


def obstacles(truth: Annotations) -> Iterator[Obstacle]:
    """Yield every place on which an evaluation of this ground truth would end.

    Distances are measured by the boxes of HiEve's people, by the head boxes of all others.
    """
    judged = truth.frame_annotated | truth.frame_labelled
    for frame in np.flatnonzero(judged).tolist():
        for text in small_regions(truth.ignore_regions[frame]):
            yield Obstacle("ignore-region-small", frame, text)
    kind, missing = "head-box-missing", without_head_box(truth.head_box, truth.present)
    if truth.skeleton == HIEVE:
        kind, missing = "box-missing", np.isnan(truth.box).any(axis=1)
    for person in np.flatnonzero(missing).tolist():
        yield Obstacle(kind, int(truth.person_frame[person]), person_text(truth, person))


def check_judgeable(truth: Annotations) -> None:
    """Raise UserError for the first of the `obstacles`."""
    for kind, frame, text in obstacles(truth):
        raise UserError(
            f"{truth.frame_file[frame]}: {text}: {kind.replace('-', ' ')}, expected labels that "
            "can be judged, as an evaluation ends here; mend what `tdmi data check` lists"
        )


def small_regions(polygons: Sequence[Floats]) -> list[str]:
    """Return a line for each ignore region [P, 2] of one or two corners; an empty one is none."""
    return [
        f"ignore region {k} of the ground truth has {len(polygon)} corners, expected at least 3"
        for k, polygon in enumerate(polygons)
        if 0 < len(polygon) < 3
    ]


def without_head_box(head_box: Floats, present: Flags) -> Flags:
    """Return [N] whose joints cannot be measured; a person without joints needs no head box."""
    missing: Flags = np.isnan(head_box).any(axis=1) & present.any(axis=1)
    return missing


def filler_joints(keypoints: Floats, present: Flags) -> Flags:
    """Return [N, J] joints at (0, 0), (-1, -1) and the like: a mark that the joint is missing."""
    x, y = keypoints[..., 0], keypoints[..., 1]
    fillers: Flags = present & (x == y) & (x <= 0) & (x == np.floor(x))
    return fillers


def repeated_in_frame(frame: Ints, track_id: Ints) -> Flags:
    """Return where an earlier person of the same frame has the same track id, [N] bool."""
    order = np.lexsort((track_id, frame))
    frame, track = frame[order], track_id[order]
    repeated = np.zeros(len(order), dtype=bool)
    repeated[order[1:]] = (frame[1:] == frame[:-1]) & (track[1:] == track[:-1])
    with_id: Flags = repeated & (track_id != NO_TRACK)
    return with_id


def person_text(people: Annotations, person: int) -> str:
    """Return a person's place in its frame and its track, e.g. ``person 1, track 7``."""
    within = person - int(np.searchsorted(people.person_frame, people.person_frame[person]))
    track = people.track_id[person]
    return f"person {within}" if track == NO_TRACK else f"person {within}, track {track}"
