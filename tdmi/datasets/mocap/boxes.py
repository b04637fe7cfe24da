"""Simulate a person detector: jittered boxes, misses, false boxes, informative scores.

It stands for a detector trained on this data set's own boxes; all methods get the same ones.
"""

from __future__ import annotations

import numpy as np

from tdmi.data import boxes
from tdmi.datasets.mocap.labels import Label
from tdmi.datasets.mocap.options import MocapOptions

HARDLY_SEEN_MISS_RATE = 0.7
"""Share of hardly visible and far people (those under ignore regions) that are missed."""
WELL_SEEN = 0.5


def simulate_boxes(
    rng: np.random.Generator, labels: list[Label], options: MocapOptions
) -> list[tuple[np.ndarray, float]]:
    """Boxes [4] (x, y, width, height, inside the frame) with scores in 0..1, of one frame."""
    found = []
    for label in labels:
        # Every draw is made for everyone, so that one miss does not change the others.
        lot, shift, size, luck = rng.uniform(), rng.normal(size=2), rng.normal(size=2), rng.normal()
        hidden = label.attributes["visible_fraction"] < WELL_SEEN
        missed = options.miss_rate_hidden if hidden else options.miss_rate
        if lot < (missed if label.labelled else HARDLY_SEEN_MISS_RATE):
            continue
        box = jittered(label.box, shift * options.box_jitter, size * options.box_jitter)
        box = clipped(box, options.width, options.height)
        true = clipped(label.box, options.width, options.height)
        found.append((box, score_of(overlap(box, true), label, luck)))
    for _ in range(rng.poisson(options.false_positives)):
        found.append(false_box(rng, labels, options))
    return found


def score_of(quality: float, label: Label, luck: float) -> float:
    """A score that rises with the box's overlap with the true one and with how much is visible."""
    visible = label.attributes["visible_fraction"]
    blurred = min(label.attributes["blur_px"] / 20 + label.attributes["defocus"] / 10, 0.3)
    score = (0.3 + 0.7 * quality) * (0.55 + 0.45 * visible) * (1 - 0.3 * blurred) + 0.06 * luck
    return round(float(np.clip(score, 0.05, 0.999)), 4)


def jittered(box: np.ndarray, shift: np.ndarray, log_size: np.ndarray) -> np.ndarray:
    """The box moved by `shift` of its sizes and resized by exp(`log_size`)."""
    size = box[2:] * np.exp(log_size)
    middle = box[:2] + box[2:] / 2 + shift * box[2:]
    return np.concatenate([middle - size / 2, size])


def clipped(box: np.ndarray, width: int, height: int) -> np.ndarray:
    """Return the part of a box inside the frame, in hundredths of a pixel."""
    return np.round(boxes.clip_to_frame(box, width, height), 2)


def overlap(first: np.ndarray, second: np.ndarray) -> float:
    """Intersection over union of two boxes (x, y, width, height)."""
    return float(boxes.overlap(first[None], second[None])[0, 0])


def false_box(
    rng: np.random.Generator, labels: list[Label], options: MocapOptions
) -> tuple[np.ndarray, float]:
    """A box around nobody or, half of the time, around a part of a person, with a low score."""
    score = round(float(0.05 + 0.5 * rng.beta(1.5, 4.0)), 4)
    if labels and rng.uniform() < 0.5:
        box = labels[rng.integers(len(labels))].box.copy()
        half = box[3] * rng.uniform(0.35, 0.55)
        box[1] += rng.choice([0.0, box[3] - half])
        box[3] = half
    else:
        height = rng.uniform(0.2, 0.6) * options.height
        width = height * rng.uniform(0.3, 0.7)
        corner = rng.uniform(size=2) * np.array([options.width - width, options.height - height])
        box = np.array([*corner, width, height])
    return clipped(box, options.width, options.height), score
