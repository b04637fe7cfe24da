"""Left and right swapped in the labels of a person in some frames: found along its track.

The line from the left to the right shoulder (hip) turns slowly. If it reverses from one labelled
frame of a track to the next while it is long in both, either the sides were swapped or the person
turned by a half in that time. A person who turns through the side view shortens the line first,
so short lines are left out. A video with every frame swapped has no such reversal: there nearly
everybody whose nose is seen has the sides of somebody seen from behind.

All thresholds are choices of this project.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike
from scipy.stats import binom

from tdmi.data.annotations import NO_TRACK, Annotations
from tdmi.data.judging import repeated_in_frame

LONG = 0.3
"""Least length of a line that counts, in torso lengths (mid shoulders to mid hips). Shoulders seen
from the front are about 0.75 apart, so a real reversal takes a turn of about 50 degrees or more."""
REVERSED = -0.5
"""Cosine below which two lines count as reversed: turned by more than 120 degrees."""
GAP = 5
"""Largest distance in frames of neighbours: labels of dense parts are four frames apart."""
CHANCE = 0.01
"""Share of compared steps that may reverse in correct labels (fast turns, mixed tracks)."""
SIGNIFICANCE = 0.001
"""Largest probability, over all videos together, that one is named by chance."""

FRONT = 10
"""Fewest people seen from the front by whom a whole video is judged."""
EXCHANGED = 0.9
"""Share of them whose sides are a back's, from which a video counts as exchanged."""
_PAIRS = ("shoulder", "hip")


class Steps(NamedTuple):
    """Steps of tracks from one labelled frame to the next, in one video."""

    compared: int
    """Steps in which a line of shoulders or hips is long in both frames."""
    reversed: np.ndarray
    """Person rows, each the second of a step in which such a line reverses."""


def steps(annotations: Annotations) -> Steps:
    """Compare left and right along the tracks of one video.

    Persons without a track id or with a double one are left out. Joint sets without shoulders and
    hips give no step.
    """
    seen, points = _lines(annotations)
    if not seen.any():
        return Steps(0, np.zeros(0, dtype=np.int64))
    usable = seen & (annotations.track_id != NO_TRACK)
    usable &= ~repeated_in_frame(annotations.person_frame, annotations.track_id)
    rows = np.flatnonzero(usable)
    rows = rows[np.lexsort([annotations.person_frame[rows], annotations.track_id[rows]])]

    before, after = rows[:-1], rows[1:]
    number = annotations.frame_number[annotations.person_frame]
    same = annotations.track_id[before] == annotations.track_id[after]
    near = np.abs(number[after] - number[before]) <= GAP
    before, after = before[same & near], after[same & near]

    lines = points[:, :, 1] - points[:, :, 0]
    torso, length = _torso(points), np.linalg.norm(lines, axis=2)
    scale = np.maximum(torso[before], torso[after])[:, None]
    long = (np.minimum(length[before], length[after]) >= LONG * scale) & (scale > 0)
    product = (lines[before] * lines[after]).sum(axis=2)
    turned = long & (product < REVERSED * length[before] * length[after])
    return Steps(int(long.any(axis=1).sum()), after[turned.any(axis=1)])


def exchanged(annotations: Annotations) -> str:
    """Return how many people seen from the front have a back's sides; empty if it is no sign.

    Who shows the nose, and long lines of shoulders and hips that agree, faces the camera: the left
    side is then on the right of the picture.
    """
    if "nose" not in annotations.skeleton.joints:
        return ""
    seen, points = _lines(annotations)
    nose = annotations.skeleton.index("nose")
    across = points[:, :, 0, 0] - points[:, :, 1, 0]  # left minus right
    long = (np.abs(across) >= LONG * _torso(points)[:, None]).all(axis=1)
    front = seen & long & annotations.present[:, nose] & annotations.visible[:, nose]
    front &= (across > 0).all(axis=1) | (across < 0).all(axis=1)
    people, wrong = front.sum(), (front & (across[:, 0] < 0)).sum()
    sign = people >= FRONT and wrong >= EXCHANGED * people
    return f"{wrong} of {people} people whose face is seen" if sign else ""


def _lines(annotations: Annotations) -> tuple[np.ndarray, np.ndarray]:
    """Return who has all of shoulders and hips [N] bool, and these [N, pair, left and right, 2]."""
    names = [f"{side}_{pair}" for pair in _PAIRS for side in ("left", "right")]
    if not set(names) <= set(annotations.skeleton.joints):
        return np.zeros(annotations.persons, bool), np.zeros((annotations.persons, 2, 2, 2))
    slots = [annotations.skeleton.index(name) for name in names]
    points = annotations.keypoints[:, slots].reshape(-1, len(_PAIRS), 2, 2)
    seen = annotations.present[:, slots].all(axis=1) & np.isfinite(points).all(axis=(1, 2, 3))
    return seen, points


def _torso(points: np.ndarray) -> np.ndarray:
    """Return the length from mid shoulders to mid hips [N]."""
    middles = points.mean(axis=2)
    length: np.ndarray = np.linalg.norm(middles[:, 0] - middles[:, 1], axis=1)
    return length


def beyond_chance(compared: ArrayLike, reversed_: ArrayLike) -> np.ndarray:
    """[V] bool, the videos with more reversed steps than chance explains; both inputs [V] int.

    Binomial test per video against CHANCE, with SIGNIFICANCE shared by all videos.
    """
    compared, reversed_ = np.asarray(compared), np.asarray(reversed_)
    tail = binom.sf(reversed_ - 1, compared, CHANCE)
    return (reversed_ > 0) & (tail < SIGNIFICANCE / max(1, len(compared)))
