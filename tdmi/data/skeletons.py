"""Joint sets: names, order, flip pairs, limbs, sigmas, and the mappings between them.

Orders are those of the data sets' own files. PoseTrack18/21 files have 17 slots; the two ear
slots carry no labels, and evaluation uses the 15 joints of PoseTrack17.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Skeleton:
    """A named, ordered set of joints."""

    name: str
    joints: tuple[str, ...]
    limbs: tuple[tuple[str, str], ...]

    def __len__(self) -> int:
        return len(self.joints)

    def index(self, joint: str) -> int:
        return self.joints.index(joint)

    @property
    def flip_pairs(self) -> tuple[tuple[int, int], ...]:
        """Index pairs (left, right) that change places when an image is mirrored."""
        return tuple(
            (i, self.joints.index("right_" + joint.removeprefix("left_")))
            for i, joint in enumerate(self.joints)
            if joint.startswith("left_")
        )

    @property
    def flip_order(self) -> NDArray[np.int64]:
        """Permutation [J] such that mirrored_keypoints = keypoints[flip_order] (x mirrored)."""
        order = np.arange(len(self.joints))
        for left, right in self.flip_pairs:
            order[[left, right]] = right, left
        return order

    @property
    def oks_sigmas(self) -> NDArray[np.float64]:
        """[J] falloff of the object keypoint similarity, see `SIGMAS`."""
        return np.array([SIGMAS[joint] for joint in self.joints])

    def slots_in(self, other: Skeleton) -> NDArray[np.int64]:
        """Return the index in `other` of each joint [J]; -1 where `other` lacks it."""
        return np.array([other.joints.index(j) if j in other.joints else -1 for j in self.joints])


_BODY_LIMBS = (
    ("left_shoulder", "right_shoulder"),
    ("left_shoulder", "left_elbow"),
    ("left_elbow", "left_wrist"),
    ("right_shoulder", "right_elbow"),
    ("right_elbow", "right_wrist"),
    ("left_shoulder", "left_hip"),
    ("right_shoulder", "right_hip"),
    ("left_hip", "right_hip"),
    ("left_hip", "left_knee"),
    ("left_knee", "left_ankle"),
    ("right_hip", "right_knee"),
    ("right_knee", "right_ankle"),
)
_HEAD_LIMBS = (("head_top", "nose"), ("nose", "head_bottom"))

POSETRACK17 = Skeleton(
    "posetrack17",
    (
        "right_ankle", "right_knee", "right_hip", "left_hip", "left_knee", "left_ankle",
        "right_wrist", "right_elbow", "right_shoulder", "left_shoulder", "left_elbow",
        "left_wrist", "head_bottom", "nose", "head_top",
    ),
    _HEAD_LIMBS + _BODY_LIMBS,
)  # fmt: skip
POSETRACK18 = Skeleton(
    "posetrack18",
    (
        "nose", "head_bottom", "head_top", "left_ear", "right_ear", "left_shoulder",
        "right_shoulder", "left_elbow", "right_elbow", "left_wrist", "right_wrist", "left_hip",
        "right_hip", "left_knee", "right_knee", "left_ankle", "right_ankle",
    ),
    _HEAD_LIMBS + _BODY_LIMBS,
)  # fmt: skip

HIEVE = Skeleton(
    "hieve",
    (
        "nose", "chest", "right_shoulder", "right_elbow", "right_wrist", "left_shoulder",
        "left_elbow", "left_wrist", "right_hip", "right_knee", "right_ankle", "left_hip",
        "left_knee", "left_ankle",
    ),
    (("nose", "chest"), *_BODY_LIMBS),
)  # fmt: skip
COCO = Skeleton(
    "coco",
    (
        "nose", "left_eye", "right_eye", "left_ear", "right_ear", "left_shoulder",
        "right_shoulder", "left_elbow", "right_elbow", "left_wrist", "right_wrist", "left_hip",
        "right_hip", "left_knee", "right_knee", "left_ankle", "right_ankle",
    ),
    (
        ("nose", "left_eye"), ("nose", "right_eye"), ("left_eye", "left_ear"),
        ("right_eye", "right_ear"), *_BODY_LIMBS,
    ),
)  # fmt: skip

SKELETONS = {skeleton.name: skeleton for skeleton in (POSETRACK17, POSETRACK18, HIEVE, COCO)}

# Other names that files use for these joints.
ALIASES = {"neck": "head_bottom", "upper_neck": "head_bottom", "head": "head_top"}

# Falloff of the object keypoint similarity, by position in POSETRACK18 (COCO's list).
OKS_SIGMAS = (
    0.026, 0.025, 0.025, 0.035, 0.035, 0.079, 0.079, 0.072, 0.072, 0.062, 0.062, 0.107, 0.107,
    0.087, 0.087, 0.089, 0.089,
)  # fmt: skip

# By name. Eyes as in COCO; a chest is as vague as a shoulder (choice of this project).
SIGMAS = dict(zip(POSETRACK18.joints, OKS_SIGMAS, strict=True)) | {
    "left_eye": 0.025, "right_eye": 0.025, "chest": 0.079,
}  # fmt: skip
BOX_SHARE = 0.53
"""Area of a person in areas of the box: COCO's tools' own value for data without areas."""

# Columns of the official result row, each the plain mean of its joints.
JOINT_GROUPS = {
    "head": ("head_top", "head_bottom", "nose"),
    "shoulder": ("right_shoulder", "left_shoulder"),
    "elbow": ("right_elbow", "left_elbow"),
    "wrist": ("right_wrist", "left_wrist"),
    "hip": ("right_hip", "left_hip"),
    "knee": ("right_knee", "left_knee"),
    "ankle": ("right_ankle", "left_ankle"),
}
