"""Smooth tracks of points over time, trusting well seen frames more."""

from __future__ import annotations

import numpy as np

WINDOW, ORDER = 9, 2
"""Frames and order of the polynomial: 9 frames at 60 per second are 150 ms (choice of this
project)."""
SMOOTHING_TOLERANCE = 0.02
"""Metres."""


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
