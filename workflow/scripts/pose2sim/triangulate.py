"""Points in space from their places in several calibrated views, robust to wrong views.

Everything is vectorised over any number of points; residuals are pixels of the undistorted view.
Tracks of points are smoothed over time.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np

from tdmi.datasets.pose2sim.calibration import Camera

TOLERANCE = 10.0
"""px, the detector's own noise (choice of this project)."""
REJECTION = 40.0
"""px, about half a head (choice of this project)."""
WINDOW, ORDER = 9, 2
"""Frames and order of the smoothing polynomial: 9 frames at 60 per second are 150 ms (choice of
this project)."""
SMOOTHING_TOLERANCE = 0.02
"""Metres."""


@dataclass(frozen=True)
class Triangulation:
    """C views of points of any shape [...]."""

    points: np.ndarray
    """[..., 3] metres; NaN where fewer than two views are usable."""
    residuals: np.ndarray
    """[C, ...] pixels between the view's own place and the reprojected point; NaN if unseen."""
    used: np.ndarray
    """[C, ...] bool, the view has a positive weight and agrees within the rejection distance."""


def linear(
    rays: np.ndarray, weights: np.ndarray, rotations: np.ndarray, translations: np.ndarray
) -> np.ndarray:
    """Weighted direct linear transform: [..., 3] from rays [C, ..., 2] and weights [C, ...].

    Each view gives x * (row 3) - row 1 and y * (row 3) - row 2 of its [R | t]; the weighted
    equations are solved for the world point by least squares.
    Source: Hartley and Zisserman, Multiple View Geometry, 2nd edition, section 12.2
    (inhomogeneous form).
    """
    shape = rays.shape[1:-1]
    last = rotations[:, 2]
    rows = np.einsum("c...k,ci->c...ki", rays, last) - _spread(rotations[:, :2], len(shape))
    right = _spread(translations[:, :2], len(shape)) - rays * _spread(
        translations[:, 2:], len(shape)
    )
    rows, right = rows * weights[..., None, None], right * weights[..., None]
    normal = np.einsum("c...ki,c...kj->...ij", rows, rows)
    side = np.einsum("c...ki,c...k->...i", rows, right)
    return _solve(normal, side)


def triangulate(
    cameras: Sequence[Camera],
    pixels: np.ndarray,
    weights: np.ndarray,
    rejection: float = REJECTION,
    iterations: int = 30,
) -> Triangulation:
    """Robust triangulation of pixels [C, ..., 2] with weights [C, ...] >= 0 (0 = unseen).

    Start: of all pairs of views, the pair whose point fits all views best under a saturating cost.
    Then Gauss-Newton on the reprojection error with weights w / (1 + (r / TOLERANCE)^2), the
    Cauchy estimator; views beyond `rejection` px are dropped.
    """
    rotations = np.stack([camera.rotation for camera in cameras])
    translations = np.stack([camera.translation for camera in cameras])
    focal = np.array([camera.matrix[0, 0] for camera in cameras])
    seen = np.isfinite(pixels).all(-1) & (weights > 0)
    weights = np.where(seen, weights, 0.0)
    rays = np.stack([camera.undistort(view) for camera, view in zip(cameras, pixels, strict=True)])
    rays = np.where(seen[..., None], rays, 0.0)
    focal = _spread(focal, seen.ndim - 1)

    points = _best_pair(rays, weights, rotations, translations, focal)
    for _ in range(iterations):
        error, jacobian = _errors(points, rays, rotations, translations, focal)
        length = np.linalg.norm(error, axis=-1)
        kept = np.where(length > rejection, 0.0, weights)
        robust = kept / (1 + (length / TOLERANCE) ** 2)
        normal = np.einsum("c...,c...ki,c...kj->...ij", robust, jacobian, jacobian)
        side = np.einsum("c...,c...ki,c...k->...i", robust, jacobian, error)
        points = points - np.where((kept > 0).sum(0)[..., None] >= 2, _solve(normal, side), 0.0)
    error, _ = _errors(points, rays, rotations, translations, focal)
    length = np.linalg.norm(error, axis=-1)
    used = seen & (length <= rejection)
    points = np.where((used.sum(0) >= 2)[..., None], points, np.nan)
    return Triangulation(points, np.where(seen, length, np.nan), used)


