"""Boxes of persons from their joints."""

from __future__ import annotations

import numpy as np

from tdmi.data.records import Flags, Floats

BOX_SCALE = 1.3
"""The person box of PoseTrack18 files is the extent of the joints times this.

Source: poseval's converter. Boxes of the PoseTrack2018 files that could be checked follow it.
"""


def box_of_joints(keypoints: Floats, present: Flags) -> Floats:
    """Return boxes [N, 4] x, y, width, height: the extent of the joints times `BOX_SCALE`.

    NaN for persons without a joint at a finite place. One joint alone gives a box without width
    and height. Source: poseval's converter.

    Args:
        keypoints: [N, J, 2] px.
        present: [N, J] bool.
    """
    box = np.full((len(keypoints), 4), np.nan)
    usable = present & np.isfinite(keypoints).all(axis=2)
    some = usable.any(axis=1)
    mask = usable[some, :, None]
    low = np.where(mask, keypoints[some], np.inf).min(axis=1, initial=np.inf)
    high = np.where(mask, keypoints[some], -np.inf).max(axis=1, initial=-np.inf)
    with np.errstate(over="ignore", invalid="ignore"):
        centre, half = (low + high) / 2, BOX_SCALE / 2 * (high - low)
        first, last = centre - half, centre + half
        box[some] = np.concatenate([first, last - first], axis=1)
    return np.where(np.isfinite(box).all(axis=1, keepdims=True), box, np.nan)
