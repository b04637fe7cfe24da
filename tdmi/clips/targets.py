"""Joint positions to heatmaps and back.

Coordinates are heatmap pixels: the centre of the top left cell is (0, 0). The geometry of a crop
maps to them (`tdmi.clips.crops.PixelCentres.to_heatmap`).
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import get_args

import cv2
import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from tdmi.config.inference import Decoder
from tdmi.config.inputs import TargetCentre

DECODERS = get_args(Decoder)


def encode(
    points: np.ndarray,
    labelled: np.ndarray,
    size: tuple[int, int],
    sigma: float,
    centre: TargetCentre = "subpixel",
) -> tuple[np.ndarray, np.ndarray]:
    """Gaussian targets of peak 1, cut off at 3 sigma.

    Args:
        points: [N, J, 2] heatmap pixels (x, y).
        labelled: [N, J] bool, or the weight of each joint (official code has an option that gives
            elbows and knees 1.2, wrists and ankles 1.5); 0 is an empty map.
        size: (height, width) of the maps.
        sigma: standard deviation in heatmap pixels; the papers use 3 for 384x288 crops and 2 for
            256x192.
        centre: ``subpixel`` keeps the true position (choice of this project: unbiased);
            ``rounded`` moves it to the nearest cell, as the official implementations do.

    Returns:
        heatmaps [N, J, height, width] float32 in 0..1 and weights [N, J] float32: `labelled`, but 0
        where the patch lies outside the map.
    """
    height, width = size
    cell = np.trunc(points + 0.5)
    middle = cell if centre == "rounded" else points
    reach = int(3 * sigma)
    inside = ((cell - reach < (width, height)) & (cell + reach + 1 >= 0)).all(axis=2)
    weights = np.where(inside, labelled, 0).astype(np.float32)
    maps = np.zeros((*weights.shape, height, width), np.float32)
    drawn = np.flatnonzero(weights > 0)
    cell, middle = cell.reshape(-1, 2)[drawn], middle.reshape(-1, 2)[drawn]
    column, across = _profile(cell[:, 0], middle[:, 0], width, reach, sigma)
    row, down = _profile(cell[:, 1], middle[:, 1], height, reach, sigma)
    # Most of a map stays zero: only the rows of the patches are written, all of them in one go.
    runs = sliding_window_view(maps.reshape(-1), across.shape[1], writeable=True)
    first = (drawn * height + row) * width + column
    places = first[:, None] + width * np.arange(down.shape[1])
    runs[places] = np.einsum("ky,kx->kyx", down, across)
    return maps, weights


def _profile(
    cell: np.ndarray, middle: np.ndarray, length: int, reach: int, sigma: float
) -> tuple[np.ndarray, np.ndarray]:
    """A Gaussian along one axis of `length` cells: first cells [K] and values [K, n].

    All K patches have n cells of the axis: where a patch reaches over a border, it is moved inside
    and is zero beyond `reach` from its cell.
    """
    n = min(2 * reach + 1, length)
    first = np.clip(cell - reach, 0, length - n).astype(int)
    grid = first[:, None] + np.arange(n)
    values = np.exp(-((grid - middle[:, None]) ** 2) / (2 * sigma**2))
    values[np.abs(grid - cell[:, None]) > reach] = 0
    return first, values


def peaks(heatmaps: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Cell of the first maximum in row-major order [N, J, 2] (x, y) and its value [N, J].

    A map without a positive value gives (0, 0), as the official decoders do.
    """
    n, j, height, width = heatmaps.shape
    maps = heatmaps.reshape(n * j, height * width)
    index = maps.argmax(axis=1)
    values = maps[np.arange(n * j), index]
    cells = np.stack([index % width, index // width], axis=1).astype(np.float64)
    cells[values <= 0] = 0
    return cells.reshape(n, j, 2), values.reshape(n, j)


def decode(
    heatmaps: np.ndarray, method: Decoder = "dark", blur_kernel: int = 11, threads: int = 1
) -> tuple[np.ndarray, np.ndarray]:
    """Positions [N, J, 2] in heatmap pixels and confidences [N, J] (the maxima).

    Args:
        heatmaps: [N, J, h, w] float32.
        method: ``dark`` (Zhang et al., CVPR 2020: one Newton step on the log of the blurred map),
            ``quarter`` (a quarter cell toward the larger neighbour, as HRNet's code), ``argmax``.
        blur_kernel: side of DARK's Gaussian in cells, odd; 11 is its value for sigma 2.
        threads: share the samples; most of the time goes into reading the maps from memory.
    """
    if threads > 1 and len(heatmaps) > 1:
        with ThreadPoolExecutor(threads) as pool:
            shares = np.array_split(heatmaps, threads)
            found = list(pool.map(lambda share: decode(share, method, blur_kernel), shares))
        points, values = zip(*found, strict=True)
        return np.concatenate(points), np.concatenate(values)
    if method not in DECODERS:
        raise ValueError(f"decoder {method!r}: expected one of {', '.join(DECODERS)}")
    cells, values = peaks(heatmaps)
    if method == "quarter":
        return _quarter_offset(heatmaps, cells), values
    if method == "dark":
        return _newton_step(heatmaps, cells, values, blur_kernel), values
    return cells, values


def _quarter_offset(heatmaps: np.ndarray, cells: np.ndarray) -> np.ndarray:
    """Peaks that lie two cells inside move along each axis by the sign of the slope; others stay.

    One axis after the other, in flat arrays: three times as fast as rows of (x, y).
    """
    height, width = heatmaps.shape[2:]
    flat = heatmaps.reshape(-1)
    result = cells.copy()
    points = result.reshape(-1, 2)
    x, y = cells.reshape(-1, 2).T
    inner = np.flatnonzero((x > 1) & (x < width - 1) & (y > 1) & (y < height - 1))
    place = ((inner * height + y[inner]) * width + x[inner]).astype(int)
    for axis, step in enumerate((1, width)):
        slope = flat[place + step] - flat[place - step]
        points[inner, axis] += 0.25 * np.sign(slope)
    return result


def _newton_step(
    heatmaps: np.ndarray, cells: np.ndarray, values: np.ndarray, kernel: int
) -> np.ndarray:
    """DARK for peaks that lie two cells inside; others stay."""
    height, width = heatmaps.shape[2:]
    inner = ((cells >= 2) & (cells < (width - 2, height - 2))).all(axis=2)
    logs = np.log(_blurred_around(heatmaps, inner, cells[inner].astype(int), kernel, values[inner]))

    def at(dy: int, dx: int) -> np.ndarray:
        return logs[:, 2 + dy, 2 + dx]

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


def _blurred_around(
    heatmaps: np.ndarray, which: np.ndarray, cells: np.ndarray, kernel: int, values: np.ndarray
) -> np.ndarray:
    """Gaussian blur [K, 5, 5] around K cells of the maps chosen by `which` [N, J], all above zero.

    What DARK blurs a whole map for. Its rescaling to the map's maximum only matters for the floor
    that it puts under the logarithm, which is kept as long as no other place of the blurred map is
    higher than these. Zero outside the maps, as there.
    """
    axes = [_blur_weights(cells[:, a], heatmaps.shape[3 - a], kernel) for a in (0, 1)]
    (column, across), (row, down) = axes
    windows = sliding_window_view(heatmaps, (1, 1, down.shape[2], across.shape[2]))[..., 0, 0, :, :]
    patches = windows[(*np.nonzero(which), row, column)]
    blurred = down @ patches @ across.swapaxes(1, 2)
    highest = np.maximum(blurred.max(axis=(1, 2)), 1e-12)
    return np.maximum(blurred, (1e-10 * highest / values)[:, None, None])


def _blur_weights(cells: np.ndarray, length: int, kernel: int) -> tuple[np.ndarray, np.ndarray]:
    """First cells [K] of the stretches of an axis that matter, and weights [K, 5, n] which blur
    such a stretch at each cell -2 .. 2."""
    reach = kernel // 2
    n = min(kernel + 4, length)
    first = np.clip(cells - 2 - reach, 0, length - n)
    distance = first[:, None, None] + np.arange(n) - (cells[:, None] + np.arange(-2, 3))[..., None]
    gaussian = cv2.getGaussianKernel(kernel, 0)[:, 0]
    near = np.abs(distance) <= reach
    return first, np.where(near, gaussian[np.where(near, distance + reach, 0)], 0.0)


def flip_back(heatmaps: np.ndarray, flip_order: np.ndarray, shift: bool = False) -> np.ndarray:
    """Heatmaps [N, J, h, w] of a mirrored crop, mirrored back with left and right exchanged.

    Args:
        flip_order: [J], `Skeleton.flip_order`.
        shift: move the result right by one cell (column 0 stays), which corrects the bias of the
            official rounding convention; not wanted where pixel centres lie on whole numbers.
    """
    result = heatmaps[:, flip_order, :, ::-1].copy()
    if shift:
        result[..., 1:] = result[..., :-1].copy()
    return result
