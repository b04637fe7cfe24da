"""Filled polygons over time, from which everything in a scene is drawn."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

SHIFT = 4  # OpenCV's fractional bits: corners are in 1/16 px

# A thick limb's outline: stations along its axis, and the round ends between the two sides.
STATIONS = np.array([0.0, 1 / 3, 2 / 3, 1.0])
_CAP = np.radians([45.0, 90.0, 135.0])


@dataclass(frozen=True)
class Shape:
    """One polygon at S instants."""

    corners: np.ndarray  # [S, N, 2] int32, 1/16 px
    depth: np.ndarray  # [S] metres from the camera; the far ones are drawn first
    colour: np.ndarray  # [S, 3] blue, green, red, 0..255
    part: int = 0  # Number of the body part, from 1; 0 for decoration, which hides nothing
    shown: np.ndarray | None = None  # [S] bool; None: always
    hull: bool = False  # Whether the convex hull of the corners is meant, rather than the polygon

    def outline(self, instant: int) -> np.ndarray:
        corners = self.corners[instant]
        return cv2.convexHull(corners) if self.hull else corners


def unit_circle(corners: int) -> np.ndarray:
    """Corners [N, 2] of a round polygon of radius 1."""
    turn = np.linspace(0, 2 * np.pi, corners, endpoint=False)
    return np.stack([np.cos(turn), np.sin(turn)], axis=-1)


def make_shape(corners: np.ndarray, depth: np.ndarray, colour: np.ndarray, **options) -> Shape:
    """A shape from corners in px [S, N, 2], `colour` [3] or [S, 3] and the other fields."""
    fixed = np.rint(np.clip(corners, -2000, 2000) * (1 << SHIFT)).astype(np.int32)
    colours = np.clip(np.broadcast_to(colour, (len(corners), 3)), 0, 255)
    return Shape(fixed, depth, colours, **options)


def limb_outline(start: np.ndarray, end: np.ndarray, radii: np.ndarray) -> np.ndarray:
    """Outline [S, 14, 2] of a limb from px `start` to `end` [S, 2], px radii [S, 4] on the way."""
    axis = end - start
    along = axis / np.maximum(np.linalg.norm(axis, axis=-1, keepdims=True), 1e-6)
    along[np.abs(along).sum(-1) < 0.5] = (1.0, 0.0)
    across = np.stack([-along[:, 1], along[:, 0]], axis=-1)
    centres = start[:, None] + axis[:, None] * STATIONS[:, None]
    side = across[:, None] * radii[..., None]

    def cap(centre: np.ndarray, radius: np.ndarray, direction: np.ndarray) -> np.ndarray:
        turn = np.cos(_CAP)[:, None] * across[:, None] + np.sin(_CAP)[:, None] * direction[:, None]
        return centre[:, None] + radius[:, None, None] * turn

    far_end = cap(end, radii[:, -1], along)
    near_end = cap(start, radii[:, 0], -along)[:, ::-1]
    return np.concatenate([centres + side, far_end, (centres - side)[:, ::-1], near_end], axis=1)


def draw(
    image: np.ndarray, shapes: list[Shape], instant: int, number_from: int | None = None
) -> None:
    """Draw shapes onto a BGR image in place, far to near, anti-aliased.

    With `number_from`, draw part numbers plus that onto one channel instead, with hard edges.
    """
    shown = (s for s in shapes if s.shown is None or s.shown[instant])
    for shape in sorted(shown, key=lambda s: -s.depth[instant]):
        outline, colour = shape.outline(instant), shape.colour[instant].tolist()
        if number_from is not None:
            cv2.fillPoly(image, [outline], (number_from + shape.part,), cv2.LINE_8, SHIFT)
        elif shape.hull:
            cv2.fillConvexPoly(image, outline, colour, cv2.LINE_AA, SHIFT)
        else:
            cv2.fillPoly(image, [outline], colour, cv2.LINE_AA, SHIFT)
