"""Time the evaluators on input of PoseTrack18's size; a table in Markdown on standard output.

    python tests/benchmarks/evaluation.py [--videos 170] [--repeat 3] [--skip-poseval]

The people are synthetic: they walk through the picture, some in ignore regions, and predictions
are the truth with noise, gaps, false people and changed track ids. Where `poseval` is installed it
is timed on the same people, read from files that are written to a temporary folder.
"""

from __future__ import annotations

import argparse
import importlib.util
import os
import platform
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np

from tdmi.annotations import UNSCORED, Annotations, on_skeleton
from tdmi.datasets import posetrack18
from tdmi.evaluation import average_precision, mota, posetrack21
from tdmi.evaluation.matching import match_video
from tdmi.evaluation.pairing import judged_videos
from tdmi.skeletons import POSETRACK17, POSETRACK18

FRAMES = 88
"""Frames of a video: 15,000 in 170 videos."""
LABELLED = 52
"""Of them labelled: 8,900 in 170 videos."""
PEOPLE = 6
"""Mean number of annotated people in a labelled frame: 54,000 in 170 videos."""
WIDTH, HEIGHT = 1280, 720


def synthetic_videos(videos: int, seed: int = 0) -> tuple[Annotations, Annotations]:
    """Ground truth and predictions of `videos` videos, both on POSETRACK18."""
    random = np.random.Generator(np.random.PCG64(seed))
    frames = videos * FRAMES
    labelled = np.zeros(FRAMES, dtype=bool)
    labelled[np.linspace(0, FRAMES - 1, LABELLED).astype(int)] = True
    labelled = np.tile(labelled, videos)

    tracks = random.poisson(PEOPLE, videos).clip(1)
    video = np.repeat(np.arange(videos), tracks)
    pose = random.uniform(-0.5, 0.5, (len(video), len(POSETRACK18), 2)) * (0.4, 1.0)
    size = random.uniform(80, 400, len(video))
    start = random.uniform(0, 1, (len(video), 2)) * (WIDTH, HEIGHT)
    step = random.normal(0, 2, (len(video), 2))

    track = np.repeat(np.arange(len(video)), FRAMES)
    position = np.tile(np.arange(FRAMES), len(video))
    order = np.lexsort((track, position, video[track]))
    track, position = track[order], position[order]
    person_frame = video[track] * FRAMES + position
    centre = start[track] + step[track] * position[:, None]
    keypoints = centre[:, None] + pose[track] * size[track][:, None, None]
    head = centre - (0.06, 0.5) * size[track][:, None]
    head_box = np.hstack([head, head + 0.14 * size[track][:, None]])

    common = {
        "skeleton": POSETRACK18,
        "video_names": [f"{v:06d}_mpii_test" for v in range(videos)],
        "frame_video": np.repeat(np.arange(videos), FRAMES),
        "frame_index": np.tile(np.arange(FRAMES), videos),
        "frame_file": [
            f"images/val/{v:06d}_mpii_test/{f:06d}.jpg"
            for v in range(videos)
            for f in range(FRAMES)
        ],
        "frame_id": np.repeat(1 + np.arange(videos), FRAMES) * 10000
        + np.tile(np.arange(FRAMES), videos),
        "frame_labelled": labelled,
    }
    corner = random.uniform(0, 1, (frames, 2)) * (WIDTH, HEIGHT)
    box = np.array([[0, 0], [150, 0], [200, 60], [150, 120], [0, 120], [-50, 60]], dtype=float)
    has_region = random.random(frames) < 0.3
    regions = [[corner[f] + box] if has_region[f] else [] for f in range(frames)]
    truth = Annotations(
        **common,
        frame_annotated=np.bincount(person_frame[labelled[person_frame]], minlength=frames) > 0,
        ignore_regions=regions,
        **_people(
            labelled[person_frame],
            person_frame=person_frame,
            track_id=track,
            keypoints=keypoints,
            present=random.random(keypoints.shape[:2]) < 0.85,
            joint_score=np.full(keypoints.shape[:2], UNSCORED),
            head_box=head_box,
        ),
    )
    noise = random.standard_t(2, keypoints.shape) * 0.02 * size[track][:, None, None]
    guessed = keypoints + noise
    false = random.random(len(track)) < 0.2
    guessed[false] += random.normal(0, 150, (false.sum(), 1, 2))
    changed = track + len(video) * (random.integers(0, FRAMES, len(video))[track] < position)
    predictions = Annotations(
        **common,
        frame_annotated=np.ones(frames, dtype=bool),
        ignore_regions=[[] for _ in range(frames)],
        **_people(
            random.random(len(track)) < 0.9,
            person_frame=person_frame,
            track_id=changed,
            keypoints=guessed,
            present=np.ones(keypoints.shape[:2], dtype=bool),
            joint_score=random.random(keypoints.shape[:2]),
            head_box=np.full((len(track), 4), np.nan),
        ),
    )
    return truth, predictions


