"""A synthetic validation set of exactly PoseTrack18's size, written as its files.

170 videos, 15,338 frames of which 8,900 are labelled, 54,576 annotated and 103,178 predicted
people. They walk through the picture; some stand in ignore regions. Predictions are the people of
all frames with noise, the missed ones left out, people who are not there added, and tracks that
break now and then. The counts are facts of the data set and of one detector; shares and shapes
are choices of this project.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np

from tdmi.data.annotations import UNSCORED, Annotations, in_frame_order
from tdmi.data.skeletons import POSETRACK18
from tdmi.formats import posetrack18

VIDEOS = 170
FRAMES = 15_338
LABELLED = 8_900
TRUTH_PERSONS = 54_576
PREDICTED_PERSONS = 103_178
WIDTH, HEIGHT = 1280, 720

_MISSED = 0.12
"""Share of the people whom the detector misses."""
_BREAK = 0.02
"""Chance that a predicted track breaks from one frame to the next."""
# Place of each of POSETRACK18's joints in a person of height 1 about the middle.
_POSE = np.array([
    [0.00, -0.42], [0.00, -0.34], [0.00, -0.50], [-0.03, -0.43], [0.03, -0.43], [0.10, -0.30],
    [-0.10, -0.30], [0.14, -0.14], [-0.14, -0.14], [0.15, 0.00], [-0.15, 0.00], [0.07, 0.02],
    [-0.07, 0.02], [0.08, 0.25], [-0.08, 0.25], [0.08, 0.48], [-0.08, 0.48],
])  # fmt: skip
_JOINTS = np.array([not joint.endswith("ear") for joint in POSETRACK18.joints])


def write(folder: Path | str, seed: int = 0) -> tuple[Path, Path]:
    """Write all files; gives the folders of the ground truth and of the predictions."""
    folders = Path(folder, "truth"), Path(folder, "predictions")
    for people, target in zip(generate(seed), folders, strict=True):
        posetrack18.write_folder(people, target)
    return folders


def generate(seed: int = 0) -> tuple[Annotations, Annotations]:
    """Ground truth and predictions, both on POSETRACK18."""
    random = np.random.Generator(np.random.PCG64(seed))
    lengths = _shared_out(FRAMES, random.uniform(60, 120, VIDEOS))
    labelled = np.concatenate(
        [_spread(n, k) for n, k in zip(lengths, _shared_out(LABELLED, lengths), strict=True)]
    )
    first = np.cumsum(lengths) - lengths
    video = np.repeat(np.arange(VIDEOS), lengths)
    position = np.arange(FRAMES) - first[video]
    frames = {
        "skeleton": POSETRACK18,
        "video_names": [f"{1000 + v:06d}_mpii_test" for v in range(VIDEOS)],
        "frame_video": video,
        "frame_index": position,
        "frame_file": [
            f"images/val/{1000 + v:06d}_mpii_test/{k:06d}.jpg"
            for v, k in zip(video, position, strict=True)
        ],
        "frame_id": 10_000_000_000 + (1000 + video) * 10_000 + position,
        "video_length": lengths,
    }
    track, frame, keypoints, size = _walking_people(random, lengths, first)

    annotated = np.flatnonzero(labelled[frame])
    annotated = np.sort(random.choice(annotated, TRUTH_PERSONS, replace=False))
    present = random.random((TRUTH_PERSONS, len(_JOINTS))) < 0.88
    truth = _annotations(
        frames,
        frame_labelled=labelled,
        ignore_regions=_regions(random, video, position, labelled),
        person_frame=frame[annotated],
        track_id=track[annotated],
        keypoints=np.round(keypoints[annotated], 7),
        present=present & _JOINTS,
        joint_score=np.full(present.shape, UNSCORED),
        head_box=np.round(_head_boxes(keypoints[annotated], size[annotated])),
    )

    found = np.sort(random.choice(len(frame), round(len(frame) * (1 - _MISSED)), replace=False))
    false = PREDICTED_PERSONS - len(found)
    where = np.sort(random.integers(0, FRAMES, false))
    unreal = random.uniform(0, 1, (false, 1, 2)) * (WIDTH, HEIGHT)
    unreal = unreal + _POSE * random.uniform(60, 300, (false, 1, 1))
    wrong = random.standard_t(2, keypoints[found].shape) * 0.015 * size[found][:, None, None]
    certain = random.beta(5, 2, len(found))
    breaks = np.cumsum(random.random(FRAMES) < _BREAK)
    predictions = _annotations(
        frames,
        frame_labelled=labelled,
        ignore_regions=[[] for _ in range(FRAMES)],
        person_frame=np.concatenate([frame[found], where]),
        # Unique in each frame and below 10,000, as the official evaluator wants.
        track_id=np.concatenate(
            [
                100 + (track[found] + 40 * breaks[frame[found]]) % 4000,
                5000 + np.arange(false) - np.searchsorted(where, where),
            ]
        ),
        keypoints=np.concatenate([keypoints[found] + wrong, unreal]),
        present=np.tile(_JOINTS, (PREDICTED_PERSONS, 1)),
        joint_score=random.random((PREDICTED_PERSONS, len(_JOINTS)))
        * np.concatenate([certain, random.beta(2, 3, false)])[:, None],
        head_box=np.full((PREDICTED_PERSONS, 4), np.nan),
    )
    return truth, predictions


def _walking_people(
    random: np.random.Generator, lengths: np.ndarray, first: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Everybody in every frame, sorted by frame: track [N], frame [N], joints [N, 17, 2], px.

    The last is the height [N]. A tenth more people are labelled than are wanted.
    """
    mean = 1.1 * TRUTH_PERSONS / LABELLED
    tracks = random.negative_binomial(3, 3 / (3 + 1.25 * mean), VIDEOS).clip(1)
    tracks = _shared_out(round(1.25 * mean * VIDEOS), tracks)
    video = np.repeat(np.arange(VIDEOS), tracks)
    share = random.uniform(0.6, 1.0, len(video))
    stay = np.ceil(share * lengths[video]).astype(int)
    enter = random.integers(0, lengths[video] - stay + 1)
    track = np.repeat(np.arange(len(video)), stay)
    since = np.arange(len(track)) - np.repeat(np.cumsum(stay) - stay, stay)
    frame = first[video[track]] + enter[track] + since
    order = np.lexsort((track, frame))
    track, frame, since = track[order], frame[order], since[order]

    size = random.uniform(60, 400, len(video))
    start = random.uniform(0.05, 0.95, (len(video), 2)) * (WIDTH, HEIGHT)
    step = random.normal(0, 1.5, (len(video), 2))
    centre = start[track] + step[track] * since[:, None]
    swing = 0.04 * np.sin(0.3 * since[:, None] + 2 * np.pi * random.random((1, 17)))
    pose = _POSE + np.stack([swing, np.zeros_like(swing)], axis=2)
    keypoints = centre[:, None] + pose * size[track][:, None, None]
    # Numbered within the video.
    return track - (np.cumsum(tracks) - tracks)[video[track]], frame, keypoints, size[track]


