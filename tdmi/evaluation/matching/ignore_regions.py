"""Points strictly inside polygons: the even-odd rule, border and corners excluded.

This is what the official evaluators get from their geometry library, down to its exact
orientation test: where rounding could decide, the sign is computed with fractions.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from tdmi.evaluation.arrays import Array

# Above this multiple of the two products' size the float64 sign of a 2x2 determinant of
# differences is certain (Shewchuk 1997, "Adaptive Precision Floating-Point Arithmetic and Fast
# Robust Geometric Predicates", bound A of the orientation test).
_CERTAIN = 3.3306690738754716e-16


@dataclass
class Regions:
    """G polygons with E edges in all, open or closed, sorted by frame; empty ones are left out.

    Each has its frame, the row of its first edge and their number [G] int64, and its smallest and
    largest coordinates [G, 2] float64. Edges have start and end [E, 2] float64.
    """

    frame: Array
    first: Array
    count: Array
    start: Array
    end: Array
    low: Array
    high: Array

    def __len__(self) -> int:
        return len(self.frame)


def regions_of(frames: Sequence[Sequence[Array]]) -> Regions:
    """Return the polygons ([C, 2] each) of some frames, by the frames' positions."""
    polygons = [(row, p) for row, frame in enumerate(frames) for p in frame if len(p)]
    count = np.array([len(polygon) for _, polygon in polygons], dtype=np.int64)
    first = np.cumsum(count) - count
    if not polygons:
        nothing = np.zeros((0, 2))
        return Regions(count, first, count, nothing, nothing, nothing, nothing)
    start = np.concatenate([polygon for _, polygon in polygons]).astype(np.float64)
    following = np.arange(1, len(start) + 1)
    following[first + count - 1] = first
    return Regions(
        frame=np.array([row for row, _ in polygons], dtype=np.int64),
        first=first,
        count=count,
        start=start,
        end=start[following],
        low=np.minimum.reduceat(start, first),
        high=np.maximum.reduceat(start, first),
    )


def strictly_inside(points: Array, region: Array, regions: Regions) -> Array:
    """Return which points [P, 2] are strictly inside their own polygon, row `region` [P]."""
    inside = points > regions.low.take(region, axis=0)
    inside &= points < regions.high.take(region, axis=0)
    inside = inside[:, 0] & inside[:, 1]
    near = np.flatnonzero(inside)
    if not len(near):
        return inside
    count = regions.count[region[near]]
    point = np.repeat(np.arange(len(near)), count)
    shift = regions.first[region[near]] - (np.cumsum(count) - count)
    edge = np.arange(len(point)) + np.repeat(shift, count)
    # Only edges that the horizontal line through the point meets can matter.
    low, high = (f(regions.start[:, 1], regions.end[:, 1]) for f in (np.minimum, np.maximum))
    y = np.repeat(points[near, 1], count)
    met = np.flatnonzero((low.take(edge) <= y) & (y <= high.take(edge)))
    point, edge = point[met], edge[met]
    x, y = points.take(near[point], axis=0).T
    (start_x, start_y), (end_x, end_y) = (
        end.take(edge, axis=0).T for end in (regions.start, regions.end)
    )

    side = _orientation(start_x, start_y, end_x, end_y, x, y)
    on_edge = (side == 0) & (np.minimum(start_x, end_x) <= x) & (x <= np.maximum(start_x, end_x))
    # A ray to the right crosses a rising edge if the point is on its left, and the other way round.
    rising = (start_y <= y) & (y < end_y) & (side > 0)
    falling = (end_y <= y) & (y < start_y) & (side < 0)
    crossings = np.bincount(point[rising | falling], minlength=len(near))
    inside[near] = crossings % 2 == 1
    inside[near[point[on_edge]]] = False
    return inside


def _orientation(
    start_x: Array, start_y: Array, end_x: Array, end_y: Array, x: Array, y: Array
) -> Array:
    """Return +1 where a point is left of its edge start -> end, 0 on its line, -1 right [P]."""
    left = (start_x - x) * (end_y - y)
    right = (start_y - y) * (end_x - x)
    sign: Array = np.sign(left - right)
    doubtful = np.abs(left - right) <= _CERTAIN * (np.abs(left) + np.abs(right))
    for k in np.flatnonzero(doubtful & np.isfinite(left - right)):
        ax, ay, bx, by, px, py = (
            Fraction(float(v[k])) for v in (start_x, start_y, end_x, end_y, x, y)
        )
        exact = (ax - px) * (by - py) - (ay - py) * (bx - px)
        sign[k] = (exact > 0) - (exact < 0)
    return sign
