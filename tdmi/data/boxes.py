"""Boxes of persons: x, y, width and height in pixels of the full frame."""

from __future__ import annotations

import numpy as np

from tdmi.data.records import Flags, Floats

BOX_SCALE = 1.3
"""The person box of PoseTrack18 files is the extent of the joints times this.

Source: poseval's converter. Boxes of the PoseTrack2018 files that could be checked follow it.
"""


def overlap(one: Floats, other: Floats) -> Floats:
    """Intersection over union [T, P] of boxes [T, 4] and [P, 4]."""
    low = np.maximum(one[:, None, :2], other[:, :2])
    high = np.minimum((one[:, :2] + one[:, 2:])[:, None], other[:, :2] + other[:, 2:])
    common = np.prod(np.maximum(high - low, 0), axis=-1)
    areas = np.prod(one[:, 2:], axis=1)[:, None] + np.prod(other[:, 2:], axis=1)
    shares: Floats = common / (areas - common)
    return shares


def extent(points: Floats, present: Flags) -> Floats:
    """Boxes [N, 4] around the present points [N, J, 2]; not finite where none is `present`."""
    low = np.where(present[..., None], points, np.inf).min(axis=1)
    high = np.where(present[..., None], points, -np.inf).max(axis=1)
    return np.concatenate([low, high - low], axis=1)


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


def clip_to_last_pixel(boxes: Floats, sizes: Floats) -> Floats:
    """Clip boxes to their pictures as HRNet's and DCPose's loaders do.

    The right and lower edge are the last pixel inside, so a box that lies in the picture becomes
    one pixel narrower and lower. Width or height may be zero or negative for boxes outside.

    Args:
        boxes: [N, 4].
        sizes: [N, 2] width and height of the picture of each.
    """
    low = np.maximum(boxes[:, :2], 0)
    high = np.minimum(sizes - 1, low + np.maximum(boxes[:, 2:] - 1, 0))
    return np.concatenate([low, high - low], axis=1)


def clip_to_frame(box: Floats, width: int, height: int) -> Floats:
    """Return the part of a box [4] inside the frame, at least one pixel wide and high."""
    limit = np.array([width, height], float)
    low = np.clip(box[:2], 0, limit - 1)
    high = np.maximum(np.clip(box[:2] + box[2:], 0, limit), low + 1)
    return np.concatenate([low, high - low])