def _people(keep: np.ndarray, **columns: np.ndarray) -> dict[str, np.ndarray]:
    kept = {name: column[keep] for name, column in columns.items()}
    count = len(kept["person_frame"])
    return kept | {
        "visible": kept["present"],
        "box": np.full((count, 4), np.nan),
        "score": np.full(count, np.nan),
    }


def stages(truth: Annotations, predictions: Annotations) -> Iterator[tuple[str, Callable]]:
    """Our stages, each a function of what the ones before it returned."""
    yield "pair frames, cut ignore regions", lambda: list(judged_videos(truth, predictions))
    yield "match people", lambda judged: [match_video(video) for video in judged]
    yield (
        "AP: label and rank joints",
        lambda judged, matched: average_precision.average_precision(
            average_precision.combine(
                average_precision.video_statistics(v, m)
                for v, m in zip(judged, matched, strict=True)
            )
        ),
    )
    yield (
        "MOTA: pair through time",
        lambda judged, matched, _: mota.tracking_accuracy(
            mota.combine(mota.video_statistics(v, m) for v, m in zip(judged, matched, strict=True))
        ),
    )


def timed(call: Callable, repeat: int) -> tuple[float, object]:
    """Shortest of `repeat` wall times in seconds, and the result."""
    best = np.inf
    for _ in range(repeat):
        begin = time.perf_counter()
        result = call()
        best = min(best, time.perf_counter() - begin)
    return best, result


def poseval_seconds(truth: Annotations, predictions: Annotations, option: str) -> float:
    """Wall time of the whole program with `option` (-e or -t), start and file reading included."""
    with tempfile.TemporaryDirectory(prefix="tdmi-benchmark-") as scratch:
        for people, name in ((truth, "truth"), (predictions, "predictions")):
            posetrack18.write_folder(people, Path(scratch, name))
        command = [sys.executable, "-m", "poseval.evaluate", option, "-o", f"{scratch}/out"]
        command += ["-g", f"{scratch}/truth/", "-p", f"{scratch}/predictions/"]
        begin = time.perf_counter()
        subprocess.run(command, check=True, capture_output=True)
        return time.perf_counter() - begin


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--videos", type=int, default=170)
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--skip-poseval", action="store_true")
    args = parser.parse_args()
    people = synthetic_videos(args.videos)
    truth, predictions = (on_skeleton(side, POSETRACK17) for side in people)
    print(
        f"{args.videos} videos, {truth.frames} frames ({truth.frame_annotated.sum()} annotated), "
        f"{truth.persons} annotated and {predictions.persons} predicted people; "
        f"Python {platform.python_version()}, NumPy {np.__version__}, {os.cpu_count()} processors\n"
    )
    print("| stage | seconds |\n|---|---:|")
    results: list[object] = []
    for name, stage in stages(truth, predictions):
        seconds, result = timed(lambda stage=stage: stage(*results), args.repeat)
        results.append(result)
        print(f"| {name} | {seconds:.2f} |", flush=True)
    seconds, _ = timed(lambda: posetrack21.evaluate(truth, predictions), args.repeat)
    print(f"| PoseTrack21 AP, all of it | {seconds:.2f} |", flush=True)
    if args.skip_poseval:
        return
    if importlib.util.find_spec("poseval") is None:
        print("| poseval | not installed |")
        return
    for option, name in (("-e", "AP"), ("-t", "tracking")):
        seconds = poseval_seconds(*people, option)
        print(f"| poseval {name}, with file reading | {seconds:.1f} |", flush=True)


if __name__ == "__main__":
    main()
