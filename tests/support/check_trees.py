"""Small data sets on disk, without a fault, in the form of each of the four big ones.

People of real proportions walk to the right; every video is 8 frames of 160 x 120 pixels.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from tdmi.data.annotations import UNSCORED, Annotations, concatenate, on_skeleton
from tdmi.data.skeletons import HIEVE, POSETRACK17, POSETRACK18, Skeleton
from tdmi.formats import posetrack17, posetrack17_matlab, posetrack18
from tdmi.formats.hieve import annolist

FRAMES = 8
SIZE = (160, 120)
VAL = "images/val/000342_mpii_test"
VAL_LABELS = "annotations/val/000342_mpii_test.json"
# Small trees are parts of the published sets, and the test split has no labels.
SMALL = {"subset", "split-without-labels"}
BODY = {
    "nose": (0, 2), "head_bottom": (0, 9), "head_top": (0, -5), "left_shoulder": (9, 14),
    "right_shoulder": (-9, 14), "left_elbow": (13, 27), "right_elbow": (-13, 27),
    "left_wrist": (14, 39), "right_wrist": (-14, 39), "left_hip": (6, 39), "right_hip": (-6, 39),
    "left_knee": (7, 58), "right_knee": (-7, 58), "left_ankle": (7, 77), "right_ankle": (-7, 77),
    "chest": (0, 16),
}  # fmt: skip


def video(
    name: str, files: list[str], skeleton: Skeleton, people: int = 2, number: int = 1
) -> Annotations:
    """One video of `people` persons; tracks 0, 1, ..., everything known, nothing odd."""
    frames = len(files)
    frame = np.repeat(np.arange(frames), people)
    track = np.tile(np.arange(people), frames)
    present = np.array([joint in BODY for joint in skeleton.joints])
    body = np.array([BODY.get(joint, (0, 0)) for joint in skeleton.joints], dtype=np.float64)
    centre = np.stack([40.0 + 45 * track + 3 * frame, 25.0 + 5 * track], axis=1)
    keypoints = np.where(present[:, None], body + centre[:, None], 0.0)
    count = frames * people
    return Annotations(
        skeleton=skeleton,
        video_names=[name],
        frame_video=np.zeros(frames, np.int64),
        frame_index=np.arange(frames),
        frame_file=files,
        frame_id=10**10 + number * 10**4 + np.arange(frames),
        frame_labelled=np.ones(frames, bool),
        frame_annotated=np.ones(frames, bool),
        ignore_regions=[[] for _ in files],
        person_frame=frame,
        track_id=track,
        keypoints=keypoints,
        present=np.tile(present, (count, 1)),
        visible=np.tile(present, (count, 1)),
        joint_score=np.full((count, len(skeleton)), UNSCORED),
        box=np.concatenate([centre - [16, 8], np.tile([32.0, 90.0], (count, 1))], axis=1),
        head_box=np.concatenate([centre - [6, 6], centre + np.array([6, 9])], axis=1),
        score=np.full(count, np.nan),
        video_length=np.array([frames]),
    )


def draw(root: Path, files: list[str]) -> None:
    rng = np.random.default_rng(0)
    picture = Image.fromarray(rng.integers(0, 255, (*SIZE[::-1], 3), dtype=np.uint8))
    for file in files:
        (root / file).parent.mkdir(parents=True, exist_ok=True)
        picture.save(root / file, quality=60)


def posetrack18_tree(root: Path, labels: str = "annotations", stated_size: bool = False) -> Path:
    for split, names in (("train", ("000001_bonn", "000002_mpii")), ("val", ("000342_mpii",))):
        parts = []
        for name in names:
            files = [f"images/{split}/{name}_test/{k:06d}.jpg" for k in range(FRAMES)]
            draw(root, files)
            parts.append(video(f"{name}_test", files, POSETRACK18, number=int(name[:6])))
            if stated_size:
                parts[-1].frame_size[:] = SIZE
        posetrack18.write_folder(concatenate(parts), root / labels / split)
    return root


def posetrack21_tree(root: Path) -> Path:
    return posetrack18_tree(root, "posetrack_data")


def posetrack17_tree(root: Path, matlab: bool = False) -> Path:
    write = posetrack17_matlab.write_folder if matlab else posetrack17.write_folder
    for split, folder in (("train", "bonn_5sec/000044_mpii"), ("val", "mpii_5sec/00044_mpii")):
        files = [f"images/{folder}/{k:08d}.jpg" for k in range(1, FRAMES + 1)]
        draw(root, files)
        write(video(f"{split}_labels", files, POSETRACK17), root / "annotations" / split)
    return root


def hieve_tree(root: Path) -> Path:
    labels = root / "HIE20" / "labels" / "train" / "track2&3"
    for name in ("1", "4"):
        files = [f"images/{name}/{k:06d}.jpg" for k in range(FRAMES)]
        draw(root, files)
        people = on_skeleton(video(name, files, HIEVE), HIEVE)
        annolist.write_folder(people, labels)
        film = root / "HIE20" / "videos" / "train" / f"{name}.mp4"
        film.parent.mkdir(parents=True, exist_ok=True)
        film.write_bytes(b"not looked into")
    return root


def edit(path: Path, change: Callable[[Any], None]) -> None:
    """Change the content of a JSON file in place."""
    content = json.loads(path.read_text())
    change(content)
    path.write_text(json.dumps(content))


def found(report):
    """Count by kind, without what every small tree has."""
    return {f.kind: f.count for f in report.findings if f.kind not in SMALL}


def only(report, kind):
    assert set(found(report)) == {kind}, report.as_text()
    return next(f for f in report.findings if f.kind == kind)
