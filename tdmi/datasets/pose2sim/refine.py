"""Check the cameras against the detections: time shifts between videos, and small camera moves."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from scipy.optimize import least_squares
from scipy.spatial.transform import Rotation

from tdmi.datasets.pose2sim.calibration import Camera
from tdmi.datasets.pose2sim.landmarks import MIRRORED
from tdmi.datasets.pose2sim.triangulate import triangulate


def shifted(values: np.ndarray, shifts: Sequence[int], margin: int) -> np.ndarray:
    """Frames margin .. F - margin of each view [C, F, ...], view c read `shifts[c]` later."""
    frames = np.arange(margin, values.shape[1] - margin)
    return np.stack([view[frames + shift] for view, shift in zip(values, shifts, strict=True)])


def disagreement(
    cameras: Sequence[Camera], pixels: np.ndarray, weights: np.ndarray, tolerance: float = 10.0
) -> float:
    """Mean saturating reprojection cost in [0, 1): weighted r^2 / (r^2 + tolerance^2)."""
    found = triangulate(cameras, pixels, weights, tolerance, iterations=10)
    square = (np.nan_to_num(found.residuals) / tolerance) ** 2
    return float((weights * square / (1 + square)).sum() / weights.sum())


def estimate_shifts(
    cameras: Sequence[Camera], pixels: np.ndarray, weights: np.ndarray, largest: int = 6
) -> tuple[tuple[int, ...], list[list[float]]]:
    """Frame shift of each view against the first, by the least disagreement in space.

    pixels [C, F, L, 2], weights [C, F, L]. One view at a time is shifted by -largest .. largest
    until nothing changes. Returns the shifts (first 0) and, for each view, the cost of each shift
    with the others at their best. Choice of this project: with four views a view out of time
    cannot agree with the other three while the person moves.
    """
    shifts = [0] * len(cameras)
    steps = list(range(-largest, largest + 1))
    costs: list[list[float]] = [[] for _ in cameras]
    for _ in range(10):
        before = list(shifts)
        for view in range(1, len(cameras)):
            costs[view] = []
            for step in steps:
                shifts[view] = step
                picked = [shifted(part, shifts, largest) for part in (pixels, weights)]
                costs[view].append(disagreement(cameras, *picked))
            shifts[view] = steps[int(np.argmin(costs[view]))]
        if shifts == before:
            break
    return tuple(shifts), costs


def moved(camera: Camera, change: np.ndarray) -> Camera:
    """The camera turned by `change[:3]` (rotation vector, radians, its axes), then shifted by
    `change[3:]` (metres, its axes)."""
    turn = Rotation.from_rotvec(change[:3]).as_matrix()
    return replace(
        camera,
        rotation=turn @ camera.rotation,
        translation=turn @ camera.translation + change[3:],
    )


def refine_cameras(
    cameras: Sequence[Camera],
    pixels: np.ndarray,
    weights: np.ndarray,
    turn_sigma: float = 0.5,
    place_sigma: float = 0.02,
    tolerance: float = 10.0,
) -> tuple[list[Camera], np.ndarray]:
    """Small corrections of where the cameras stand, from the person's joints themselves.

    Minimises the Cauchy cost of all reprojection errors over six numbers a camera, points being
    triangulated anew for every trial, plus a Gaussian prior at the given calibration (`turn_sigma`
    degrees, `place_sigma` metres, which also fixes the world's place and size). Returns the
    cameras and the changes [C, 6] (degrees, metres).
    """
    prior = np.tile(
        np.r_[np.full(3, np.radians(turn_sigma)), np.full(3, place_sigma)], len(cameras)
    )
    weights = np.where(np.isfinite(pixels).all(-1), weights, 0.0)

    def cameras_at(change: np.ndarray) -> list[Camera]:
        parts = (change * prior).reshape(len(cameras), 6)
        return [moved(camera, part) for camera, part in zip(cameras, parts, strict=True)]

    def errors(change: np.ndarray) -> np.ndarray:
        found = triangulate(cameras_at(change), pixels, weights, tolerance, np.inf, iterations=12)
        ratio = np.nan_to_num(found.residuals) / tolerance
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
        points = triangulate(cameras, detections[..., :2], weights).points
        there = camera.project(points)
        mirrored = detections[view][:, MIRRORED]
        as_is, exchanged = (
            np.nanmedian(np.linalg.norm(which[..., :2] - there, axis=-1), axis=1)
            for which in (detections[view], mirrored)
        )
        turn = exchanged < 0.5 * as_is
        detections[view][turn] = mirrored[turn]
        counts.append(int(turn.sum()))
    return detections, counts
