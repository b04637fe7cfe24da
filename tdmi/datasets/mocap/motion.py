"""Read motion capture clips into one form: points over time at a fixed rate."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from tdmi.core.errors import UserError
from tdmi.datasets.mocap.kinematics import POINTS, P, about_z, forward_kinematics, unit

RATE = 120.0  # Frames a second of every clip in memory; the higher of the two sources' rates

FRAME_NUMBERS = 44
# Position of each turn in a frame of pybullet's humanoid files: after duration and root position,
# quaternions w, x, y, z, or one angle about z for knees and elbows.
TURNS = {
    "pelvis": 4, "chest": 8, "neck": 12, "right_hip": 16, "right_knee": 20, "right_ankle": 21,
    "right_shoulder": 25, "right_elbow": 29, "left_hip": 30, "left_knee": 34, "left_ankle": 35,
    "left_shoulder": 39, "left_elbow": 43,
}  # fmt: skip
HINGES = {"right_knee", "right_elbow", "left_knee", "left_elbow"}

# Rows of holosoma's 53 joints (its MOCAP_DEMO_JOINTS) that stand for our points.
WORLD_JOINTS = 53
WORLD_ROWS = {
    "pelvis": 0, "chest": 2, "neck": 3, "left_shoulder": 6, "left_elbow": 7, "left_wrist": 8,
    "left_hand": 15, "right_shoulder": 25, "right_elbow": 26, "right_wrist": 27, "right_hand": 34,
    "left_hip": 43, "left_knee": 44, "left_ankle": 45, "left_toe": 46, "right_hip": 47,
    "right_knee": 48, "right_ankle": 49, "right_toe": 50,
}  # fmt: skip
WORLD_HEAD = 4


@dataclass(frozen=True)
class Clip:
    """One recorded motion."""

    name: str
    points: np.ndarray
    """[F, P, 3] metres at `RATE`, y up, floor at y = 0 (or lower than the feet, see `grounded`)."""
    grounded: bool
    """Whether y = 0 is the floor; else the lowest point of the part in use stands on it."""

    @property
    def seconds(self) -> float:
        return (len(self.points) - 1) / RATE

    def at(self, seconds: np.ndarray) -> np.ndarray:
        """Points [S, P, 3] at times [S], linear between frames, back and forth beyond the end."""
        last = len(self.points) - 1
        position = np.abs(np.mod(seconds * RATE + last, 2 * last) - last)
        low = np.minimum(position.astype(int), last - 1)
        part = (position - low)[:, None, None]
        return self.points[low] * (1 - part) + self.points[low + 1] * part


def _numbers(path: Path, read: Callable[[], object], shape: tuple[int, ...]) -> np.ndarray:
    """The numbers [F, *shape] that `read` gives; UserError if it cannot or they are none such."""
    try:
        numbers = np.array(read(), dtype=float)
    except (OSError, ValueError, KeyError, TypeError, EOFError) as error:
        raise UserError(f"{path}: no motion clip ({error!r}); fetch the source again") from None
    if numbers.shape[1:] != shape or len(numbers) < 2:
        wanted = ", ".join(map(str, shape))
        raise UserError(f"{path}: found {numbers.shape}, expected [2 or more, {wanted}]")
    return numbers


def read_pybullet(path: Path) -> Clip:
    """A `humanoid3d` or `walker` clip of pybullet; UserError if it is no such file."""
    frames = _numbers(path, lambda: json.loads(path.read_text())["Frames"], (FRAME_NUMBERS,))
    starts = np.concatenate([[0.0], np.cumsum(frames[:-1, 0])])
    times = np.arange(0.0, starts[-1], 1 / RATE)

    def resampled(columns: np.ndarray) -> np.ndarray:
        return np.stack([np.interp(times, starts, column) for column in columns.T], axis=-1)

    turns = {}
    for name, column in TURNS.items():
        if name in HINGES:
            turns[name] = about_z(np.interp(times, starts, frames[:, column]))
        else:  # quaternions, linear between neighbours on the same hemisphere
            turn = frames[:, column : column + 4]
            flips = np.where((turn[1:] * turn[:-1]).sum(axis=1) < 0, -1.0, 1.0)
            turns[name] = resampled(turn * np.cumprod([1.0, *flips])[:, None])
    root = resampled(frames[:, 1:4])
    return Clip(path.stem, forward_kinematics(root, turns), grounded=True)


def read_world_positions(path: Path) -> Clip:
    """A clip of holosoma-retargeting: world positions [F, 53, 3], z up, 120 frames a second.

    The head's direction is not recorded: the face is turned where the trunk is.
    """
    joints = _numbers(path, lambda: np.load(path, allow_pickle=False), (WORLD_JOINTS, 3))
    joints = joints[..., [0, 2, 1]] * np.array([1.0, 1.0, -1.0])
    points = np.zeros((len(joints), len(POINTS), 3))
    for name, row in WORLD_ROWS.items():
        points[:, P[name]] = joints[:, row]
    _add_head(points, joints[:, WORLD_HEAD])
    return Clip(path.stem, points, grounded=False)


def _add_head(points: np.ndarray, head: np.ndarray) -> None:
    """Fill head, head_top and nose of `points` from neck and skull base [F, 3]."""
    neck = points[:, P["neck"]]
    across = points[:, P["right_shoulder"]] - points[:, P["left_shoulder"]]
    lean = unit(head - neck)
    forward = unit(np.cross(lean, across))
    # The bone from neck to skull leans forward in an upright head by about a quarter.
    up = unit(lean - 0.25 * forward)
    forward = unit(np.cross(up, across))
    points[:, P["head"]] = neck + lean
    points[:, P["head_top"]] = points[:, P["head"]] + up
    points[:, P["nose"]] = points[:, P["head"]] + 0.97 * forward - 0.23 * up
