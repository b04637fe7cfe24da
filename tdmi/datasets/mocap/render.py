"""Draw a scene's frames and, for the labels, the body part that is visible at each pixel."""

from __future__ import annotations

from dataclasses import dataclass, replace

import cv2
import numpy as np

from tdmi.datasets.mocap.body import PARTS
from tdmi.datasets.mocap.kinematics import P
from tdmi.datasets.mocap.scene import Scene
from tdmi.datasets.mocap.shapes import SHIFT, Shape, draw, make_shape, unit_circle

FIRST_OCCLUDER = 200
PADDING = 64  # px around the frame in which whole silhouettes are counted
_NOISE = 2.0  # Standard deviation of the sensor noise, grey levels


@dataclass(frozen=True)
class Cover:
    """The visible parts and pixel counts of all people at a frame's labelled instant."""

    numbers: np.ndarray  # [height, width] uint8: 0 background, else `first_part(n)` + part number
    whole: np.ndarray  # [N] px of each whole silhouette, hidden or outside the frame as well
    inside: np.ndarray  # [N] px of it inside the frame, hidden as well
    seen: np.ndarray  # [N] px of it that are visible


def first_part(person: int) -> int:
    """Number before the first part of a person in `Cover.numbers`."""
    return person * (len(PARTS) + 1)


def render_frames(scene: Scene, rng: np.random.Generator) -> list[np.ndarray]:
    """All frames of the video, uint8 BGR; `rng` makes the sensor noise."""
    size = (scene.camera.height + 16, scene.camera.width + 16)
    grain = rng.normal(0.0, _NOISE, size)
    grain = np.rint(np.repeat(grain[..., None], 3, axis=2)).astype(np.int16)
    shadows = _shadows(scene)
    frames = []
    for i in range(len(scene.schedule.middle)):
        instants = np.flatnonzero(scene.schedule.frame == i)
        renders = [_draw_instant(scene, shadows, int(instant)) for instant in instants]
        # Sums of whole numbers, hence exact in any order.
        image = np.rint(np.sum(renders, axis=0, dtype=np.float32) / len(renders)).astype(np.uint8)
        if sigma := scene.schedule.defocus[i]:
            image = cv2.GaussianBlur(image, (0, 0), float(sigma))
        top, left = rng.integers(0, 16, 2)
        patch = grain[top : top + scene.camera.height, left : left + scene.camera.width]
        frames.append(np.clip(image + patch, 0, 255).astype(np.uint8))
    return frames


def _draw_instant(scene: Scene, shadows: list[Shape], instant: int) -> np.ndarray:
    image = scene.background.seen_by(scene.camera, instant)
    mask = np.zeros(image.shape[:2], np.uint8)
    for shadow in shadows:
        cv2.fillPoly(mask, [shadow.outline(instant)], (90,), cv2.LINE_AA, SHIFT)
    x, y, width, height = cv2.boundingRect(mask)
    if width:
        patch = image[y : y + height, x : x + width]
        keep = cv2.merge([255 - mask[y : y + height, x : x + width]] * 3)
        cv2.multiply(patch, keep, dst=patch, scale=1 / 255)
    for shapes, _, _ in _far_to_near(scene, instant):
        draw(image, shapes, instant)
    return image


def _shadows(scene: Scene) -> list[Shape]:
    """A soft dark patch on the floor under each person."""
    circle = np.insert(unit_circle(16), 1, 0.0, axis=1)
    shadows = []
    for person in scene.people:
        low, high = person.world.min(1), person.world.max(1)
        middle = (low + high) / 2 * np.array([1.0, 0.0, 1.0])
        half = np.maximum((high - low) / 2, 0.15) * np.array([0.8, 0.0, 0.8])
        ring = middle[:, None] + half[:, None] * circle
        seen = scene.camera.to_camera(ring)
        shadows.append(make_shape(scene.camera.project(seen), seen[..., 2].mean(1), np.zeros(3)))
    return shadows


def _far_to_near(scene: Scene, instant: int) -> list[tuple[list[Shape], int, int | None]]:
    """Shapes of everything with its first number and, if it is one, the person; far ones first."""
    things: list[tuple[float, list[Shape], int, int | None]] = [
        (person.points[instant, P["pelvis"], 2], person.shapes, first_part(n), n)
        for n, person in enumerate(scene.people)
    ]
    for n, occluder in enumerate(scene.occluders):
        things.append((occluder.depth[instant], occluder.shapes, FIRST_OCCLUDER + n, None))
    return [thing[1:] for thing in sorted(things, key=lambda thing: -thing[0])]


def cover_at(scene: Scene, instant: int) -> Cover:
    """Draw part numbers: each thing on its own to count it, then all over each other."""
    height, width = scene.camera.height, scene.camera.width
    inner = (slice(PADDING, PADDING + height), slice(PADDING, PADDING + width))
    numbers = np.zeros((height + 2 * PADDING, width + 2 * PADDING), np.uint8)
    whole, inside, seen = (np.zeros(len(scene.people), int) for _ in range(3))
    for shapes, first, person in _far_to_near(scene, instant):
        padded = [
            replace(shape, corners=shape.corners + (PADDING << SHIFT))
            for shape in shapes
            if shape.part
        ]
        if person is not None:
            own = np.zeros_like(numbers)
            draw(own, padded, instant, first)
            whole[person] = np.count_nonzero(own)
            inside[person] = np.count_nonzero(own[inner])
        draw(numbers, padded, instant, first)
    numbers = np.ascontiguousarray(numbers[inner])
    counts = np.bincount(numbers.ravel(), minlength=256)
    for person in range(len(scene.people)):
        start = first_part(person) + 1
        seen[person] = counts[start : start + len(PARTS)].sum()
    return Cover(numbers, whole, inside, seen)
