"""Predicted people drawn over the frames of a video."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
from tqdm import tqdm

from tdmi.core.errors import UserError
from tdmi.core.files import replacing
from tdmi.data.annotations import Annotations
from tdmi.experiments.demo.source import Source

# Okabe and Ito's sky blue, orange and yellow (RGB): left, right and middle of the body. They stay
# apart for all common kinds of colour blindness; the dark rim keeps them apart from any ground.
COLOURS = {"left": (86, 180, 233), "right": (230, 159, 0)}
MIDDLE, RIM, BOX = (240, 228, 66), (20, 20, 20), (235, 235, 235)
SURE, FAINT = 0.6, 0.2
"""Scores of a joint: from SURE on it is a disc with full limbs, from FAINT on a ring with thin
ones, below it is not drawn."""
SHORT_SIDE = 480
"""Smaller frames are enlarged by a whole factor to at least this many pixels, with a long
side of at most `LONG_SIDE`."""
LONG_SIDE = 4096
"""Larger frames are made smaller, as players and MPEG-4 (8191) have limits (choice of this
project)."""
_BITS = 4  # OpenCV draws at fractions of 1/16 pixel


def draw_people(frame: np.ndarray, people: Annotations, rows: np.ndarray, factor: float) -> None:
    """Draw the persons `rows` of `people` in place onto `frame` [H, W, 3] RGB.

    Args:
        factor: pixels of `frame` for each pixel that coordinates count in.
    """
    for person in rows:
        box = people.box[person]
        width = int(np.clip(round(factor * max(box[2:]) / 120), 2, 6))
        first, last = _place(box[:2], factor), _place(box[:2] + box[2:], factor)
        cv2.rectangle(frame, first, last, BOX, 1, cv2.LINE_AA, _BITS)
        _draw_skeleton(frame, people, person, factor, width)


def _draw_skeleton(
    frame: np.ndarray, people: Annotations, person: int, factor: float, width: int
) -> None:
    skeleton, score = people.skeleton, people.joint_score[person]
    places = [_place(point, factor) for point in people.keypoints[person]]
    shown = people.present[person] & (score >= FAINT)
    for one, other in skeleton.limbs:
        a, b = skeleton.index(one), skeleton.index(other)
        if shown[a] and shown[b]:
            sure = min(score[a], score[b]) >= SURE
            line = (places[a], places[b])
            cv2.line(frame, *line, RIM, width + 2 if sure else width, cv2.LINE_AA, _BITS)
            inner = width if sure else max(1, width // 2)
            cv2.line(frame, *line, _colour(one, other), inner, cv2.LINE_AA, _BITS)
    for joint in np.flatnonzero(shown):
        name = skeleton.joints[joint]
        radius = (width + 1) << _BITS
        discs = [(radius + (1 << _BITS), RIM), (radius, _colour(name, name))]
        if score[joint] < SURE:
            discs.append((radius // 2, RIM))
        for size, colour in discs:
            cv2.circle(frame, places[joint], size, colour, -1, cv2.LINE_AA, _BITS)


def write_overlay(source: Source, people: Annotations, video: Path, poster: Path) -> None:
    """Write the overlay video (MPEG-4 in MP4) and, as a PNG, its frame with most to see.

    That is the frame in which the joint scores of all persons add up to most.
    """
    factor, size = overlay_size(source.size)
    resampling = cv2.INTER_CUBIC if factor >= 1 else cv2.INTER_AREA
    first = np.searchsorted(people.person_frame, np.arange(people.frames + 1))
    weight = np.bincount(
        people.person_frame,
        weights=np.where(people.present, people.joint_score, 0).sum(axis=1),
        minlength=people.frames,
    )
    best = int(np.argmax(weight))
    with replacing(video) as temporary:
        writer = cv2.VideoWriter(str(temporary), cv2.VideoWriter.fourcc(*"mp4v"), source.rate, size)
        if not writer.isOpened():
            raise UserError(
                f"{video}: OpenCV cannot write MPEG-4 of {size[0]}x{size[1]} pixels here; "
                "is the disk full, or OpenCV built without FFmpeg?"
            )
        for row in tqdm(range(people.frames), desc="draw", unit="frame", disable=None):
            frame = source.frames.read(people.frame_file[row])
            frame = cv2.resize(frame, size, interpolation=resampling)
            draw_people(frame, people, np.arange(first[row], first[row + 1]), factor)
            picture = cv2.cvtColor(frame, cv2.COLOR_RGB2BGR)
            writer.write(picture)
            if row == best:
                with replacing(poster) as file:
                    cv2.imwrite(str(file), picture)
        writer.release()


def overlay_size(frame: tuple[int, int]) -> tuple[float, tuple[int, int]]:
    """Pixels of the overlay for each of the frame, and its width and height."""
    whole = min(-(-SHORT_SIDE // min(frame)), LONG_SIDE // max(frame))
    factor = min(max(1, whole), LONG_SIDE / max(frame))
    return factor, (max(1, round(frame[0] * factor)), max(1, round(frame[1] * factor)))


def _place(point: np.ndarray, factor: float) -> tuple[int, int]:
    """Centre of a pixel in the enlarged frame, in OpenCV's fractions; kept near the picture."""
    enlarged = np.clip((point + 0.5) * factor - 0.5, -30_000, 30_000)
    x, y = np.rint(enlarged * (1 << _BITS))
    return int(x), int(y)


def _colour(one: str, other: str) -> tuple[int, int, int]:
    sides = {name.partition("_")[0] for name in (one, other)}
    return COLOURS.get(sides.pop(), MIDDLE) if len(sides) == 1 else MIDDLE
