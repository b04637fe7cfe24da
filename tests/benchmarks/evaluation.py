"""Time `tdmi evaluate` on input of PoseTrack18 validation's size; Markdown tables on stdout.

    python tests/benchmarks/evaluation.py [--scales 1 4 16] [--repeat 3] [--skip-poseval]

The input is that of `synthetic_validation`: 170 videos, 15,338 frames, 54,576 annotated and 103,178
predicted people, as JSON files. Larger inputs are copies of these files, so that their cost must be
the same multiple. Wall time depends on what else the machine does, so the processor time (user and
system, of all processes together) stands beside it; the run of shortest wall time counts. Memory is
the largest sum of the resident sets of all processes, which counts pages that they share once for
each. Where `poseval` is installed it is timed on the same files.
"""

from __future__ import annotations

import argparse
import importlib.util
import os
import platform
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import synthetic_validation
from timing import spent

from tdmi.data.annotations import Annotations, on_skeleton
from tdmi.data.skeletons import POSETRACK17
from tdmi.evaluation.matching.assignment import match_video
from tdmi.evaluation.matching.scored_videos import scored_videos
from tdmi.evaluation.protocols import posetrack21
from tdmi.evaluation.protocols import poseval as average_precision
from tdmi.evaluation.tracking import mota

OPTIONS = {
    "poseval": [],
    "poseval, one process": ["--jobs", "1"],
    "poseval, tracking": ["--tracking"],
    "PoseTrack21": ["--protocol", "posetrack21"],
    "poseval, curves": ["--curves"],
}
_PAGE = os.sysconf("SC_PAGE_SIZE")


@dataclass
class Cost:
    """Cost of a command."""

    wall: float
    processor: float
    """Seconds, user and system, of all its processes."""
    memory: int
    """Bytes."""


def cost_of(command: list[str]) -> Cost:
    """Run a command to its end."""
    begin = time.perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    memory, done = 0, 0
    while not done:
        memory = max(memory, _resident(process.pid))
        done, status, usage = os.wait4(process.pid, os.WNOHANG)
        time.sleep(0.01)
    wall = time.perf_counter() - begin
    if status:
        raise RuntimeError(f"status {status} of {' '.join(command)}")
    return Cost(wall, usage.ru_utime + usage.ru_stime, memory)


def _resident(process: int) -> int:
    """Bytes of the resident sets of a process and its children."""
    try:
        pages = int(Path(f"/proc/{process}/statm").read_text().split()[1])
        children = Path(f"/proc/{process}/task/{process}/children").read_text().split()
    except (OSError, IndexError):
        return 0
    return pages * _PAGE + sum(_resident(int(child)) for child in children)


def several_times(source: tuple[Path, Path], scale: int, folder: Path) -> tuple[Path, Path]:
    """Copies of the files of `source` under `scale` names each, images renamed likewise."""
    if scale == 1:
        return source
    for side in source:
        (folder / side.name).mkdir(parents=True)
        for path in side.iterdir():
            content = path.read_bytes()
            for k in range(scale):
                name = f"{10_000 * (k + 1) + int(path.stem[:6]):06d}{path.stem[6:]}"
                renamed = content.replace(f"/{path.stem}/".encode(), f"/{name}/".encode())
                (folder / side.name / f"{name}.json").write_bytes(renamed)
    return folder / source[0].name, folder / source[1].name


def whole_program(folders: tuple[Path, Path], options: list[str], repeat: int) -> Cost:
    """Return the shortest of `repeat` runs of `tdmi evaluate`."""
    command = [sys.executable, "-m", "tdmi.cli.main", "evaluate", "--quiet"]
    command += ["--gt", str(folders[0]), "--pred", str(folders[1])]
    command += ["--out", str(folders[0].parent / "metrics.json"), *options]
    return min((cost_of(command) for _ in range(repeat)), key=lambda cost: cost.wall)


def poseval(folders: tuple[Path, Path], option: str) -> Cost:
    """Measure the whole official program with `option` (-e or -t)."""
    command = [sys.executable, "-m", "poseval.evaluate", option]
    command += ["-g", f"{folders[0]}/", "-p", f"{folders[1]}/", "-o", f"{folders[0].parent}/out"]
    return cost_of(command)


def stages(truth: Annotations, predictions: Annotations, repeat: int) -> None:
    """Print the wall and processor time of our stages, without loading, in one process."""
    judged = timed("pair frames, cut ignore regions", repeat,
                   lambda: list(scored_videos(truth, predictions)))  # fmt: skip
    matched = timed("match people", repeat, lambda: [match_video(video) for video in judged])
    pairs = list(zip(judged, matched, strict=True))
    pooled = timed("label joints", repeat, lambda: average_precision.combine(
        average_precision.video_statistics(*pair) for pair in pairs))  # fmt: skip
    timed("rank joints", repeat, lambda: average_precision.average_precision(pooled))
    timed("AP, all of the above", repeat, lambda: average_precision.average_precision(
        average_precision.combine(average_precision.evaluate(truth, predictions).values())
    ))  # fmt: skip
    timed("PoseTrack21 AP, likewise", repeat, lambda: posetrack21.average_precision(
        average_precision.combine(
            average_precision.evaluate(*posetrack21.as_scored(truth, predictions)).values())
    ))  # fmt: skip
    timed("MOTA: pair joints through time", repeat, lambda: mota.tracking_accuracy(
        mota.combine(mota.video_statistics(*pair) for pair in pairs)))  # fmt: skip


def timed(name: str, repeat: int, call: Callable) -> object:
    """Print the shortest of `repeat` times as a row, and give the result."""
    best = (np.inf, np.inf)
    for _ in range(repeat):
        result, wall, processor = spent(call)
        best = min(best, (wall, processor))
    print(f"| {name} | {best[0]:.2f} | {best[1]:.2f} |", flush=True)
    return result


def row(name: str, scale: int, cost: Cost) -> None:
    print(
        f"| {name} | {scale} | {cost.wall:.1f} | {cost.processor:.1f} | {cost.memory / 1e6:.0f} |",
        flush=True,
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--scales", type=int, nargs="*", default=[1])
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--skip-poseval", action="store_true")
    args = parser.parse_args()
    people = synthetic_validation.generate()
    print(
        f"{len(people[0].video_names)} videos, {people[0].frames} frames "
        f"({people[0].frame_annotated.sum()} annotated), {people[0].persons} annotated and "
        f"{people[1].persons} predicted people; Python {platform.python_version()}, NumPy "
        f"{np.__version__}, {len(os.sched_getaffinity(0))} usable cores\n"
    )
    print("| stage, people in memory | wall s | processor s |\n|---|---:|---:|")
    stages(*(on_skeleton(side, POSETRACK17) for side in people), args.repeat)
    print("\n| whole program | times the input | wall s | processor s | MB |")
    print("|---|---:|---:|---:|---:|")
    with tempfile.TemporaryDirectory(prefix="tdmi-benchmark-") as scratch:
        source = synthetic_validation.write(Path(scratch, "1"))
        for scale in args.scales:
            folder = Path(scratch, f"times{scale}")
            folders = several_times(source, scale, folder)
            for name, options in OPTIONS.items():
                if scale == 1 or name == "poseval":
                    row(name, scale, whole_program(folders, options, args.repeat))
            shutil.rmtree(folder, ignore_errors=True)
        if args.skip_poseval:
            return
        if importlib.util.find_spec("poseval") is None:
            print("| official program: not installed | | | | |")
            return
        row("official program, AP", 1, poseval(source, "-e"))
        row("official program, tracking", 1, poseval(source, "-t"))


if __name__ == "__main__":
    main()
