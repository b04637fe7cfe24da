"""A pose model's landmarks in space, and from them the benchmark's joints and a head box.

The pose model marks neither the top of the head nor the upper neck. Both are built in space, where
lengths are known, from ears, eyes and shoulders:

* head_bottom lies half way from the middle of the shoulders to the middle of the ears: the upper
  neck, at the height of the chin, which is what PoseTrack marks;
* head_top lies 0.15 m above the middle of the ears, along the head's own upward direction: the
  normal of the plane through both ears and the middle of the eyes.

The crown of an adult is some 0.13 m above the ear; this person wears a cap, and 0.15 m meets its
top in all four views. All lengths and fractions in this file are choices of this project.
"""

from __future__ import annotations

import numpy as np

from tdmi.data.records import Floats
from tdmi.data.skeletons import POSETRACK18
from tdmi.datasets.pose2sim.calibration import Camera

LANDMARKS = {
    "nose": 0, "left_eye": 2, "right_eye": 5, "left_ear": 7, "right_ear": 8, "left_mouth": 9,
    "right_mouth": 10, "left_shoulder": 11, "right_shoulder": 12, "left_elbow": 13,
    "right_elbow": 14, "left_wrist": 15, "right_wrist": 16, "left_hip": 23, "right_hip": 24,
    "left_knee": 25, "right_knee": 26, "left_ankle": 27, "right_ankle": 28,
}  # fmt: skip
"""The landmarks that are kept of the pose model's 33, in its order, by position in its list."""

NAMES = tuple(LANDMARKS)

_OTHER_SIDE = {"left": "right", "right": "left"}
MIRRORED = [
    NAMES.index("_".join(_OTHER_SIDE.get(word, word) for word in name.split("_"))) for name in NAMES
]
"""Index of each landmark in the answer to a mirrored image."""

NECK_FRACTION = 0.5
CROWN_ABOVE_EARS = 0.15
# Half lengths of the head in metres: front to back, side to side, crown to chin.
HEAD_SEMI_AXES = (0.10, 0.08, 0.115)

_SOURCES = {
    "head_bottom": ("left_shoulder", "right_shoulder", "left_ear", "right_ear"),
    "head_top": ("left_ear", "right_ear", "left_eye", "right_eye"),
}


def joints_from_landmarks(landmarks: Floats) -> Floats:
    """Return joints [..., 17, 3] (POSETRACK18) from landmarks [..., L, 3] (`NAMES`), in metres."""
    at = {name: landmarks[..., index, :] for index, name in enumerate(NAMES)}
    ears = (at["left_ear"] + at["right_ear"]) / 2
    eyes = (at["left_eye"] + at["right_eye"]) / 2
    shoulders = (at["left_shoulder"] + at["right_shoulder"]) / 2
    upward = _unit(np.cross(eyes - ears, at["left_ear"] - at["right_ear"]))
    at["head_bottom"] = shoulders + NECK_FRACTION * (ears - shoulders)
    at["head_top"] = ears + CROWN_ABOVE_EARS * upward
    return np.stack([at[joint] for joint in POSETRACK18.joints], axis=-2)


def lowest_of_sources(values: Floats) -> Floats:
    """Return values of joints [..., 17] from those of landmarks [..., L] (weights, view counts).

    A built joint gets the lowest value of the landmarks it is built from.
    """
    sources = [map(NAMES.index, _SOURCES.get(joint, (joint,))) for joint in POSETRACK18.joints]
    return np.stack([values[..., list(columns)].min(-1) for columns in sources], axis=-1)


def head_boxes(joints: Floats, camera: Camera) -> Floats:
    """Return boxes x1, y1, x2, y2 [..., 4] in px around the head of joints [..., 17, 3] in metres.

    The head is an ellipsoid whose top is head_top; its outline is the extent of its projected
    surface points.
    """
    top, left, right = (
        joints[..., POSETRACK18.index(name), :] for name in ("head_top", "left_ear", "right_ear")
    )
    upward = _unit(top - (left + right) / 2)
    side = _unit(left - right)
    forward = _unit(np.cross(side, upward))
    axes = np.stack([forward, np.cross(upward, forward), upward], axis=-2)
    centre = top - HEAD_SEMI_AXES[2] * upward
    surface = _sphere() * HEAD_SEMI_AXES
    points = camera.project(centre[..., None, :] + surface @ axes)
    return np.concatenate([points.min(-2), points.max(-2)], axis=-1)


def _sphere() -> Floats:
    """Return points [P, 3] on the unit sphere, every ten degrees."""
    height, turn = np.radians(np.mgrid[-90:91:10, 0:360:10])
    points = [np.cos(height) * np.cos(turn), np.cos(height) * np.sin(turn), np.sin(height)]
    return np.stack(points, axis=-1).reshape(-1, 3)


def _unit(vectors: Floats) -> Floats:
    return vectors / np.linalg.norm(vectors, axis=-1, keepdims=True)
