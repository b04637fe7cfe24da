"""Joint positions to heatmaps and back.

Coordinates are heatmap pixels: the centre of the top left cell is (0, 0). A crop of stride 4 maps
to them by `crop_to_heatmap`, without the half-cell bias that rounding conventions carry.
"""

from __future__ import annotations

import cv2
import numpy as np

DECODERS = ("dark", "quarter", "argmax")


def crop_to_heatmap(points: np.ndarray, stride: int = 4) -> np.ndarray:
    """Crop pixels to heatmap pixels, both with pixel centres on whole numbers."""
    return (points + 0.5) / stride - 0.5


def heatmap_to_crop(points: np.ndarray, stride: int = 4) -> np.ndarray:
    """Inverse of `crop_to_heatmap`."""
    return (points + 0.5) * stride - 0.5


def encode(
    points: np.ndarray,
    present: np.ndarray,
    size: tuple[int, int],
    sigma: float,
    centre: str = "subpixel",
) -> tuple[np.ndarray, np.ndarray]:
    """Gaussian targets of peak 1, cut off at 3 sigma.

    Args:
        points: [N, J, 2] heatmap pixels (x, y).
        present: [N, J] bool; absent joints get an empty map and weight 0.
        size: (height, width) of the maps.
        sigma: standard deviation in heatmap pixels; the papers use 3 for 384x288 crops and 2 for
            256x192.
        centre: ``subpixel`` keeps the true position (choice of this project: unbiased);
            ``rounded`` moves it to the nearest cell, as the official implementations do.

    Returns:
        heatmaps [N, J, height, width] float32 in 0..1 and weights [N, J] float32 (0 where the patch
        lies outside the map).
    """
    height, width = size
    cell = np.trunc(points + 0.5)
    middle = cell if centre == "rounded" else points
    reach = int(3 * sigma)
    inside = (
        (cell[..., 0] - reach < width)
        & (cell[..., 1] - reach < height)
        & (cell[..., 0] + reach + 1 >= 0)
        & (cell[..., 1] + reach + 1 >= 0)
    )
    weights = (present & inside).astype(np.float32)
    axes = []
    for axis, length in ((0, width), (1, height)):
        grid = np.arange(length, dtype=np.float64)
        profile = np.exp(-((grid - middle[..., axis, None]) ** 2) / (2 * sigma**2))
        profile[np.abs(grid - cell[..., axis, None]) > reach] = 0
        axes.append(profile)
    maps = axes[1][..., :, None] * axes[0][..., None, :] * weights[..., None, None]
    return maps.astype(np.float32), weights


