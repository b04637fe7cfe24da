"""A perspective camera that stands at the origin of the ground and turns and zooms."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tdmi.datasets.mocap.kinematics import matrices


@dataclass(frozen=True)
class Camera:
    """S instants of one camera; pure rotation and zoom, so the background moves exactly with it."""

    width: int
    height: int
    eye_height: float  # Metres above the floor
    focal: np.ndarray  # [S] px
    rotation: np.ndarray
    """[S, 3, 3] from the camera at rest (level, looking along -z) to the turned camera."""

    def to_camera(self, points: np.ndarray) -> np.ndarray:
        """World points [S, ..., 3] to camera coordinates (x right, y down, z depth) in metres."""
        rest = (points - np.array([0.0, self.eye_height, 0.0])) * np.array([1.0, -1.0, -1.0])
        return np.einsum("sij,s...j->s...i", self.rotation, rest)

    def project(self, points: np.ndarray) -> np.ndarray:
        """Camera coordinates [S, ..., 3] to px [S, ..., 2]; (0, 0) is the first pixel's centre."""
        focal = self.focal.reshape(-1, *[1] * (points.ndim - 1))
        centre = np.array([(self.width - 1) / 2, (self.height - 1) / 2])
        depth = np.maximum(points[..., 2:], 1e-3)
        return points[..., :2] * focal / depth + centre

    def intrinsics(self, instant: int) -> np.ndarray:
        """The 3x3 matrix K of one instant."""
        return intrinsics(self.focal[instant], self.width, self.height)


def intrinsics(focal: float, width: int, height: int) -> np.ndarray:
    """The 3x3 matrix K of a camera that looks at the middle of its picture; all in px."""
    return np.array([[focal, 0, (width - 1) / 2], [0, focal, (height - 1) / 2], [0, 0, 1.0]])


def rotation_of(pan: np.ndarray, tilt: np.ndarray, roll: np.ndarray) -> np.ndarray:
    """Rotations [S, 3, 3] of a camera turned right by `pan`, down by `tilt`, then rolled."""
    one, zero = np.ones_like(pan), np.zeros_like(pan)
    c, s = np.cos(pan), np.sin(pan)
    about_y = matrices([[c, zero, -s], [zero, one, zero], [s, zero, c]])
    c, s = np.cos(tilt), np.sin(tilt)
    about_x = matrices([[one, zero, zero], [zero, c, -s], [zero, s, c]])
    c, s = np.cos(roll), np.sin(roll)
    about_z = matrices([[c, s, zero], [-s, c, zero], [zero, zero, one]])
    return about_z @ about_x @ about_y


def sample_camera(
    rng: np.random.Generator, times: np.ndarray, width: int, height: int, moving: bool
) -> Camera:
    """A camera at times [S] (s): steady, or panning, zooming and shaking like one held by hand.

    The view is about 47 degrees wide, that of a phone; the horizon lies above the middle.
    """
    middle = times - times.mean()
    pan, tilt, roll, zoom = (np.zeros_like(times) for _ in range(4))
    if moving:
        pan = np.radians(rng.uniform(-16, 16)) * middle
        tilt = np.radians(rng.uniform(-5, 5)) * middle
        zoom = rng.uniform(-0.25, 0.25) * middle
        for angle, size in ((pan, 0.5), (tilt, 0.4), (roll, 0.5)):
            frequency, phase = rng.uniform(0.8, 2.5), rng.uniform(0, 2 * np.pi)
            angle += np.radians(size) * np.sin(2 * np.pi * frequency * times + phase)
    tilt = tilt + np.radians(rng.uniform(3.0, 6.0))
    focal = 1.15 * width * np.exp(zoom)
    return Camera(width, height, rng.uniform(1.05, 1.7), focal, rotation_of(pan, tilt, roll))
