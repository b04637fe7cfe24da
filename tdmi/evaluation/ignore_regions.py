"""Which points lie strictly inside a polygon: the even-odd rule, border and corners excluded.

This is what the official evaluators get from their geometry library, down to its exact
orientation test: where rounding could decide, the sign is computed with fractions.
"""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction

import numpy as np

# Above this multiple of the two products' size the float64 sign of a 2x2 determinant of
# differences is certain (Shewchuk 1997, "Adaptive Precision Floating-Point Arithmetic and Fast
# Robust Geometric Predicates", bound A of the orientation test).
_CERTAIN = 3.3306690738754716e-16


def inside_any(points: np.ndarray, polygons: Sequence[np.ndarray]) -> np.ndarray:
    """Points [P, 2] in the strict interior of any of `polygons` ([C, 2] each, open or closed).

    Returns bool [P]. NaN points are inside nothing; an empty polygon holds nothing.
    """
    inside = np.zeros(len(points), dtype=bool)
    for polygon in polygons:
        if len(polygon):
            near = ((points > polygon.min(axis=0)) & (points < polygon.max(axis=0))).all(axis=1)
            near &= ~inside
            if near.any():
                inside[near] = strictly_inside(points[near], polygon)
    return inside


def strictly_inside(points: np.ndarray, polygon: np.ndarray) -> np.ndarray:
    """Points [P, 2] in the strict interior of one polygon [C, 2], even-odd; bool [P]."""
    start = np.asarray(polygon, dtype=np.float64)
    end = np.roll(start, -1, axis=0)
    x, y = points[:, None, 0], points[:, None, 1]
    side = _orientation(start, end, points)
    on_edge = (
        (side == 0)
        & (np.minimum(start[:, 0], end[:, 0]) <= x)
        & (x <= np.maximum(start[:, 0], end[:, 0]))
        & (np.minimum(start[:, 1], end[:, 1]) <= y)
        & (y <= np.maximum(start[:, 1], end[:, 1]))
    )
    # A ray to the right crosses a rising edge if the point is on its left, and the other way round.
    rising = (start[:, 1] <= y) & (y < end[:, 1])
    falling = (end[:, 1] <= y) & (y < start[:, 1])
    crossings = ((rising & (side > 0)) | (falling & (side < 0))).sum(axis=1)
    return (crossings % 2 == 1) & ~on_edge.any(axis=1)


def _orientation(start: np.ndarray, end: np.ndarray, points: np.ndarray) -> np.ndarray:
    """Sign [P, C]: +1 where a point is left of the edge start -> end, 0 on its line, -1 right."""
    x, y = points[:, None, 0], points[:, None, 1]
    left = (start[:, 0] - x) * (end[:, 1] - y)
    right = (start[:, 1] - y) * (end[:, 0] - x)
    sign = np.sign(left - right)
    doubtful = np.abs(left - right) <= _CERTAIN * (np.abs(left) + np.abs(right))
    for p, c in np.argwhere(doubtful & np.isfinite(left - right)):
        (ax, ay), (bx, by), (px, py) = (
            [Fraction(float(v)) for v in corner] for corner in (start[c], end[c], points[p])
        )
        exact = (ax - px) * (by - py) - (ay - py) * (bx - px)
        sign[p, c] = (exact > 0) - (exact < 0)
    return sign
