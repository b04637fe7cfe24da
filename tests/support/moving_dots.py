"""Annotated frames in which each joint is one bright pixel."""

import cv2
import numpy as np

from tdmi.data.annotations import NO_TRACK, UNSCORED, Annotations
from tdmi.data.skeletons import POSETRACK18


def moving_dots(root, frames=6):
    """One video in which each joint is a bright dot that moves right by two pixels a frame."""
    keypoints = np.zeros((frames, 17, 2))
    for i in range(frames):
        image = np.zeros((120, 160, 3), np.uint8)
        keypoints[i] = np.stack([40 + 4 * np.arange(17) % 60 + 2 * i, 20 + 5 * np.arange(17)], 1)
        for x, y in keypoints[i].astype(int):
            image[y, x] = 255
        cv2.imwrite(str(root / f"{i}.png"), image)
    return Annotations(
        skeleton=POSETRACK18,
        video_names=["900001_mpiinew_dots"],
        frame_video=np.zeros(frames, np.int64),
        frame_index=np.arange(frames),
        frame_file=[f"{i}.png" for i in range(frames)],
        frame_id=np.arange(frames),
        frame_labelled=np.ones(frames, bool),
        frame_annotated=np.ones(frames, bool),
        ignore_regions=[[] for _ in range(frames)],
        person_frame=np.arange(frames),
        track_id=np.full(frames, NO_TRACK),
        keypoints=keypoints,
        present=np.ones((frames, 17), bool),
        visible=np.ones((frames, 17), bool),
        joint_score=np.full((frames, 17), UNSCORED),
        box=np.tile([30.0, 10.0, 80.0, 95.0], (frames, 1)),
        head_box=np.full((frames, 4), np.nan),
        score=np.full(frames, np.nan),
    )
