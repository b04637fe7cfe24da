"""Read a Qualisys calibration file; project points into its cameras and back to rays.

World coordinates are metres, z up. Image coordinates are pixels with the centre of the top left
pixel at (0, 0).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from xml.etree.ElementTree import Element

import cv2
import numpy as np

from tdmi.core.errors import UserError
from tdmi.core.files import read_xml
from tdmi.data.records import Floats

# The file counts sensor positions in 64ths of a pixel and lengths in millimetres.
SUBPIXELS = 64.0
MILLIMETRES = 1000.0
# The file's camera looks along -z with y up; ours along +z with y down.
_AXES = np.diag([1.0, -1.0, -1.0])

_ROTATION = [f"r{row}{column}" for row in (1, 2, 3) for column in (1, 2, 3)]
_POSITION = ["x", "y", "z"]
_INTRINSIC = [
    "focalLengthU", "focalLengthV", "centerPointU", "centerPointV", "radialDistortion1",
    "radialDistortion2", "tangentalDistortion1", "tangentalDistortion2", "radialDistortion3",
    "sensorMaxU", "sensorMaxV",
]  # fmt: skip


@dataclass(frozen=True)
class Camera:
    """A pinhole camera with the five-number distortion of OpenCV (k1, k2, p1, p2, k3)."""

    name: str
    width: int
    height: int
    matrix: Floats
    """[3, 3] pixels."""
    distortion: Floats
    """[5], no unit."""
    rotation: Floats
    """[3, 3], world to camera (x right, y down, z forward)."""
    translation: Floats
    """[3] metres, so that camera = rotation @ world + translation."""

    def to_camera(self, points: Floats) -> Floats:
        """Return world points [..., 3] in metres in the camera's axes."""
        return points @ self.rotation.T + self.translation

    def project(self, points: Floats) -> Floats:
        """Return pixels [..., 2] of world points [..., 3] in metres; NaN stays NaN.

        Source: Brown's lens model in the form of the OpenCV manual (camera calibration).
        """
        local = self.to_camera(points)
        x, y = local[..., 0] / local[..., 2], local[..., 1] / local[..., 2]
        k1, k2, p1, p2, k3 = self.distortion
        square = x * x + y * y
        radial = 1 + square * (k1 + square * (k2 + square * k3))
        bent_x = x * radial + 2 * p1 * x * y + p2 * (square + 2 * x * x)
        bent_y = y * radial + p1 * (square + 2 * y * y) + 2 * p2 * x * y
        (fx, _, cx), (_, fy, cy) = self.matrix[:2]
        return np.stack([fx * bent_x + cx, fy * bent_y + cy], axis=-1)

    def undistort(self, pixels: Floats) -> Floats:
        """Return x / z and y / z, in the camera's axes, of the rays of pixels [..., 2]."""
        flat = np.ascontiguousarray(pixels, dtype=np.float64).reshape(-1, 1, 2)
        stop = (cv2.TERM_CRITERIA_COUNT | cv2.TERM_CRITERIA_EPS, 100, 1e-14)
        # OpenCV's stubs do not allow None for "no further transformation", its function does.
        rays = cv2.undistortPointsIter(flat, self.matrix, self.distortion, None, None, stop)  # type: ignore[call-overload]
        return rays.reshape(np.shape(pixels))

    def scaled_to(self, width: int, height: int) -> Camera:
        """Return the camera for images scaled to fit inside width x height and centred.

        Two of the published videos are 1080 px wide while their calibration is 1088 px wide; they
        were shrunk with their aspect kept and padded above and below, which point matches against
        the unscaled calibration pictures confirm (scale 1.0074 and -7.2 px; expected 1.0074, -7.1).
        """
        scale = min(width / self.width, height / self.height)
        margin = np.array([width - scale * self.width, height - scale * self.height]) / 2
        matrix = self.matrix.copy()
        matrix[:2] *= scale
        # (p + 0.5) is what scales, because integer coordinates are pixel centres.
        matrix[:2, 2] += 0.5 * scale - 0.5 + margin
        return replace(self, width=width, height=height, matrix=matrix)


def read_calibration(path: Path | str) -> dict[str, Camera]:
    """Read cameras by name from a ``.qca.txt`` file (XML), in the file's order.

    Convention: the file's r_ij maps world axes to a camera that looks along -z with y up, and
    x, y, z is the camera's place. Raises UserError for a file that is missing, no XML, or lacks a
    number.
    """
    cameras = [_camera(node, path) for node in read_xml(path).iter("camera")]
    if not cameras:
        raise UserError(f"{path}: no <camera>; expected a Qualisys calibration")
    return {camera.name: camera for camera in cameras}


def _camera(node: Element, path: Path | str) -> Camera:
    name = node.get("serial", "?")
    where = f"{path}: camera {name}"
    outer = _numbers(node, "transform", _ROTATION + _POSITION, where)
    inner = _numbers(node, "intrinsic", _INTRINSIC, where)
    rotation = _AXES @ outer[:9].reshape(3, 3)
    if not np.allclose(rotation @ rotation.T, np.eye(3), atol=1e-4):
        raise UserError(f"{where}: r11..r33 is no rotation; expected orthonormal rows")
    focal_u, focal_v, centre_u, centre_v = inner[:4] / SUBPIXELS
    # sensorMax is the last pixel.
    width, height = (round(last) + 1 for last in (inner[9:] / SUBPIXELS).tolist())
    return Camera(
        name=name,
        width=width,
        height=height,
        matrix=np.array([[focal_u, 0, centre_u], [0, focal_v, centre_v], [0, 0, 1]]),
        distortion=inner[4:9],
        rotation=rotation,
        translation=-rotation @ (outer[9:] / MILLIMETRES),
    )


def _numbers(node: Element, tag: str, keys: list[str], where: str) -> Floats:
    child = node.find(tag)
    try:
        return np.array([float(child.attrib[key] if child is not None else "") for key in keys])
    except (KeyError, ValueError) as error:
        raise UserError(
            f"{where}: <{tag}> needs numbers {' '.join(keys)} (problem: {error})"
        ) from None
