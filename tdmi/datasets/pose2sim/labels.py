"""The committed pseudo-labels: joints in space, the cameras they were made with, detections.

They are pseudo-labels: no person drew them. The scripts in workflow/scripts/pose2sim made them;
`provenance.json` beside them says how, and how well they agree with what they were made from.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import zip_longest
from pathlib import Path
from typing import Any

import numpy as np

from tdmi.core.errors import UserError
from tdmi.core.files import read_json, write_json
from tdmi.data.records import Floats, member
from tdmi.data.skeletons import POSETRACK18
from tdmi.datasets.pose2sim.calibration import Camera
from tdmi.datasets.pose2sim.joints import NAMES

FOLDER = Path(__file__).parent
LABELS = FOLDER / "pseudo_labels.json"
DETECTIONS = FOLDER / "detections.json"
PROVENANCE = FOLDER / "provenance.json"

_ARRAYS = {"matrix": (3, 3), "distortion": (5,), "rotation": (3, 3), "translation": (3,)}
"""Columns of a camera, with their shapes."""
_UNITS = (10, 10, 100)
"""Detections are kept as tenths of a pixel and percent."""


@dataclass(frozen=True)
class PseudoLabels:
    """F frames of one person at `rate` frames a second."""

    joints: Floats
    """[F, 17, 3] metres, order of POSETRACK18 (ears too: the head box needs them)."""
    confidence: Floats
    """[F, 17] in [0, 1], mean weight of the views."""
    views: Floats
    """[F, 17] int, number of views that agree."""
    cameras: dict[str, Camera]
    """Corrected cameras, for the videos' own image size."""
    rate: float


def write_labels(labels: PseudoLabels, path: Path | str = LABELS) -> None:
    """Write millimetres, hundredths and nine digits: reading gives exactly the rounded values."""
    content = {
        "content": "pseudo-labels: joints in space from a pose model's detections in four views",
        "rate": labels.rate,
        "joints": list(POSETRACK18.joints),
        "cameras": {
            name: {"width": camera.width, "height": camera.height}
            | {key: np.round(getattr(camera, key), 9).tolist() for key in _ARRAYS}
            for name, camera in labels.cameras.items()
        },
        "millimetres": _whole(labels.joints * 1000),
        "confidence_percent": _whole(labels.confidence * 100),
        "views": _whole(labels.views),
    }
    write_json(path, content, indent=None)


def read_labels(path: Path | str = LABELS) -> PseudoLabels:
    """Read what `write_labels` wrote; UserError if it is not that."""
    content = read_json(path)
    where = str(path)
    if member(content, "joints", list, where) != list(POSETRACK18.joints):
        raise UserError(f"{path}: 'joints' are not the {len(POSETRACK18)} of PoseTrack18, in order")
    joints = _array(content, "millimetres", (None, len(POSETRACK18), 3), where) / 1000
    cameras = {}
    for name, fields in member(content, "cameras", dict, where).items():
        place = f"{where}: camera {name}"
        width, height = (member(fields, side, int, place) for side in ("width", "height"))
        arrays = [_array(fields, key, shape, place) for key, shape in _ARRAYS.items()]
        cameras[name] = Camera(name, width, height, *arrays)
    return PseudoLabels(
        joints=joints,
        confidence=_array(content, "confidence_percent", joints.shape[:2], where) / 100,
        views=_array(content, "views", joints.shape[:2], where).astype(int),
        cameras=cameras,
        rate=float(content.get("rate", np.nan)),
    )


def write_detections(detections: dict[str, Floats], path: Path | str = DETECTIONS) -> None:
    """Write detections [F, L, 3] by camera."""
    content = {
        "content": "what the pose model found in each view: x, y in tenths of a pixel, weight in %",
        "landmarks": list(NAMES),
        "cameras": {name: _whole(found * _UNITS) for name, found in detections.items()},
    }
    write_json(path, content, indent=None)


def read_detections(path: Path | str = DETECTIONS) -> dict[str, Floats]:
    """Return detections [F, L, 3] by camera: x, y in pixels of the video, weight in [0, 1]."""
    content = read_json(path)
    where = str(path)
    if member(content, "landmarks", list, where) != list(NAMES):
        raise UserError(f"{path}: 'landmarks' are not {', '.join(NAMES)}; make the file again")
    cameras = member(content, "cameras", dict, where)
    shape = (None, len(NAMES), 3)
    return {name: _array(cameras, name, shape, where) / _UNITS for name in cameras}


def _array(content: Any, key: str, shape: tuple[int | None, ...], where: str) -> Floats:
    try:
        array = np.array(member(content, key, list, where), dtype=np.float64)
    except (TypeError, ValueError):
        raise UserError(f"{where}: '{key}' is no regular array of numbers") from None
    pairs = zip_longest(array.shape, shape, fillvalue=-1)
    if any(wanted not in (None, found) for found, wanted in pairs):
        raise UserError(f"{where}: '{key}' has shape {array.shape}, expected {shape}")
    return array


def _whole(values: Floats) -> list[Any]:
    return np.rint(values).astype(int).tolist()  # type: ignore[no-any-return]
