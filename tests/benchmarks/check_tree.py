"""Time the check of a data set of the size of PoseTrack18's validation set.

    python tests/benchmarks/check_tree.py FOLDER [--videos 170] [--frames 88] [--links] [--deep]

Fills FOLDER, which must not exist, with 15,000 frames of 1280 x 720 (about 2.6 GB; with --links one
file under all names) and labels of 60,000 people, and checks it in a process of its own. Budget: a
minute on two cores without --deep. The files just written are in memory: a disk adds its own time.
"""

from __future__ import annotations

import argparse
import os
import resource
import shutil
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
from PIL import Image, ImageFilter

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from tdmi.data.annotations import concatenate
from tdmi.data.skeletons import POSETRACK18
from tdmi.datasets.public.check import check
from tdmi.formats.posetrack18 import write_folder
from tests.support.check_trees import video

PEOPLE = 4
SIZE = (1280, 720)


def make(root: Path, videos: int, frames: int, links: bool) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (*SIZE[::-1], 3), dtype=np.uint8)
    picture = Image.fromarray(noise).filter(ImageFilter.GaussianBlur(2))
    root.mkdir(parents=True)
    picture.save(root / "frame.jpg", quality=90)
    place = os.link if links else shutil.copyfile
    parts = []
    for k in range(videos):
        name = f"{k:06d}_mpii_test"
        files = [f"images/val/{name}/{i:06d}.jpg" for i in range(frames)]
        (root / files[0]).parent.mkdir(parents=True)
        for file in files:
            place(root / "frame.jpg", root / file)
        parts.append(video(name, files, POSETRACK18, PEOPLE, number=k))
    write_folder(concatenate(parts), root / "annotations" / "val")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--videos", type=int, default=170)
    parser.add_argument("--frames", type=int, default=88)
    parser.add_argument("--links", action="store_true", help="hard links to one image")
    parser.add_argument("--deep", action="store_true", help="decode every image")
    parser.add_argument("--check-only", action="store_true", help="check what is there")
    args = parser.parse_args()
    if not args.check_only:
        make(args.folder, args.videos, args.frames, args.links)
        subprocess.run([sys.executable, __file__, *sys.argv[1:], "--check-only"], check=True)
        return
    start = time.perf_counter()
    report = check("posetrack18", args.folder, deep=args.deep)
    wall = time.perf_counter() - start
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    processor = sum(usage.ru_utime + usage.ru_stime for usage in used)
    print(report.as_text())
    print(
        f"{sum(counts.frames for counts in report.counts.values())} frames: {wall:.1f} s of wall "
        f"clock, {processor:.1f} s of processor, peak {used[0].ru_maxrss / 1024:.0f} MiB"
    )


if __name__ == "__main__":
    main()