def peaks(heatmaps: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Cell of the first maximum in row-major order [N, J, 2] (x, y) and its value [N, J].

    A map without a positive value gives (0, 0), as the official decoders do.
    """
    n, j, _, width = heatmaps.shape
    flat = heatmaps.reshape(n, j, -1)
    index = flat.argmax(axis=2)
    values = np.take_along_axis(flat, index[..., None], axis=2)[..., 0]
    cells = np.stack([index % width, index // width], axis=2).astype(np.float64)
    cells[values <= 0] = 0
    return cells, values


def decode(
    heatmaps: np.ndarray, method: str = "dark", blur_kernel: int = 11
) -> tuple[np.ndarray, np.ndarray]:
    """Positions [N, J, 2] in heatmap pixels and confidences [N, J] (the maxima).

    Args:
        heatmaps: [N, J, h, w] float32.
        method: ``dark`` (Zhang et al., CVPR 2020: one Newton step on the log of the blurred map),
            ``quarter`` (a quarter cell toward the larger neighbour, as HRNet's code), ``argmax``.
        blur_kernel: side of DARK's Gaussian in cells, odd; 11 is its value for sigma 2.
    """
    cells, values = peaks(heatmaps)
    if method == "quarter":
        return _quarter_offset(heatmaps, cells), values
    if method == "dark":
        return _newton_step(_blurred_log(heatmaps, blur_kernel), cells), values
    if method == "argmax":
        return cells, values
    raise ValueError(f"decoder {method!r}: expected one of {', '.join(DECODERS)}")


def _neighbourhood(maps: np.ndarray, cells: np.ndarray, margin: int):
    """Maps [M, h, w] and integer positions of those peaks that lie `margin` cells inside."""
    height, width = maps.shape[2:]
    x, y = cells[..., 0].astype(int), cells[..., 1].astype(int)
    inner = (x >= margin) & (x < width - margin) & (y >= margin) & (y < height - margin)
    return inner, maps[inner], x[inner], y[inner], np.arange(int(inner.sum()))


def _quarter_offset(heatmaps: np.ndarray, cells: np.ndarray) -> np.ndarray:
    height, width = heatmaps.shape[2:]
    inner = (cells > 1).all(axis=2) & (cells[..., 0] < width - 1) & (cells[..., 1] < height - 1)
    maps, x, y = heatmaps[inner], cells[inner][:, 0].astype(int), cells[inner][:, 1].astype(int)
    k = np.arange(len(maps))
    step = np.stack(
        [maps[k, y, x + 1] - maps[k, y, x - 1], maps[k, y + 1, x] - maps[k, y - 1, x]], axis=1
    )
    result = cells.copy()
    result[inner] += 0.25 * np.sign(step)
    return result


def _blurred_log(heatmaps: np.ndarray, kernel: int) -> np.ndarray:
    """Log of the maps after a Gaussian blur that keeps each map's maximum."""
    n, j, height, width = heatmaps.shape
    # OpenCV filters channels side by side: one call for all maps, with a zero border as DARK has.
    border = (kernel - 1) // 2
    stack = np.pad(
        heatmaps.reshape(n * j, height, width), ((0, 0), (border, border), (border, border))
    )
    blurred = np.stack([cv2.GaussianBlur(m, (kernel, kernel), 0) for m in stack])
    blurred = blurred[:, border : border + height, border : border + width]
    before = heatmaps.reshape(n * j, -1).max(axis=1)
    after = np.maximum(blurred.reshape(n * j, -1).max(axis=1), 1e-12)
    blurred = blurred * (before / after)[:, None, None]
    return np.log(np.maximum(blurred, 1e-10)).reshape(n, j, height, width)


def _newton_step(logs: np.ndarray, cells: np.ndarray) -> np.ndarray:
    inner, maps, x, y, k = _neighbourhood(logs, cells, margin=2)

    def at(dy: int, dx: int) -> np.ndarray:
        return maps[k, y + dy, x + dx].astype(np.float64)

    dx, dy = 0.5 * (at(0, 1) - at(0, -1)), 0.5 * (at(1, 0) - at(-1, 0))
    dxx = 0.25 * (at(0, 2) - 2 * at(0, 0) + at(0, -2))
    dyy = 0.25 * (at(2, 0) - 2 * at(0, 0) + at(-2, 0))
    dxy = 0.25 * (at(1, 1) - at(-1, 1) - at(1, -1) + at(-1, -1))
    determinant = dxx * dyy - dxy**2
    solvable = determinant != 0
    safe = np.where(solvable, determinant, 1.0)
    step = np.stack([dxy * dy - dyy * dx, dxy * dx - dxx * dy], axis=1) / safe[:, None]
    step[~solvable] = 0
    result = cells.copy()
    # Far from a Gaussian the quadratic model can jump anywhere: stay next to the peak.
    result[inner] += np.clip(step, -1.0, 1.0)
    return result


def flip_back(heatmaps: np.ndarray, flip_order: np.ndarray, shift: bool = False) -> np.ndarray:
    """Heatmaps [N, J, h, w] of a mirrored crop, mirrored back with left and right exchanged.

    Args:
        flip_order: [J], `Skeleton.flip_order`.
        shift: move the result right by one cell (column 0 stays), which corrects the bias of the
            official rounding convention; not wanted with `crop_to_heatmap`'s convention.
    """
    result = heatmaps[:, flip_order, :, ::-1].copy()
    if shift:
        result[..., 1:] = result[..., :-1].copy()
    return result
