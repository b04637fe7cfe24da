"""The committed pseudo-labels: joints in space, the cameras they were made with, detections.

They are pseudo-labels: no person drew them. The scripts in workflow/scripts/pose2sim made them;
`provenance.json` beside them says how, and how well they agree with what they were made from.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from tdmi.core.errors import UserError
from tdmi.core.files import read_json, write_json
from tdmi.data.records import member
from tdmi.data.skeletons import POSETRACK18
from tdmi.datasets.pose2sim.calibration import Camera
from tdmi.datasets.pose2sim.joints import NAMES

FOLDER = Path(__file__).parent
LABELS = FOLDER / "pseudo_labels.json"
DETECTIONS = FOLDER / "detections.json"
PROVENANCE = FOLDER / "provenance.json"

_ARRAYS = ("matrix", "distortion", "rotation", "translation")


@dataclass(frozen=True)
class PseudoLabels:
    """F frames of one person at `rate` frames a second."""

    joints: np.ndarray
    """[F, 17, 3] metres, order of POSETRACK18 (ears too: the head box needs them)."""
    confidence: np.ndarray
    """[F, 17] in [0, 1], mean weight of the views."""
    views: np.ndarray
    """[F, 17] int, number of views that agree."""
    cameras: dict[str, Camera]
    """Corrected cameras, for the videos' own image size."""
    rate: float


def write_labels(labels: PseudoLabels, path: Path | str = LABELS) -> None:
    """Write millimetres, hundredths and nine digits: reading gives exactly the rounded values."""
    cameras = {
        name: {"width": camera.width, "height": camera.height}
        | {key: _rounded(getattr(camera, key)) for key in _ARRAYS}
        for name, camera in labels.cameras.items()
    }
    content = {
        "content": "pseudo-labels: joints in space from a pose model's detections in four views",
        "rate": labels.rate,
        "joints": list(POSETRACK18.joints),
        "cameras": cameras,
        "millimetres": np.rint(labels.joints * 1000).astype(int).tolist(),
        "confidence_percent": np.rint(labels.confidence * 100).astype(int).tolist(),
        "views": labels.views.astype(int).tolist(),
    }
    write_json(path, content, indent=None)


def read_labels(path: Path | str = LABELS) -> PseudoLabels:
    """Read what `write_labels` wrote; UserError if it is not that."""
    content = read_json(path)
    where = str(path)
    if member(content, "joints", list, where) != list(POSETRACK18.joints):
        raise UserError(f"{path}: 'joints' are not the {len(POSETRACK18)} of PoseTrack18, in order")
    joints = _array(content, "millimetres", (None, len(POSETRACK18), 3), where) / 1000
    shape = joints.shape[:2]
    cameras = {
        name: Camera(
            name=name,
            width=member(fields, "width", int, f"{where}: camera {name}"),
            height=member(fields, "height", int, f"{where}: camera {name}"),
            matrix=_array(fields, "matrix", (3, 3), f"{where}: camera {name}"),
            distortion=_array(fields, "distortion", (5,), f"{where}: camera {name}"),
            rotation=_array(fields, "rotation", (3, 3), f"{where}: camera {name}"),
            translation=_array(fields, "translation", (3,), f"{where}: camera {name}"),
        )
        for name, fields in member(content, "cameras", dict, where).items()
    }
    return PseudoLabels(
        joints=joints,
        confidence=_array(content, "confidence_percent", shape, where) / 100,
        views=_array(content, "views", shape, where).astype(int),
        cameras=cameras,
        rate=float(content.get("rate", np.nan)),
    )


def write_detections(detections: dict[str, np.ndarray], path: Path | str = DETECTIONS) -> None:
    """Detections [F, L, 3] by camera: tenths of a pixel, weight in percent."""
    content = {
        "content": "what the pose model found in each view: x, y in tenths of a pixel, weight in %",
        "landmarks": list(NAMES),
        "cameras": {
            name: np.rint(found * (10, 10, 100)).astype(int).tolist()
            for name, found in detections.items()
        },
    }
    write_json(path, content, indent=None)


def read_detections(path: Path | str = DETECTIONS) -> dict[str, np.ndarray]:
    """Detections [F, L, 3] by camera: x, y in pixels of the video, weight in [0, 1]."""
    content = read_json(path)
    where = str(path)
    if member(content, "landmarks", list, where) != list(NAMES):
        raise UserError(f"{path}: 'landmarks' are not {', '.join(NAMES)}; make the file again")
    cameras = member(content, "cameras", dict, where)
    return {
        name: _array(cameras, name, (None, len(NAMES), 3), where) / (10, 10, 100)
        for name in cameras
    }


def _array(content: Any, key: str, shape: tuple[int | None, ...], where: str) -> np.ndarray:
    try:
        array = np.array(member(content, key, list, where), dtype=np.float64)
    except (TypeError, ValueError):
        raise UserError(f"{where}: '{key}' is no regular array of numbers") from None
    if len(array.shape) != len(shape) or any(
        wanted not in (None, found) for found, wanted in zip(array.shape, shape, strict=True)
    ):
        raise UserError(f"{where}: '{key}' has shape {array.shape}, expected {shape}")
    return array


def _rounded(values: np.ndarray) -> list:
    return np.round(values, 9).tolist()
