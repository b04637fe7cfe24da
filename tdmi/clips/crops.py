"""From a person's box to the crop that the network sees, and back.

In the geometry ``pixel_centres`` pixel centres lie on whole numbers: the middle of a crop of width
W is (W - 1) / 2, and a crop pixel x of stride 4 is heatmap pixel (x + 0.5) / 4 - 0.5. ``official``,
the code of HRNet and of what builds on it, takes W / 2 and x / 4. Its crops lie half a pixel
further right and below, its targets three eighths of a cell, and mirrored maps do not fit (hence
`flip_shift`).
"""

from __future__ import annotations

import math

import cv2
import numpy as np
import torch

from tdmi.config.inputs import Crop

# ImageNet statistics of RGB values in 0..255.
MEAN = (123.675, 116.28, 103.53)
DEVIATION = (58.395, 57.12, 57.375)


class PixelCentres:
    """Geometry in which the outer borders of frame, crop and heatmap agree.

    Sizes are (height, width), points [..., 2] (x, y) in pixels.
    """

    def middle(self, size: tuple[int, int]) -> np.ndarray:
        """Place of a region's centre in its crop."""
        return np.array([size[1], size[0]]) / 2 - 0.5

    def enlarge(self, centre: np.ndarray, size: np.ndarray, factor: float) -> np.ndarray:
        """Sizes [N, 2] of the crops of regions with these centres [N, 2] and sizes [N, 2]."""
        return size * factor

    def to_heatmap(self, points: np.ndarray, stride: int = 4) -> np.ndarray:
        """Crop pixels to heatmap pixels."""
        return (points + 0.5) / stride - 0.5

    def to_crop(self, points: np.ndarray, stride: int = 4) -> np.ndarray:
        """Heatmap pixels to crop pixels."""
        return (points + 0.5) * stride - 0.5

    def bounds(self, size: tuple[int, int]) -> tuple[float, tuple[float, float]]:
        """Least x and y, and largest x and largest y, of points inside a crop."""
        return -0.5, (size[1] - 0.5, size[0] - 0.5)


class Official(PixelCentres):
    """Geometry of HRNet's code; a box whose centre has x = -1 exactly counts as missing there and
    is not enlarged."""

    def middle(self, size: tuple[int, int]) -> np.ndarray:
        return np.array([size[1], size[0]]) / 2

    def enlarge(self, centre: np.ndarray, size: np.ndarray, factor: float) -> np.ndarray:
        return np.where(centre[:, :1] == -1, size, size * factor)

    def to_heatmap(self, points: np.ndarray, stride: int = 4) -> np.ndarray:
        return points / stride

    def to_crop(self, points: np.ndarray, stride: int = 4) -> np.ndarray:
        return points * stride

    def bounds(self, size: tuple[int, int]) -> tuple[float, tuple[float, float]]:
        return 0.0, (size[1], size[0])


PIXEL_CENTRES, OFFICIAL = PixelCentres(), Official()


def geometry_of(crop: Crop) -> PixelCentres:
    """Geometry that the options of a crop name."""
    return OFFICIAL if crop.geometry == "official" else PIXEL_CENTRES


def crop_regions(boxes: np.ndarray, crop: Crop) -> tuple[np.ndarray, np.ndarray]:
    """Centre [N, 2] and size [N, 2] (width, height) in frame pixels of the crop of each box.

    The shorter side is extended to the crop's aspect ratio, then both sides are enlarged by
    `crop.box_enlargement`; 1.25 is the factor of HRNet's, DCPose's and TDMI's code.

    Args:
        boxes: [N, 4] x, y, width, height in frame pixels.
    """
    centre = boxes[:, :2] + boxes[:, 2:] / 2
    width, height = boxes[:, 2], boxes[:, 3]
    size = np.stack(
        [np.maximum(width, height * crop.aspect), np.maximum(height, width / crop.aspect)], 1
    )
    return centre, geometry_of(crop).enlarge(centre, size, crop.box_enlargement)


def crop_matrix(
    centre: np.ndarray,
    width: float,
    size: tuple[int, int],
    rotation: float = 0.0,
    flip: bool = False,
    geometry: PixelCentres = PIXEL_CENTRES,
) -> np.ndarray:
    """Affine matrix [2, 3] from frame pixels to crop pixels.

    Args:
        centre: (x, y) of the region in frame pixels.
        width: width of the region in frame pixels; the scale is the same in both directions.
        size: (height, width) of the crop in pixels.
        rotation: degrees; positive turns the frame's content anticlockwise in the crop (the
            official code's sense).
        flip: mirror the crop left to right (after rotation).
        geometry: decides where the centre goes.
    """
    scale = size[1] / width
    cos, sin = scale * np.cos(np.radians(rotation)), scale * np.sin(np.radians(rotation))
    linear = np.array([[cos, sin], [-sin, cos]])
    if flip:
        linear[0] = -linear[0]
    return np.concatenate([linear, (geometry.middle(size) - linear @ centre)[:, None]], axis=1)


def crop_matrices(boxes: np.ndarray, crop: Crop) -> np.ndarray:
    """[N, 2, 3] from frame pixels to those of each box's crop, neither turned nor moved."""
    centres, sizes = crop_regions(boxes, crop)
    matrices = [
        crop_matrix(centre, width, crop.size, geometry=geometry_of(crop))
        for centre, width in zip(centres, sizes[:, 0], strict=True)
    ]
    return np.array(matrices).reshape(-1, 2, 3)


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
    left, top, right, bottom = footprint(matrix, size, (image.shape[0], image.shape[1]))
    if left >= right or top >= bottom:
        left, top, right, bottom = 0, 0, 1, 1
    # What is read lies far apart in a large frame: with a copy of it, which the processor's cache
    # holds, this takes about three quarters of the time, and gives the same values.
    part = image[top:bottom, left:right].copy()
    shifted = matrix.copy()
    shifted[:, 2] += matrix[:, :2] @ (left, top)
    return cv2.warpAffine(part, shifted, (size[1], size[0]), dst=out, flags=cv2.INTER_LINEAR)


def normalise(
    frames: np.ndarray | torch.Tensor, device: torch.device | str = "cpu"
) -> torch.Tensor:
    """uint8 RGB [..., h, w, 3] to normalised float32 [..., 3, h, w] (channels last in memory)."""
    tensor = torch.as_tensor(frames).to(device, non_blocking=True).movedim(-1, -3).float()
    mean = torch.tensor(MEAN, device=tensor.device)[:, None, None]
    deviation = torch.tensor(DEVIATION, device=tensor.device)[:, None, None]
    return (tensor - mean) / deviation
