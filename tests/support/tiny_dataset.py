"""A data set of a few small frames in PoseTrack18 form: one bright blob per joint, moving right."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np

from tdmi.config.section import Plain
from tdmi.config.settings import Settings
from tdmi.core.files import write_json
from tdmi.data.annotations import UNSCORED, Annotations
from tdmi.data.detections import Detections, write_detections
from tdmi.data.skeletons import POSETRACK18
from tdmi.formats.posetrack18 import write_folder

NUMBERS = {"train": 900001, "val": 900002, "test": 900003}
EARS = [POSETRACK18.index("left_ear"), POSETRACK18.index("right_ear")]


def annotations(split: str, frames: int = 5) -> Annotations:
    """One person in one video; joints 8 px apart in a zigzag, 2 px to the right per frame."""
    video = f"{NUMBERS[split]}_mpiinew_dots"
    joints = np.arange(17)
    base = np.stack([60.0 + 22 * (joints % 3), 15.0 + 5.5 * joints], axis=1)
    keypoints = base[None] + np.array([2.0, 0.0]) * np.arange(frames)[:, None, None]
    present = np.ones((frames, 17), bool)
    present[:, EARS] = False
    low, high = keypoints.min(axis=1), keypoints.max(axis=1)
    head = keypoints[:, POSETRACK18.index("nose")]
    return Annotations(
        skeleton=POSETRACK18,
        video_names=[video],
        frame_video=np.zeros(frames, np.int64),
        frame_index=np.arange(frames),
        frame_file=[f"images/{split}/{video}/{i:06d}.png" for i in range(frames)],
        frame_id=3 * 10**10 + NUMBERS[split] * 10**4 + np.arange(frames),
        frame_labelled=np.ones(frames, bool),
        frame_annotated=np.ones(frames, bool),
        ignore_regions=[[] for _ in range(frames)],
        person_frame=np.arange(frames),
        track_id=np.zeros(frames, np.int64),
        keypoints=np.where(present[..., None], keypoints, 0),
        present=present,
        visible=present.copy(),
        joint_score=np.full((frames, 17), UNSCORED),
        box=np.concatenate([low - 8, high - low + 16], axis=1),
        head_box=np.concatenate([head - 10, head + 10], axis=1),
        score=np.full(frames, np.nan),
    )


def draw(keypoints: np.ndarray, present: np.ndarray) -> np.ndarray:
    """A frame [120, 160, 3] uint8 with a blob of deviation 2 px at each joint."""
    y, x = np.mgrid[:120, :160]
    squared = (x - keypoints[present, 0, None, None]) ** 2 + (
        y - keypoints[present, 1, None, None]
    ) ** 2
    light = np.exp(-squared / 8).max(axis=0)
    return np.repeat((40 + 200 * light).astype(np.uint8)[..., None], 3, axis=2)


def write(root: Path) -> None:
    for split in NUMBERS:
        truth = annotations(split)
        for row, file in enumerate(truth.frame_file):
            (root / file).parent.mkdir(parents=True, exist_ok=True)
            cv2.imwrite(str(root / file), draw(truth.keypoints[row], truth.present[row]))
        write_folder(truth, root / "annotations" / split)
        ones = np.ones(truth.persons)
        detections = Detections(
            truth.frame_id, ones.astype(np.int64), truth.box, np.linspace(0.1, 0.9, truth.persons)
        )
        write_detections(detections, root / "boxes" / f"{split}.json")
        write_json(root / f"dataset-{split}.json", {"split": split})


def settings(root: Path, **recipe) -> Plain:
    """Content of a config.yaml of a run on it that takes about a second."""
    return {
        "suite": "tiny",
        "seed": 3,
        "method": {
            "name": "single_frame",
            "label": "Single frame",
            "family": "single",
            "class": "baselines.single_frame.SingleFrame",
            "options": {},
        },
        "start_from": None,
        "start_whole": False,
        "dataset": {
            "name": "mocap",
            "root": str(root),
            "train": "train",
            "validation": "val",
            "test": "test",
        },
        "crop": {"size": [64, 48], "sigma": 1.5},
        "augmentation": {"rotation": 10.0, "scale": 0.1, "half_body_probability": 0.0},
        "backbone": {
            "width": 4,
            "stages": 2,
            "modules": [1],
            "blocks": 1,
            "stem_width": 4,
            "stem_blocks": 1,
        },
        "recipe": {
            "steps": 8,
            "batch_size": 4,
            "learning_rate": 0.003,
            "schedule": "one_cycle",
            "gradient_clip": 1.0,
            "log_every": 2,
            "validate_every": 4,
            "checkpoint_every": 3,
            **recipe,
        },
        "inference": {
            "flip": True,
            "decoder": "dark",
            "blur_kernel": 3,
            "batch_size": 3,
            "box_score_threshold": 0.2,
        },
    }


def typed(content: Plain) -> Settings:
    return Settings.from_dict(content, "tiny")


def train(content: Plain, runs: Path, name: str, **options) -> None:
    """Train a run from the content of its config.yaml."""
    from tdmi.experiments.train import train_run  # after a test has chosen its threads

    train_run(typed(content), runs, name, **options)
