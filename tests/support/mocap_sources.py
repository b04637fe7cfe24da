"""A made-up source folder for the mocap generator: own numbers, in the sources' file forms."""

import json

import numpy as np

from tdmi.core.files import write_json
from tdmi.datasets.mocap.families import FAMILIES, PYBULLET
from tdmi.datasets.mocap.motion import FRAME_NUMBERS, TURNS, WORLD_JOINTS, WORLD_ROWS


def frames_of(phase: float, count: int = 40) -> np.ndarray:
    """A figure that stands and swings arms and legs, [count, 44], 30 frames a second."""
    frames = np.zeros((count, FRAME_NUMBERS))
    time = np.arange(count) / 30
    frames[:, 0] = 1 / 30
    frames[:, 1] = 0.5 * time
    frames[:, 2] = 0.88
    for name, column in TURNS.items():
        swing = 0.5 * np.sin(6 * time + phase) * (-1 if name.startswith("left") else 1)
        if name.endswith(("knee", "elbow")):
            frames[:, column] = 0.3 * (1 + np.sin(6 * time)) * (1 if "elbow" in name else -1)
        else:
            moves = name.endswith(("hip", "shoulder"))
            frames[:, column] = np.cos(swing / 2) if moves else 1.0
            frames[:, column + 3] = np.sin(swing / 2) if moves else 0.0
    return frames


def world_joints(count: int = 150) -> np.ndarray:
    """A standing figure in the world form [count, 53, 3], z up, facing +x."""
    heights = {
        "pelvis": 0.9, "chest": 1.2, "neck": 1.45, "shoulder": 1.42, "elbow": 1.15, "wrist": 0.9,
        "hand": 0.82, "hip": 0.9, "knee": 0.5, "ankle": 0.08, "toe": 0.03,
    }  # fmt: skip
    joints = np.zeros((count, WORLD_JOINTS, 3))
    for name, row in WORLD_ROWS.items():
        side, _, joint = name.rpartition("_")
        wide = 0.18 if joint in ("shoulder", "elbow", "wrist", "hand") else 0.09
        joints[:, row, 1] = {"left": wide, "right": -wide}.get(side, 0.0)
        joints[:, row, 2] = heights[joint]
        joints[:, row, 0] = 0.14 if joint == "toe" else 0.0
    joints[:, 4] = (0.03, 0.0, 1.6)
    joints[:, :, 0] += np.arange(count)[:, None] * 0.005
    return joints


def make_sources(folder):
    """Write every clip that the families name under `folder`, which is returned."""
    for number, family in enumerate(FAMILIES):
        root = folder / family.source
        root.mkdir(parents=True, exist_ok=True)
        record = {"version": "0", "file": "none", "sha256": "0" * 64, "licence": "none"}
        write_json(root / "source.json", record)
        for clip in family.clips:
            if family.source == PYBULLET:
                text = json.dumps({"Loop": "wrap", "Frames": frames_of(number).tolist()})
                (root / f"{clip}.txt").write_text(text)
            else:
                np.save(root / f"{clip.strip('*')}.npy", world_joints().astype(np.float32))
    return folder
