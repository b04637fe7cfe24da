"""Agreement of the pseudo-labels with detections: their own, and held-out ones."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import numpy as np

from tdmi.data.records import Record
from tdmi.data.skeletons import POSETRACK18
from tdmi.datasets.pose2sim.joints import NAMES, head_boxes, joints_from_landmarks
from tdmi.datasets.pose2sim.labels import PseudoLabels

SEEN_WEIGHT = 0.3
"""Detections of a lower weight are left out of the figures: the detector itself doubts them."""
# Detected joints of the benchmark; head_bottom and head_top have no detection to compare with.
COMPARED = tuple(joint for joint in POSETRACK18.joints if joint in NAMES)
_BONES = {
    f"{side}_{bone}": (f"{side}_{upper}", f"{side}_{lower}")
    for side in ("left", "right")
    for bone, upper, lower in (
        ("thigh", "hip", "knee"), ("shank", "knee", "ankle"),
        ("upper_arm", "shoulder", "elbow"), ("forearm", "elbow", "wrist"),
    )
}  # fmt: skip
_MEASURES: dict[str, Callable[[np.ndarray], np.floating]] = {
    "median": np.nanmedian, "mean": np.nanmean, "p90": partial(np.nanpercentile, q=90),
}  # fmt: skip


def reprojection_errors(
    labels: PseudoLabels, detections: dict[str, np.ndarray]
) -> tuple[np.ndarray, np.ndarray]:
    """Return distances [C, F, K] of reprojected and detected joints (`COMPARED`).

    In pixels of the video and in head sizes (0.6 of the head box's diagonal, as in PCKh); NaN where
    the detection's weight is below SEEN_WEIGHT.
    """
    slots = [POSETRACK18.index(joint) for joint in COMPARED]
    columns = [NAMES.index(joint) for joint in COMPARED]
    pixels, heads = [], []
    for name, camera in labels.cameras.items():
        found = detections[name][:, columns]
        off = np.linalg.norm(camera.project(labels.joints[:, slots]) - found[..., :2], axis=-1)
        box = head_boxes(labels.joints, camera)
        size = 0.6 * np.hypot(box[:, 2] - box[:, 0], box[:, 3] - box[:, 1])
        off = np.where(found[..., 2] >= SEEN_WEIGHT, off, np.nan)
        pixels.append(off)
        heads.append(off / size[:, None])
    return np.stack(pixels), np.stack(heads)


def summary(pixels: np.ndarray, heads: np.ndarray, cameras: list[str]) -> Record:
    """Return figures over all, per camera and per joint, from arrays [C, F, K]."""
    return {
        "all": _figures(pixels, heads),
        "per_camera": {
            name: _figures(pixels[view], heads[view]) for view, name in enumerate(cameras)
        },
        "per_joint": {
            joint: _figures(pixels[..., k], heads[..., k]) for k, joint in enumerate(COMPARED)
        },
    }


def bone_lengths(landmarks: np.ndarray) -> dict[str, dict[str, float]]:
    """Return mean and standard deviation of limb lengths in metres over landmarks [F, L, 3].

    A real bone keeps its length, and nothing in the making of the labels demands it.
    """
    joints = joints_from_landmarks(landmarks)
    result = {}
    for bone, (upper, lower) in _BONES.items():
        ends = joints[:, POSETRACK18.index(upper)] - joints[:, POSETRACK18.index(lower)]
        lengths = np.linalg.norm(ends, axis=-1)
        result[bone] = {
            "mean": round(float(np.nanmean(lengths)), 3),
            "standard_deviation": round(float(np.nanstd(lengths)), 3),
        }
    return result


def _figures(pixels: np.ndarray, heads: np.ndarray) -> dict[str, float]:
    figures: dict[str, float] = {}
    for unit, values, digits in (("px", pixels, 2), ("head", heads, 3)):
        for name, measure in _MEASURES.items():
            figures[f"{name}_{unit}"] = round(float(measure(values)), digits)
    return figures | {
        "within_half_head": round(float((heads[np.isfinite(heads)] <= 0.5).mean()), 4),
        "compared": int(np.isfinite(pixels).sum()),
        "left_out": int(np.isnan(pixels).sum()),
    }
