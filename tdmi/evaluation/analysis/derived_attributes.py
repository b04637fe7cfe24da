"""What makes a person hard to find, as far as labels alone tell: size, speed, crowding, visibility.

Each is a number per person of the ground truth, NaN where it cannot be known.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from tdmi.data.annotations import NO_TRACK, Annotations
from tdmi.data.boxes import box_of_joints
from tdmi.evaluation.analysis.crowd_index import person_crowding
from tdmi.evaluation.matching.assignment import head_sizes

LARGEST_STEP = 4
"""Frames between two labels of which a speed is still taken. Sparse labels of PoseTrack's
validation videos are four frames apart; over longer gaps people turn round and the speed comes out
too small (choice of this project)."""


def derived_attributes(truth: Annotations) -> dict[str, np.ndarray]:
    """Attributes [N] of the people of the ground truth, by name.

    - ``size``: head size in px (0.6 of the head box's diagonal, the unit of poseval's distances).
      Unlike the extent of the joints it does not shrink when half of the person is hidden.
    - ``speed``: see `speed`, in head sizes per frame.
    - ``crowding``: joints of other people in the person's box over own joints (CrowdPose); who has
      no box gets poseval's, the extent of the joints enlarged by 30 %.
    - ``visible_fraction``: share of the annotated joints marked as visible (1 for everybody
      in data sets without such marks).
    """
    visible = (truth.present & truth.visible).sum(axis=1)
    return {
        "size": head_sizes(truth.head_box),
        "speed": speed(truth),
        "crowding": person_crowding(_with_boxes(truth)),
        "visible_fraction": _quotient(visible, truth.present.sum(axis=1)),
    }


def speed(truth: Annotations) -> np.ndarray:
    """Mean over joints of the way in the image per frame, in head sizes [N].

    Taken from the person's labels before and after, as far as there are any at most LARGEST_STEP
    frames away, and averaged over the two; only joints annotated on both sides count. The person is
    followed by track id. The way is that in the image: a camera that moves counts too.
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


def _with_boxes(truth: Annotations) -> Annotations:
    missing = np.isnan(truth.box).any(axis=1)
    box = truth.box.copy()
    box[missing] = box_of_joints(truth.keypoints[missing], truth.present[missing])
    return replace(truth, box=box)


def _quotient(value: np.ndarray, by: np.ndarray) -> np.ndarray:
    """`value` / `by`, NaN where `by` is 0 or unknown."""
    known = by > 0
    return np.where(known, value, np.nan) / np.where(known, by, 1.0)
