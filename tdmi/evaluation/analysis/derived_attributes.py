"""Attributes that make a person hard to find, from labels alone: size, speed, crowding, visibility.

Each is a number per person of the ground truth, NaN where it is unknown. Crowding is that of
CrowdPose (arXiv 1812.00324): joints of others inside the person's box over the person's own joints.
Its mean over the people of a frame is the frame's Crowd Index.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from tdmi.data.annotations import NO_TRACK, Annotations
from tdmi.data.boxes import box_of_joints
from tdmi.evaluation.arrays import Array
from tdmi.evaluation.matching.assignment import head_sizes

LARGEST_STEP = 4
"""Frames between two labels of which a speed is still taken. Sparse labels of PoseTrack's
validation videos are four frames apart; over longer gaps people turn round and the speed comes out
too small (choice of this project)."""


def derived_attributes(truth: Annotations) -> dict[str, Array]:
    """Return attributes [N] of the people of the ground truth, by name.

    - ``size``: head size in px (0.6 of the head box's diagonal, the unit of poseval's distances).
      Unlike the extent of the joints it does not shrink when half of the person is hidden.
    - ``speed``: see `speed`, in head sizes per frame.
    - ``crowding``: see `person_crowding`; who has no box gets poseval's, the extent of the joints
      enlarged by 30 %.
    - ``visible_fraction``: share of the annotated joints marked as visible (1 for everybody
      in data sets without such marks).
    """
    visible = (truth.present & truth.visible).sum(axis=1)
    missing = np.isnan(truth.box).any(axis=1)
    box = truth.box.copy()
    box[missing] = box_of_joints(truth.keypoints[missing], truth.present[missing])
    return {
        "size": head_sizes(truth.head_box),
        "speed": speed(truth),
        "crowding": person_crowding(replace(truth, box=box)),
        "visible_fraction": _quotient(visible, truth.present.sum(axis=1)),
    }


def speed(truth: Annotations) -> Array:
    """Return the mean distance per frame that a person's joints move, in head sizes [N].

    It is taken from the person's labels before and after, at most LARGEST_STEP frames away, and
    averaged over the two; only joints annotated on both sides count. The person is followed by
    track id. Distances are those in the image, so a moving camera counts.
    """
    video = truth.frame_video[truth.person_frame]
    number = truth.frame_number[truth.person_frame]
    order = np.lexsort((number, truth.track_id, video))
    before, after = order[:-1], order[1:]
    frames = number[after] - number[before]
    joints = truth.present[before] & truth.present[after]
    usable = (
        (video[before] == video[after])
        & (truth.track_id[before] == truth.track_id[after])
        & (truth.track_id[before] != NO_TRACK)
        & (frames >= 1)
        & (frames <= LARGEST_STEP)
        & joints.any(axis=1)
    )
    before, after, frames, joints = (x[usable] for x in (before, after, frames, joints))
    step = truth.keypoints[after] - truth.keypoints[before]
    length = np.where(joints, np.hypot(step[..., 0], step[..., 1]), 0.0).sum(axis=1)
    pace = length / joints.sum(axis=1) / frames
    near = np.concatenate([before, after])
    total = np.bincount(near, np.tile(pace, 2), truth.persons)
    mean = _quotient(total, np.bincount(near, minlength=truth.persons))
    return _quotient(mean, head_sizes(truth.head_box))


def crowd_index(annotations: Annotations) -> Array:
    """Return the Crowd Index of each frame [F] float64, 0 without people.

    People without joints of their own are left out of the average (choice of this project).
    """
    crowding = person_crowding(annotations)
    known = ~np.isnan(crowding)
    frame = annotations.person_frame[known]
    people = np.bincount(frame, minlength=annotations.frames)
    total = np.bincount(frame, crowding[known], annotations.frames)
    index: Array = total / np.maximum(people, 1)
    return index


def person_crowding(annotations: Annotations) -> Array:
    """Return the joints of others inside each person's box over own joints [N] float64.

    The border of a box is inside. People without joints have no quotient, NaN; a person without box
    has nobody in it (choice of this project).
    """
    crowding = np.full(annotations.persons, np.nan)
    first = np.searchsorted(annotations.person_frame, np.arange(annotations.frames + 1))
    low = annotations.box[:, :2]
    high = low + annotations.box[:, 2:]
    for frame in np.flatnonzero(np.diff(first)):
        people = slice(first[frame], first[frame + 1])
        present = annotations.present[people]
        points = annotations.keypoints[people][None]
        inside = (points >= low[people, None, None]) & (points <= high[people, None, None])
        joints = (inside.all(axis=3) & present[None]).sum(axis=2)  # [box, person]
        others = joints.sum(axis=1) - joints.diagonal()
        own = present.sum(axis=1)
        crowding[people][own > 0] = others[own > 0] / own[own > 0]
    return crowding


def _quotient(value: Array, by: Array) -> Array:
    """Return `value` / `by`, NaN where `by` is 0 or unknown."""
    known = by > 0
    quotient: Array = np.where(known, value, np.nan) / np.where(known, by, 1.0)
    return quotient
