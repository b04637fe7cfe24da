"""Occluders that stand or move in front of people: poles, boxes, boards, bushes, balls."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tdmi.datasets.mocap.camera import Camera
from tdmi.datasets.mocap.people import Colour, hsv
from tdmi.datasets.mocap.shapes import Shape, make_shape, unit_circle

STILL_KINDS = ("pole", "box", "board", "bush")
MOVING_KINDS = ("box", "board", "ball", "pole")
_CIRCLE = unit_circle(14)


@dataclass(frozen=True)
class Occluder:
    """One thing at S instants."""

    shapes: list[Shape]
    depth: np.ndarray  # [S] metres from the camera


def make_occluder(
    rng: np.random.Generator, camera: Camera, times: np.ndarray, place: np.ndarray, moving: bool
) -> Occluder:
    """A thing whose middle is at `place` [3] (world, on the floor) half way through `times` [S]."""
    kinds = MOVING_KINDS if moving else STILL_KINDS
    kind = kinds[rng.integers(len(kinds))]
    speed = rng.choice([-1.0, 1.0]) * rng.uniform(0.7, 2.2) if moving else 0.0
    origin = np.tile(place, (len(times), 1))
    origin[:, 0] += speed * (times - times.mean())
    if kind == "ball":
        rise = rng.uniform(0.6, 1.4)
        origin[:, 1] += rise - 4.9 * (times - times.mean()) ** 2
    shapes = []
    for layer, (corners, colour) in enumerate(_bush(rng) if kind == "bush" else _parts(rng, kind)):
        flat = np.concatenate([corners, np.zeros((len(corners), 1))], axis=1)
        seen = camera.to_camera(origin[:, None] + flat)
        depth = seen[..., 2].mean(1) - 0.001 * layer
        shapes.append(make_shape(camera.project(seen), depth, np.array(colour), part=1))
    return Occluder(shapes, camera.to_camera(origin)[:, 2])


_Parts = list[tuple[np.ndarray, Colour]]
"""Polygons [N, 2] (right and up in metres) with colours, the lower ones first."""


def _bush(rng: np.random.Generator) -> _Parts:
    wide, high = rng.uniform(0.25, 0.45), rng.uniform(0.5, 1.1)
    parts = []
    hue = rng.uniform(0.2, 0.36)
    for i in range(16):
        middle = np.array([rng.uniform(-wide, wide), rng.uniform(0.1, 0.9) * high])
        radius = rng.uniform(0.1, 0.2)
        ragged = _CIRCLE * radius * rng.uniform(0.75, 1.2, (len(_CIRCLE), 1))
        parts.append((middle + ragged, hsv(hue, rng.uniform(0.3, 0.5), 0.25 + 0.02 * i)))
    return parts


def _parts(rng: np.random.Generator, kind: str) -> _Parts:
    """Everything but a bush, in a dark, a middle and a light tone of one colour."""
    hue, saturation, value = rng.uniform(), rng.uniform(0.05, 0.5), rng.uniform(0.35, 0.7)
    dark, middle, light = (hsv(hue, saturation, value * part) for part in (0.6, 0.9, 1.2))
    if kind == "ball":
        radius = rng.uniform(0.11, 0.22)
        circle, up = radius * _CIRCLE, np.array([-0.25, 0.3]) * radius
        return [
            (circle, dark), (0.75 * circle + 0.8 * up, middle), (0.35 * circle + 1.4 * up, light)
        ]  # fmt: skip
    # Left, right, low and high edge of rectangles.
    edges: list[tuple[float, float, float, float, Colour]]
    if kind == "pole":
        half, high = rng.uniform(0.05, 0.13), rng.uniform(2.0, 3.5)
        edges = [
            (-half, half, 0, high, dark),
            (-0.8 * half, 0.5 * half, 0, high, middle),
            (-0.6 * half, -0.2 * half, 0, high, light),
        ]
    elif kind == "box":
        half, high = rng.uniform(0.2, 0.4), rng.uniform(0.4, 1.0)
        edges = [
            (-half, half, 0, high, dark),
            (-half, 0.75 * half, 0, 0.93 * high, middle),
            (-half, half, 0.93 * high, high, light),
        ]
        for row in range(rng.integers(1, 4)):
            low = high * (0.2 + 0.22 * row)
            edges.append((-0.9 * half, 0.65 * half, low, low + 0.04, dark))
    else:  # a board
        half, low, tall = rng.uniform(0.2, 0.38), rng.uniform(0.4, 1.0), rng.uniform(0.4, 0.7)
        edge = 0.04
        edges = [
            (-0.04, 0.04, 0, low, dark),
            (-half, half, low, low + tall, dark),
            (-half + edge, half - edge, low + edge, low + tall - edge, light),
            (-0.7 * half, 0.5 * half, low + 0.55 * tall, low + 0.7 * tall, middle),
            (-0.7 * half, 0.2 * half, low + 0.25 * tall, low + 0.4 * tall, middle),
        ]
    return [
        (np.array([[left, low], [right, low], [right, high], [left, high]]), colour)
        for left, right, low, high, colour in edges
    ]
