"""Muted, textured places: a floor in perspective and what stands behind it, as one wide picture.

The picture is that of a camera at rest with a wider view. The turned and zoomed camera sees a
homography of it, so the background moves exactly as the floor under the people does.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from tdmi.datasets.mocap.camera import Camera, intrinsics
from tdmi.datasets.mocap.people import hsv

_MARGIN = 0.16  # Extra view on each side, as a tangent: about 9 degrees for the moving camera
_SHARPNESS = 0.85  # Background px per frame px: slightly soft, as behind the plane of focus


@dataclass(frozen=True)
class Background:
    """The wide picture and the intrinsics of the camera that sees it."""

    picture: np.ndarray  # [H, W, 3] uint8 BGR
    intrinsics: np.ndarray

    def seen_by(self, camera: Camera, instant: int) -> np.ndarray:
        """The background [height, width, 3] at one instant of the camera."""
        turn = camera.rotation[instant].T @ np.linalg.inv(camera.intrinsics(instant))
        return cv2.warpPerspective(
            self.picture,
            self.intrinsics @ turn,
            (camera.width, camera.height),
            flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
            borderMode=cv2.BORDER_REFLECT,
        )


def make_background(rng: np.random.Generator, camera: Camera, wall: float) -> Background:
    """A place with its wall (or tree line) `wall` metres away."""
    focal = _SHARPNESS * float(camera.focal.mean())
    half_width = camera.width / 2 / camera.focal.mean() + _MARGIN
    half_height = camera.height / 2 / camera.focal.mean() + _MARGIN + 0.05
    width, height = int(2 * focal * half_width), int(2 * focal * half_height)
    across = (np.arange(width) - (width - 1) / 2) / focal
    down = (np.arange(height) - (height - 1) / 2) / focal
    edge = int(np.searchsorted(down, camera.eye_height / wall))
    outdoors = bool(rng.uniform() < 0.5)
    draw_back = _outdoors if outdoors else _indoors
    back = draw_back(rng, across, down[:edge], wall, camera.eye_height)
    floor = _floor(rng, across, down[edge:], camera.eye_height, outdoors)
    picture = np.concatenate([back, floor]).astype(np.float32)
    picture = np.clip(picture * (1 - 0.18 * np.abs(across)[None, :, None]), 0, 255)
    return Background(picture.astype(np.uint8), intrinsics(focal, width, height))


def noise(rng: np.random.Generator, size: tuple[int, int], cells: tuple[int, ...]) -> np.ndarray:
    """Smooth noise [height, width] of deviation about 1; `cells` are sizes in px."""
    height, width = size
    total = np.zeros(size, np.float32)
    for cell in cells:
        grid = rng.standard_normal((height // cell + 3, width // cell + 3)).astype(np.float32)
        total += cv2.resize(grid, (width, height), interpolation=cv2.INTER_CUBIC)
    return total / np.sqrt(len(cells))


def _muted(rng: np.random.Generator, low: float = 0.35, high: float = 0.75) -> np.ndarray:
    return np.array(hsv(rng.uniform(), rng.uniform(0.03, 0.22), rng.uniform(low, high)), np.float32)


def _floor(
    rng: np.random.Generator, across: np.ndarray, down: np.ndarray, eye: float, outdoors: bool
) -> np.ndarray:
    """Tiles, planks, grass or concrete, in perspective."""
    size = len(down), len(across)
    if outdoors and rng.uniform() < 0.5:
        colour = np.array(hsv(rng.uniform(0.2, 0.32), 0.3, rng.uniform(0.35, 0.55)), np.float32)
        return colour * (1 + 0.1 * noise(rng, size, (40, 12, 4, 2)))[..., None]
    colour = _muted(rng, 0.4, 0.7)
    depth = eye / np.maximum(down, 1e-3)[:, None]
    side = depth * across
    turn = rng.uniform(0, np.pi / 2)
    u = side * np.cos(turn) + depth * np.sin(turn)
    v = depth * np.cos(turn) - side * np.sin(turn)
    tile = rng.uniform(0.5, 1.1)
    style = rng.integers(3)
    if style == 0:
        pattern = np.sign(np.sin(np.pi * u / tile) * np.sin(np.pi * v / tile))
    elif style == 1:
        plank = np.floor(4 * u / tile)
        pattern = np.sin(plank * 12.9898) * 0.9 + 0.3 * np.sin(9 * v + plank)
    else:
        lines = np.minimum(np.mod(u / tile, 1), np.mod(v / tile, 1))
        pattern = np.where(lines < 0.04, -1.5, 0.0)
    # Far pattern is finer than a pixel: fade it out.
    pattern = pattern * np.clip(7.0 / depth, 0, 1) ** 2
    pattern = 0.07 * pattern + 0.035 * noise(rng, size, (60, 20, 3))
    return colour * (1 + pattern.astype(np.float32))[..., None]


def _indoors(
    rng: np.random.Generator, across: np.ndarray, down: np.ndarray, wall: float, eye: float
) -> np.ndarray:
    """A wall of bricks, panels or plaster with a skirting and some framed rectangles."""
    x, y = across * wall, eye - down * wall
    colour = _muted(rng, 0.45, 0.85)
    pattern = 0.04 * noise(rng, (len(down), len(across)), (80, 25, 4))
    style = rng.integers(3)
    if style == 0:
        row = np.floor(y / 0.45)[:, None]
        brick = x[None] / 1.1 + 0.5 * np.mod(row, 2)
        gap = (np.mod(y / 0.45, 1) < 0.14)[:, None] | (np.mod(brick, 1) < 0.06)
        shade = np.sin(np.floor(brick) * 7.1 + row * 3.7)
        pattern = pattern + 0.05 * shade + np.where(gap, 0.1, 0.0)
    elif style == 1:
        panel = x / rng.uniform(1.0, 2.5)
        pattern = pattern + np.where(np.mod(panel, 1) < 0.05, -0.14, 0.0)[None]
        pattern = pattern + 0.04 * np.sin(np.floor(panel) * 5)
    picture = colour * (1 + pattern.astype(np.float32))[..., None]
    dado = y < rng.uniform(0.3, 2.0)
    picture[dado] *= rng.uniform(0.75, 0.95)
    left = x[0]
    for _ in range(rng.integers(2, 7)):
        left += rng.uniform(0.5, 4.0)
        wide, low, tall = rng.uniform(0.8, 2.5), rng.uniform(0.0, 2.2), rng.uniform(0.9, 2.6)
        rows = np.flatnonzero((y > low) & (y < low + tall))
        columns = np.flatnonzero((x > left) & (x < left + wide))
        if len(rows) > 3 and len(columns) > 3:
            box = np.ix_(rows, columns)
            picture[box] = _muted(rng) * 0.8
            picture[np.ix_(rows[1:-1], columns[1:-1])] = _muted(rng, 0.35, 0.85)
        left += wide
    return picture


def _outdoors(
    rng: np.random.Generator, across: np.ndarray, down: np.ndarray, wall: float, eye: float
) -> np.ndarray:
    """Sky over trees, hedges or house fronts."""
    size = len(down), len(across)
    sky = np.array(hsv(0.58, rng.uniform(0.05, 0.25), rng.uniform(0.75, 0.95)), np.float32)
    picture = sky * (1 + 0.03 * noise(rng, size, (60, 25)))[..., None]
    y = (eye - down * wall)[:, None]
    base = rng.uniform(1.5, 5.0)
    for layer in range(2):
        line = base * (1.3 - 0.5 * layer) + 0.5 * noise(rng, (3, len(across)), (50, 14, 5))[1]
        if rng.uniform() < 0.5:
            line = np.repeat(line[::45], 45)[: len(across)]
            colour, rough = _muted(rng, 0.4, 0.75), 0.04
        else:
            tint = hsv(rng.uniform(0.2, 0.38), 0.3, rng.uniform(0.28, 0.5))
            colour, rough = np.array(tint, np.float32), 0.12
        texture = colour * (1 + rough * noise(rng, size, (30, 9, 4)))[..., None]
        picture = np.where((y < line)[..., None], texture, picture)
    return picture