def _head_boxes(keypoints: np.ndarray, size: np.ndarray) -> np.ndarray:
    middle = keypoints[:, 0]
    return np.concatenate([middle - 0.06 * size[:, None], middle + 0.06 * size[:, None]], axis=1)


def _regions(
    random: np.random.Generator, video: np.ndarray, position: np.ndarray, labelled: np.ndarray
) -> list[list[np.ndarray]]:
    """0 to 5 polygons of 16 corners in the labelled frames of each video, moving slowly."""
    angle = np.linspace(0, 2 * np.pi, 16, endpoint=False)
    circle = np.stack([np.cos(angle), np.sin(angle)], axis=1)
    shapes = []
    for _ in range(VIDEOS):
        count = random.integers(0, 6)
        centre = random.uniform(0, 1, (count, 1, 2)) * (WIDTH, HEIGHT)
        shapes.append(centre + circle * random.uniform(20, 90, (count, 16, 1)))
    return [
        [np.round(polygon) + np.array([k // 8, 0]) for polygon in shapes[v]] if there else []
        for v, k, there in zip(video, position, labelled, strict=True)
    ]


def _annotations(frames: dict, present: np.ndarray, **columns) -> Annotations:
    count = len(present)
    annotations = Annotations(
        **frames,
        **columns,
        frame_annotated=np.bincount(columns["person_frame"], minlength=FRAMES) > 0,
        present=present,
        visible=present,
        box=np.full((count, 4), np.nan),
        score=np.full(count, np.nan),
    )
    points = np.where(present[..., None], annotations.keypoints, 0.0)
    score = np.where(present, annotations.joint_score, UNSCORED)
    return in_frame_order(replace(annotations, keypoints=points, joint_score=score))


def _shared_out(total: int, weight: np.ndarray) -> np.ndarray:
    """Whole numbers [V] of at least 1 in about the proportion of `weight`, whose sum is `total`."""
    shares = np.maximum(np.floor(total * weight / weight.sum()), 1).astype(int)
    shares[np.argsort(-weight, kind="stable")[: total - shares.sum()]] += 1
    return shares


def _spread(frames: int, labelled: int) -> np.ndarray:
    """[frames] bool, `labelled` of them true and evenly spread."""
    chosen = np.zeros(frames, dtype=bool)
    chosen[np.arange(labelled) * frames // labelled] = True
    return chosen
