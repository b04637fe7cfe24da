"""Time and memory of writing and reading a set of the size of PoseTrack18's validation labels.

    python tests/benchmarks/posetrack18_files.py FOLDER [--videos 170] [--persons 54000]

Fills FOLDER (about 50 MB) with generated per-video files, and reads them in a process of its own.
Budgets on one core: writing 3 s, reading 2.5 s, 300 MB peak memory of the reading process.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
from timing import peak_bytes, spent

from tdmi.data.annotations import UNSCORED, Annotations
from tdmi.data.skeletons import POSETRACK18
from tdmi.formats.posetrack18 import read_folder, write_folder

FRAMES = 88
"""Frames per video; 170 videos have about 15,000."""


def generated(videos: int, persons: int) -> Annotations:
    """Persons with up to 17 joints, boxes, head boxes and ids, a few ignore regions."""
    rng = np.random.default_rng(0)
    frames, joints = videos * FRAMES, len(POSETRACK18)
    names = [f"{k:06d}_mpii_test" for k in range(videos)]
    video = np.repeat(np.arange(videos), FRAMES)
    index = np.tile(np.arange(FRAMES), videos)
    person_frame = np.sort(rng.integers(0, frames, persons))
    present = rng.random((persons, joints)) < 0.8
    keypoints = rng.uniform(0, 1900, (persons, joints, 2)) * present[..., None]
    corner = rng.uniform(0, 1000, (persons, 2))
    polygons = [rng.integers(0, 1000, (20, 2)).astype(float) for _ in range(50)]
    return Annotations(
        skeleton=POSETRACK18,
        video_names=names,
        video_length=np.full(videos, FRAMES),
        frame_video=video,
        frame_index=index,
        frame_file=[
            f"images/val/{names[v]}/{i:06d}.jpg" for v, i in zip(video, index, strict=True)
        ],
        frame_id=10**10 + video * 10**4 + index,
        frame_labelled=np.ones(frames, bool),
        frame_annotated=np.bincount(person_frame, minlength=frames) > 0,
        frame_size=np.tile([1920, 1080], (frames, 1)),
        ignore_regions=[[polygons[k] for k in rng.integers(0, 50, k % 3)] for k in range(frames)],
        person_frame=person_frame,
        track_id=rng.integers(0, 50, persons),
        person_id=rng.integers(0, 5000, persons),
        keypoints=keypoints,
        present=present,
        visible=present & (rng.random(present.shape) < 0.9),
        joint_score=np.full(present.shape, UNSCORED),
        box=np.concatenate([corner, corner], axis=1),
        head_box=np.concatenate([corner, corner + 50], axis=1),
        score=np.full(persons, np.nan),
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--videos", type=int, default=170)
    parser.add_argument("--persons", type=int, default=54_000)
    parser.add_argument("--read-only", action="store_true", help="read what is there")
    args = parser.parse_args()
    if args.read_only:
        _timed("read", lambda: read_folder(args.folder))
        return
    annotations = generated(args.videos, args.persons)
    _timed("wrote", lambda: write_folder(annotations, args.folder) or annotations)
    subprocess.run([sys.executable, __file__, str(args.folder), "--read-only"], check=True)


def _timed(verb: str, work: Callable[[], Annotations]) -> None:
    result, wall, processor = spent(work)
    print(
        f"{verb} {result.persons} persons in {result.frames} frames: {processor:.2f} s of "
        f"processor, {wall:.2f} s of wall clock, peak {peak_bytes() / 2**20:.0f} MiB"
    )


if __name__ == "__main__":
    main()
