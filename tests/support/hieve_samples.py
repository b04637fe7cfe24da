"""HiEve annotations and a small file of pose labels."""

from __future__ import annotations

import numpy as np
import pytest

from tdmi.data.annotations import UNSCORED, Annotations
from tdmi.data.skeletons import HIEVE


def scene(videos: tuple[str, ...] = ("7",), frames: int = 3, seed: int = 0) -> Annotations:
    """Two people per frame, but nobody in the second frame; joints and boxes are not round."""
    generator = np.random.Generator(np.random.PCG64(seed))
    count = frames * len(videos)
    person_frame = np.repeat(np.flatnonzero(np.arange(count) % frames != 1), 2)
    people = len(person_frame)
    present = generator.random((people, 14)) < 0.8
    keypoints = np.where(present[..., None], generator.uniform(-50, 900, (people, 14, 2)), 0.0)
    low, high = generator.uniform(-20, 300, (people, 2)), generator.uniform(300, 999, (people, 2))
    position = np.tile(np.arange(frames), len(videos))
    occupied = np.isin(np.arange(count), person_frame)
    name = np.repeat(videos, frames)
    return Annotations(
        skeleton=HIEVE,
        video_names=list(videos),
        frame_video=np.repeat(np.arange(len(videos)), frames),
        frame_index=position,
        frame_file=[f"images/{v}/{k:06d}.jpg" for v, k in zip(name, position, strict=True)],
        frame_id=position.astype(np.int64),
        frame_labelled=occupied,
        frame_annotated=occupied.copy(),
        ignore_regions=[[] for _ in range(count)],
        person_frame=person_frame,
        track_id=np.arange(people) % 5,
        keypoints=keypoints,
        present=present,
        visible=present.copy(),
        joint_score=np.where(present, generator.random((people, 14)), UNSCORED),
        box=np.concatenate([low, high - low], axis=1),
        head_box=np.full((people, 4), np.nan),
        score=generator.random(people),
    )


def one_line(error: pytest.ExceptionInfo, name: str) -> bool:
    return "\n" not in str(error.value) and name in str(error.value)


def labels() -> dict:
    """As the released files look: scalars in lists, no folder in names, no is_labeled."""
    points = [{"id": [j], "x": [10 + j], "y": [20.5 + j], "score": [1]} for j in (0, 1, 13)]
    points[1]["score"] = [0]
    person = {
        "x1": [5], "y1": [6], "x2": [45], "y2": [106], "track_id": [3], "score": [0.5],
        "annopoints": [{"point": points}],
    }  # fmt: skip
    box_alone = {"x1": [1], "y1": [2], "x2": [3], "y2": [5], "track_id": [4], "annopoints": []}
    return {
        "annolist": [
            {"image": [{"name": "000010.jpg"}], "ignore_regions": [], "annorect": [person]},
            {"image": [{"name": "000011.jpg"}], "annorect": [box_alone, person]},
            {"image": [{"name": "000012.jpg"}], "annorect": []},
        ]
    }
