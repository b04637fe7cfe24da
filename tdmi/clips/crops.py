"""From a person's box to the crop that the network sees, and back.

Pixel centres lie on whole numbers, so the middle of a crop of width W is (W - 1) / 2, and a crop
pixel x of stride 4 is heatmap pixel (x + 0.5) / 4 - 0.5. The official code of HRNet and of what
builds on it takes W / 2 and x / 4: its crops lie half a pixel further right and below, its targets
three eighths of a cell, and mirrored maps do not fit (hence its `flip_shift`).
"""

from __future__ import annotations

import math

import cv2
import numpy as np

ENLARGEMENT = 1.25

GEOMETRIES = ("pixel_centres", "official")


def crop_regions(
    boxes: np.ndarray,
    aspect: float,
    enlargement: float = ENLARGEMENT,
    geometry: str = "pixel_centres",
) -> tuple[np.ndarray, np.ndarray]:
    """Centre [N, 2] and size [N, 2] (width, height) in frame pixels of the crop of each box.

    The shorter side is extended to the aspect ratio (width / height), then both sides are enlarged;
    1.25 is the factor of HRNet's, DCPose's and TDMI's code.

    Args:
        boxes: [N, 4] x, y, width, height in frame pixels.
        geometry: ``official`` does not enlarge a box whose centre has x = -1 exactly, which that
            code takes for a missing one.
    """
    centre = boxes[:, :2] + boxes[:, 2:] / 2
    width, height = boxes[:, 2], boxes[:, 3]
    size = np.stack([np.maximum(width, height * aspect), np.maximum(height, width / aspect)], 1)
    if geometry == "official":
        return centre, np.where(centre[:, :1] == -1, size, size * enlargement)
    return centre, size * enlargement


def crop_matrix(
    centre: np.ndarray,
    width: float,
    size: tuple[int, int],
    rotation: float = 0.0,
    flip: bool = False,
    geometry: str = "pixel_centres",
) -> np.ndarray:
    """Affine matrix [2, 3] from frame pixels to crop pixels.

    Args:
        centre: (x, y) of the region in frame pixels.
        width: width of the region in frame pixels; the scale is the same in both directions.
        size: (height, width) of the crop in pixels.
        rotation: degrees; positive turns the frame's content anticlockwise in the crop (the
            official code's sense).
        flip: mirror the crop left to right (after rotation).
        geometry: where the centre goes: ``pixel_centres`` to ((W - 1) / 2, (H - 1) / 2),
            ``official`` to (W / 2, H / 2).
    """
    scale = size[1] / width
    cos, sin = scale * np.cos(np.radians(rotation)), scale * np.sin(np.radians(rotation))
    linear = np.array([[cos, sin], [-sin, cos]])
    if flip:
        linear[0] = -linear[0]
    middle = np.array([size[1], size[0]]) / 2
    if geometry == "pixel_centres":
        middle -= 0.5
    return np.concatenate([linear, (middle - linear @ centre)[:, None]], axis=1)


def invert(matrices: np.ndarray) -> np.ndarray:
    """Inverse affine matrices, [..., 2, 3] to [..., 2, 3]."""
    linear = np.linalg.inv(matrices[..., :2])
    shift = -(linear @ matrices[..., 2:])
    return np.concatenate([linear, shift], axis=-1)


def transform(points: np.ndarray, matrices: np.ndarray) -> np.ndarray:
    """Apply affine matrices [..., 2, 3] to points [..., J, 2]."""
    return points @ np.swapaxes(matrices[..., :2], -1, -2) + matrices[..., None, :, 2]


def scale_of(matrix: np.ndarray) -> float:
    """Crop pixels per frame pixel of a matrix made by `crop_matrix`."""
    return float(np.hypot(matrix[0, 0], matrix[0, 1]))


def from_reduced(matrix: np.ndarray, reduction: int) -> np.ndarray:
    """The same crop of a frame that was made `reduction` times smaller, [2, 3].

    Each pixel of the smaller frame stands for a square of pixels, at the middle of them.
    """
    middle = np.full(2, (reduction - 1) / 2)
    shift = matrix[:, 2] + matrix[:, :2] @ middle
    return np.concatenate([matrix[:, :2] * reduction, shift[:, None]], axis=1)


def footprint(
    matrix: np.ndarray, size: tuple[int, int], frame: tuple[int, int]
) -> tuple[int, int, int, int]:
    """Left, top, right and bottom, the last two exclusive, of the frame pixels that a crop reads.

    With a margin of one pixel beyond what bilinear sampling needs, as far as the frame goes.

    Args:
        matrix: [2, 3] from frame pixels to crop pixels.
        size, frame: (height, width) of crop and frame in pixels.
    """
    (a, b, c), (d, e, f) = matrix.tolist()
    determinant = a * e - b * d
    # The crop's first pixel in the frame, and how far it is from there to the ends of its sides.
    x, y = (b * f - c * e) / determinant, (c * d - a * f) / determinant
    width, height = (size[1] - 1) / determinant, (size[0] - 1) / determinant
    across, down = (e * width, -d * width), (-b * height, a * height)
    left, right = x + min(across[0], 0) + min(down[0], 0), x + max(across[0], 0) + max(down[0], 0)
    top, bottom = y + min(across[1], 0) + min(down[1], 0), y + max(across[1], 0) + max(down[1], 0)
    return (
        max(math.floor(left) - 1, 0),
        max(math.floor(top) - 1, 0),
        min(math.ceil(right) + 2, frame[1]),
        min(math.ceil(bottom) + 2, frame[0]),
    )


def warp(
    image: np.ndarray, matrix: np.ndarray, size: tuple[int, int], out: np.ndarray | None = None
) -> np.ndarray:
    """Crop [h, w, 3] of a frame by bilinear sampling; outside the frame it is black.

    With `out`, a contiguous uint8 array of that shape, the crop is written there.
    """
    left, top, right, bottom = footprint(matrix, size, image.shape[:2])
    if left >= right or top >= bottom:
        left, top, right, bottom = 0, 0, 1, 1
    # What is read lies far apart in a large frame: with a copy of it, which the processor's cache
    # holds, this takes about three quarters of the time, and gives the same values.
    part = cv2.copyTo(image[top:bottom, left:right], None)
    shifted = matrix.copy()
    shifted[:, 2] += matrix[:, :2] @ (left, top)
    return cv2.warpAffine(part, shifted, (size[1], size[0]), dst=out, flags=cv2.INTER_LINEAR)
