"""Check the cameras against the detections: time shifts between videos, and small camera moves."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import combinations, product

import numpy as np
from scipy.optimize import least_squares
from scipy.spatial.transform import Rotation

from tdmi.datasets.pose2sim.calibration import Camera
from tdmi.datasets.pose2sim.joints import MIRRORED
from workflow.scripts.pose2sim.triangulate import TOLERANCE, triangulate

LARGEST_SHIFT = 6
"""Frames by which one video may lag behind another in the search."""
TURN_SIGMA = 0.5
"""Degrees, the expected error of a camera's direction."""
PLACE_SIGMA = 0.02
"""Metres, the expected error of a camera's place."""


def disagreement(cameras: Sequence[Camera], pixels: np.ndarray, weights: np.ndarray) -> float:
    """Return the mean saturating cost in [0, 1): weighted r^2 / (r^2 + TOLERANCE^2)."""
    found = triangulate(cameras, pixels, weights, rejection=np.inf, iterations=5)
    square = (np.nan_to_num(found.residuals) / TOLERANCE) ** 2
    return float((weights * square / (1 + square)).sum() / weights.sum())


def estimate_shifts(
    cameras: Sequence[Camera], pixels: np.ndarray, weights: np.ndarray, largest: int = LARGEST_SHIFT
) -> tuple[tuple[int, ...], list[list[float]]]:
    """Return how many frames each view lags behind the first, by the least disagreement in space.

    pixels [C, F, L, 2], weights [C, F, L], F > 4 * largest. Each pair of views is triangulated at
    every relative shift; of all combinations of shifts up to `largest`, the one with the least
    sum over the pairs is taken, so no local minimum can hold the search. Returns the shifts (the
    first is 0) and, for each view, the sum at each of its shifts with the others at their best.
    Choice of this project: two views out of step break the epipolar constraint on whoever moves.
    """
    pairs = list(combinations(range(len(cameras)), 2))
    inner = np.arange(2 * largest, pixels.shape[1] - 2 * largest)
    table = {
        (first, second, lag): disagreement(
            [cameras[first], cameras[second]],
            np.stack([pixels[first, inner], pixels[second, inner + lag]]),
            np.stack([weights[first, inner], weights[second, inner + lag]]),
        )
        for first, second in pairs
        for lag in range(-2 * largest, 2 * largest + 1)
    }

    def total(shifts: Sequence[int]) -> float:
        return sum(table[i, j, shifts[j] - shifts[i]] for i, j in pairs)

    steps = range(-largest, largest + 1)
    best = min(((0, *rest) for rest in product(steps, repeat=len(cameras) - 1)), key=total)
    costs = [
        [float(total((*best[:view], step, *best[view + 1 :]))) for step in steps]
        for view in range(len(cameras))
    ]
    return best, costs


def moved(camera: Camera, change: np.ndarray) -> Camera:
    """Return the camera turned by `change[:3]` (rotation vector, radians), then shifted by
    `change[3:]` (metres), both in its own axes."""
    turn = Rotation.from_rotvec(change[:3]).as_matrix()
    return replace(
        camera,
        rotation=turn @ camera.rotation,
        translation=turn @ camera.translation + change[3:],
    )


def refine_cameras(
    cameras: Sequence[Camera], pixels: np.ndarray, weights: np.ndarray
) -> tuple[list[Camera], np.ndarray]:
    """Correct a little where the cameras stand, by the person's joints themselves.

    Minimises the Cauchy cost of all reprojection errors over six numbers a camera, points being
    triangulated anew for every trial, plus a Gaussian prior at the given calibration (TURN_SIGMA,
    PLACE_SIGMA), which also fixes the world's place and size. Returns the cameras and the changes
    [C, 6] (degrees, metres).
    """
    prior = np.tile(
        np.r_[np.full(3, np.radians(TURN_SIGMA)), np.full(3, PLACE_SIGMA)], len(cameras)
    )
    weights = np.where(np.isfinite(pixels).all(-1), weights, 0.0)

    def cameras_at(change: np.ndarray) -> list[Camera]:
        parts = (change * prior).reshape(len(cameras), 6)
        return [moved(camera, part) for camera, part in zip(cameras, parts, strict=True)]

    def errors(change: np.ndarray) -> np.ndarray:
        found = triangulate(cameras_at(change), pixels, weights, rejection=np.inf, iterations=12)
        ratio = np.nan_to_num(found.residuals) / TOLERANCE
        return np.r_[np.sqrt(weights * np.log1p(ratio**2)).ravel(), change]

    solved = least_squares(errors, np.zeros(len(prior)), method="trf", max_nfev=20, diff_step=1e-4)
    changes = (solved.x * prior).reshape(len(cameras), 6)
    degrees = np.concatenate([np.degrees(changes[:, :3]), changes[:, 3:]], axis=1)
    return cameras_at(solved.x), degrees


def resolve_sides(
    cameras: Sequence[Camera], detections: np.ndarray
) -> tuple[np.ndarray, list[int]]:
    """Exchange left and right in a view's frame where the other views say so.

    detections [C, F, L, 3] (x, y, weight) in the order of `NAMES`. Each view in turn is compared
    with the points of the other views; its sides are exchanged if that halves the median error.
    Returns the corrected detections and the number of exchanged frames of each view.
    """
    detections = detections.copy()
    counts = []
    for view, camera in enumerate(cameras):
        weights = detections[..., 2].copy()
        weights[view] = 0
        there = camera.project(triangulate(cameras, detections[..., :2], weights).points)
        sides = np.stack([detections[view], mirrored := detections[view][:, MIRRORED]])
        as_is, exchanged = np.nanmedian(np.linalg.norm(sides[..., :2] - there, axis=-1), axis=2)
        turn = exchanged < 0.5 * as_is
        detections[view][turn] = mirrored[turn]
        counts.append(int(turn.sum()))
    return detections, counts