def smooth(
    points: np.ndarray, weights: np.ndarray, tolerance: float = SMOOTHING_TOLERANCE
) -> np.ndarray:
    """Fit points [F, ..., 3] in metres by a polynomial in a window of frames around each frame.

    weights [F, ...] >= 0; a NaN point counts nothing. Frames that lie off the fit by r metres are
    weighted again with 1 / (1 + (r / tolerance)^2), so that single wrong frames do not pull. The
    window is cut at the ends of the video. With equal weights and no outlier this is the filter of
    Savitzky and Golay (Analytical Chemistry 36, 1964), so it does not lag.
    """
    known = np.isfinite(points).all(-1)
    weights = np.where(known, weights, 0.0)
    values = np.where(known[..., None], points, 0.0)
    frames = np.arange(len(points))
    smoothed = np.empty_like(points)
    for frame in frames:
        near = frames[np.abs(frames - frame) <= WINDOW // 2]
        basis = ((near - frame)[:, None] / (WINDOW // 2)) ** np.arange(ORDER + 1)
        smoothed[frame] = _fit(basis, values[near], weights[near], tolerance)
    return smoothed


def _fit(
    basis: np.ndarray, values: np.ndarray, weights: np.ndarray, tolerance: float
) -> np.ndarray:
    """Return the fitted value at offset zero [..., 3]; NaN where too few frames are known."""
    robust = weights
    enough = (weights > 0).sum(0) > basis.shape[1]
    # The scale comes down by halves, so that a far wrong frame cannot hold the fit at the start.
    for step in range(12):
        normal = np.einsum("f...,fi,fj->...ij", robust, basis, basis)
        side = np.einsum("f...,fi,f...k->...ik", robust, basis, values)
        normal = np.where(enough[..., None, None], normal, np.eye(basis.shape[1]))
        solved = np.linalg.solve(normal, side)
        off = np.linalg.norm(values - np.einsum("fi,...ik->f...k", basis, solved), axis=-1)
        scale = tolerance * 2.0 ** max(5 - step, 0)
        robust = weights / (1 + (off / scale) ** 2)
    return np.where(enough[..., None], solved[..., 0, :], np.nan)


def _best_pair(rays, weights, rotations, translations, focal) -> np.ndarray:
    best = np.full((*rays.shape[1:-1], 3), np.nan)
    lowest = np.full(rays.shape[1:-1], np.inf)
    for pair in combinations(range(len(rays)), 2):
        only = np.zeros_like(weights)
        only[list(pair)] = weights[list(pair)] > 0
        candidate = linear(rays, only, rotations, translations)
        error, _ = _errors(candidate, rays, rotations, translations, focal)
        square = (error**2).sum(-1) / TOLERANCE**2
        cost = (weights * square / (1 + square)).sum(0)
        better = (cost < lowest) & only[list(pair)].all(0)
        best[better], lowest[better] = candidate[better], cost[better]
    return best


def _errors(points, rays, rotations, translations, focal) -> tuple[np.ndarray, np.ndarray]:
    """Reprojection errors [C, ..., 2] in pixels and their derivatives [C, ..., 2, 3]."""
    local = np.einsum("cij,...j->c...i", rotations, points)
    local = local + _spread(translations, points.ndim - 1)
    depth = local[..., 2:]
    seen_at = local[..., :2] / depth
    rotations = _spread(rotations, points.ndim - 1)
    jacobian = rotations[..., :2, :] - seen_at[..., None] * rotations[..., 2:, :]
    error = (seen_at - rays) * focal[..., None]
    return error, jacobian / depth[..., None] * focal[..., None, None]


def _spread(values: np.ndarray, dimensions: int) -> np.ndarray:
    """Put `dimensions` axes of length one behind the first axis."""
    return values.reshape(values.shape[0], *(1,) * dimensions, *values.shape[1:])


def _solve(normal: np.ndarray, side: np.ndarray) -> np.ndarray:
    """Solve 3 x 3 systems [..., 3, 3]; NaN where singular or not finite."""
    usable = np.isfinite(normal).all((-1, -2)) & (np.linalg.matrix_rank(np.nan_to_num(normal)) == 3)
    safe = np.where(usable[..., None, None], normal, np.eye(3))
    solved = np.linalg.solve(safe, np.where(usable[..., None], side, np.nan)[..., None])[..., 0]
    return solved
