"""Random geometry of a training sample: one draw for all frames of its window.

The form of the draws follows the TDMI authors' review-time code (the same as HRNet's and DCPose's);
the amounts are options, because a small network on upright people learns faster with less.
"""

from __future__ import annotations

from dataclasses import dataclass
from statistics import NormalDist

import numpy as np

from tdmi.config.inputs import Augmentation
from tdmi.data.skeletons import Skeleton

LOWER_BODY = ("hip", "knee", "ankle")


@dataclass(frozen=True)
class Drawn:
    """A crop as drawn: centre (x, y) and width in frame pixels, degrees, whether mirrored."""

    centre: np.ndarray
    width: float
    rotation: float
    flip: bool


def half_body(
    points: np.ndarray, present: np.ndarray, upper: bool, skeleton: Skeleton, aspect: float
) -> tuple[np.ndarray, float] | None:
    """Centre and width of a crop around the upper or lower half, 1.5 times its joints' extent.

    The other half is taken if the wanted one has fewer than 3 joints; None if neither has.
    """
    lower = np.array([joint.split("_")[-1] in LOWER_BODY for joint in skeleton.joints])
    halves = (present & ~lower, present & lower)
    first, second = halves if upper else halves[::-1]
    chosen = first if first.sum() > 2 else second
    if chosen.sum() <= 2:
        return None
    low, high = points[chosen].min(axis=0), points[chosen].max(axis=0)
    extent = high - low
    return points[chosen].mean(axis=0), 1.5 * max(extent[0], extent[1] * aspect, 1.0)


def draw(
    options: Augmentation,
    generator: np.random.Generator,
    centre: np.ndarray,
    width: float,
    points: np.ndarray,
    present: np.ndarray,
    skeleton: Skeleton,
    aspect: float,
) -> Drawn:
    """Draw the crop of one training sample.

    Args:
        centre, width: region of the person's box in frame pixels (`crop_regions`).
        points, present: [J, 2] frame pixels and [J] bool of the key frame.
        aspect: width / height of the crop.
    """
    # Every number is drawn whether used or not: one option never shifts the others' randomness.
    gate, choice, size, turn_gate, turn, mirror = (
        generator.random(),
        generator.standard_normal(),
        generator.standard_normal(),
        generator.random(),
        generator.standard_normal(),
        generator.random(),
    )
    if gate < options.half_body_probability and present.sum() > options.half_body_joints:
        upper = NormalDist().cdf(choice) < options.upper_body_probability
        half = half_body(points, present, upper, skeleton, aspect)
        if half is not None:
            centre, width = half
    width *= float(np.clip(1 + size * options.scale, 1 - options.scale, 1 + options.scale))
    rotation = float(np.clip(turn, -2, 2)) * options.rotation
    if turn_gate > options.rotation_probability:
        rotation = 0.0
    return Drawn(centre, width, rotation, mirror < options.flip_probability)
