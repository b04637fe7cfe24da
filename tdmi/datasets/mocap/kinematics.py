"""The stick figure behind every clip: its points, bones, and forward kinematics.

A pose is the position of `POINTS` [P, 3]. Positions, not rotations, are the common form because one
of the two sources has nothing else; bone lengths are put back by `retarget`.
"""

from __future__ import annotations

import numpy as np

SIDES = ("left", "right")
LIMB_POINTS = ("shoulder", "elbow", "wrist", "hand", "hip", "knee", "ankle", "toe")
POINTS = (
    *("pelvis", "chest", "neck", "head", "head_top", "nose"),
    *(f"{side}_{joint}" for joint in LIMB_POINTS for side in SIDES),
)
P = {name: i for i, name in enumerate(POINTS)}

# Offset of each point from its parent in metres, in the parent's axes at rest (x forward, y up,
# z right). Trunk, arms and legs are those of the humanoid model for which pybullet's clips were
# made; head, nose, hands and toes are proportions of an adult, chosen for this project.
OFFSETS: dict[str, tuple[str, tuple[float, float, float]]] = {
    "chest": ("pelvis", (0.0, 0.236151, 0.0)),
    "neck": ("chest", (0.0, 0.223894, 0.0)),
    "head": ("neck", (0.0, 0.175, 0.0)),
    "head_top": ("head", (0.0, 0.12, 0.0)),
    "nose": ("head", (0.108, -0.025, 0.0)),
}
for _side, _z in (("left", -1.0), ("right", 1.0)):
    OFFSETS |= {
        f"{_side}_shoulder": ("chest", (-0.02405, 0.2435, 0.18311 * _z)),
        f"{_side}_elbow": (f"{_side}_shoulder", (0.0, -0.274788, 0.0)),
        f"{_side}_wrist": (f"{_side}_elbow", (0.0, -0.258947, 0.0)),
        f"{_side}_hand": (f"{_side}_wrist", (0.0, -0.085, 0.0)),
        f"{_side}_hip": ("pelvis", (0.0, 0.0, 0.084887 * _z)),
        f"{_side}_knee": (f"{_side}_hip", (0.0, -0.421546, 0.0)),
        f"{_side}_ankle": (f"{_side}_knee", (0.0, -0.40987, 0.0)),
        f"{_side}_toe": (f"{_side}_ankle", (0.14, -0.035, 0.0)),
    }
LENGTHS = {child: float(np.linalg.norm(offset)) for child, (_, offset) in OFFSETS.items()}

# Mirrored pose: left and right change places and z changes its sign.
MIRROR = np.array([i ^ 1 if "_" in name and name != "head_top" else i for name, i in P.items()])


def matrices(rows: list[list[np.ndarray]]) -> np.ndarray:
    """Matrices [..., I, J] of I rows of J entries [...]."""
    return np.stack([np.stack(row, axis=-1) for row in rows], axis=-2)


def rotation_matrices(quaternions: np.ndarray) -> np.ndarray:
    """Rotation matrices [..., 3, 3] of quaternions [..., 4] (w, x, y, z), normalised first."""
    q = quaternions / np.linalg.norm(quaternions, axis=-1, keepdims=True)
    w, x, y, z = np.moveaxis(q, -1, 0)
    return matrices(
        [
            [1 - 2 * (y * y + z * z), 2 * (x * y - w * z), 2 * (x * z + w * y)],
            [2 * (x * y + w * z), 1 - 2 * (x * x + z * z), 2 * (y * z - w * x)],
            [2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y)],
        ]
    )


def about_z(angles: np.ndarray) -> np.ndarray:
    """Quaternions [..., 4] of rotations about z."""
    zero = np.zeros_like(angles)
    return np.stack([np.cos(angles / 2), zero, zero, np.sin(angles / 2)], axis=-1)


def forward_kinematics(root: np.ndarray, turns: dict[str, np.ndarray]) -> np.ndarray:
    """Points [F, P, 3] from root positions [F, 3] and quaternions [F, 4] per turning point.

    `turns` are relative to the parent; a point without an entry is rigid with its parent.
    """
    rotation = {"pelvis": rotation_matrices(turns["pelvis"])}
    points = np.empty((len(root), len(POINTS), 3))
    points[:, P["pelvis"]] = root
    for child, (parent, offset) in OFFSETS.items():
        points[:, P[child]] = points[:, P[parent]] + rotation[parent] @ np.array(offset)
        rotation[child] = rotation[parent]
        if child in turns:
            rotation[child] = rotation[parent] @ rotation_matrices(turns[child])
    return points


def mirror(points: np.ndarray) -> np.ndarray:
    """Return points [..., P, 3] with left and right exchanged and z negated."""
    return points[..., MIRROR, :] * np.array([1.0, 1.0, -1.0])


def unit(vectors: np.ndarray) -> np.ndarray:
    """Vectors of length 1 along the last axis; zero vectors stay zero."""
    return vectors / np.maximum(np.linalg.norm(vectors, axis=-1, keepdims=True), 1e-9)


def retarget(points: np.ndarray, scale: dict[str, float]) -> np.ndarray:
    """The same bone directions with bones of `LENGTHS[child] * scale[child]`, [..., P, 3].

    The pelvis is scaled about the floor with the legs, so that standing feet stay on it.
    """
    result = np.empty_like(points)
    result[..., P["pelvis"], :] = points[..., P["pelvis"], :] * scale["left_knee"]
    for child, (parent, _) in OFFSETS.items():
        direction = unit(points[..., P[child], :] - points[..., P[parent], :])
        length = LENGTHS[child] * scale[child]
        result[..., P[child], :] = result[..., P[parent], :] + length * direction
    return result


def torso_axes(points: np.ndarray) -> np.ndarray:
    """Axes [..., 3, 3] of the upper trunk; columns are forward, up, right."""
    up = unit(points[..., P["neck"], :] - points[..., P["pelvis"], :])
    right = points[..., P["right_shoulder"], :] - points[..., P["left_shoulder"], :]
    right = unit(right - (right * up).sum(-1, keepdims=True) * up)
    return np.stack([np.cross(up, right), up, right], axis=-1)


def replace_arms(points: np.ndarray, other: np.ndarray) -> np.ndarray:
    """`points` [F, P, 3] with arm directions of `other` [F, P, 3], relative to the trunk."""
    result = points.copy()
    turn = torso_axes(points) @ np.swapaxes(torso_axes(other), -1, -2)
    for side in SIDES:
        for near, far in (("shoulder", "elbow"), ("elbow", "wrist"), ("wrist", "hand")):
            parent, child = P[f"{side}_{near}"], P[f"{side}_{far}"]
            bone = turn @ (other[:, child] - other[:, parent])[..., None]
            result[:, child] = result[:, parent] + bone[..., 0]
    return result
