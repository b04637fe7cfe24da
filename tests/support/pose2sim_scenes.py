"""Cameras on a circle around a figure that walks, and what they see of it."""

from __future__ import annotations

import numpy as np
from scipy.spatial.transform import Rotation

from tdmi.datasets.pose2sim.calibration import Camera
from tdmi.datasets.pose2sim.joints import NAMES


def ring(count=4, width=640, height=480):
    """Cameras on a circle of 4 m, 1.6 m high, looking at (0, 0, 1), with lens distortion."""
    cameras = []
    for index in range(count):
        angle = 2 * np.pi * index / count + 0.3
        place = np.array([4 * np.cos(angle), 4 * np.sin(angle), 1.6])
        forward = np.array([0, 0, 1.0]) - place
        forward /= np.linalg.norm(forward)
        right = np.cross(forward, [0, 0, 1.0])
        right /= np.linalg.norm(right)
        rotation = np.stack([right, np.cross(forward, right), forward])
        cameras.append(
            Camera(
                name=f"cam{index + 1:02d}",
                width=width,
                height=height,
                matrix=np.array([[500.0, 0, 319], [0, 502.0, 241], [0, 0, 1]]),
                distortion=np.array([-0.05, 0.13, 0.0006, -0.0007, 0.0]),
                rotation=rotation,
                translation=-rotation @ place,
            )
        )
    return cameras


def person(frames=30, speed=0.03):
    """Landmarks [F, L, 3] of a stiff figure that walks on a curve and turns."""
    standing = {
        "nose": (0.12, 0, 1.62), "eye": (0.09, 0.03, 1.64), "ear": (0, 0.075, 1.64),
        "mouth": (0.10, 0.02, 1.57), "shoulder": (0, 0.18, 1.42), "elbow": (0.05, 0.25, 1.15),
        "wrist": (0.20, 0.27, 0.95), "hip": (0, 0.10, 0.95), "knee": (0.08, 0.11, 0.52),
        "ankle": (0.02, 0.12, 0.08),
    }  # fmt: skip
    points = []
    for name in NAMES:
        x, y, z = standing[name.split("_")[-1]]
        points.append((x, -y if name.startswith("right") else y, z))
    base = np.array(points)
    track = []
    for frame in range(frames):
        turn = Rotation.from_euler("z", 0.05 * frame).as_matrix()
        shift = np.array([speed * frame, 0.3 * np.sin(0.3 * frame), 0.05 * np.cos(0.7 * frame)])
        track.append(base @ turn.T + shift)
    return np.array(track) - [speed * frames / 2, 0, 0]


def views(cameras, points):
    return np.stack([camera.project(points) for camera in cameras])
