"""Growth of time and memory with the data: labels, loading, training, prediction, evaluation.

    python tests/benchmarks/growth.py results/benchmarks [--scales 1 4 16] [--repeat 3]

Each measurement is a process of its own on one core. It does the job once on the smallest data,
which is not timed, and then on the data. Reported are the processor time of the second job, and the
rise of peak memory over both. Of the repetitions the shortest time and the median memory count.
`seconds_a_part` and `memory_mb_a_part`: cost of each further part of the data, between a size and
the next smaller one. They rise for jobs that grow faster than the data.

- labels, evaluation: files of `synthetic_validation`, 10 videos of PoseTrack18's size and form for
  each part of the data; read, and evaluated by `tdmi evaluate` in one process.
- loading, training, prediction: videos of `tiny_dataset` in the same form, 64 windows of five
  frames for each part; cut, trained on for an epoch, and predicted by TDMI on a tiny network.

Expected: time grows as the data. Memory grows as the labels and, in evaluation and prediction, as
the people who are kept until all are done; loading and training keep nothing of a window, so theirs
grows by the labels alone. In use a cache of decoded frames grows to 1 GB besides. Here it holds six
frames, so that it is full at every size and decoding is as much work for each window.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import resource
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from multiprocessing.queues import SimpleQueue
from pathlib import Path

import cv2
import pandas as pd

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

import synthetic_validation
from benchmark_figures import machine

from tdmi.cli import main as cli
from tdmi.clips.frames import FrameStore
from tdmi.config.settings import Settings
from tdmi.core.files import write_json
from tdmi.core.process import use_threads
from tdmi.experiments import build as building
from tdmi.experiments.provenance import provenance
from tdmi.experiments.train import fit
from tdmi.formats.posetrack18 import read_folder, write_folder
from tdmi.prediction.predict import ground_truth_boxes, predict
from tdmi.reporting.figures import style
from tests.benchmarks.growth_figure import growth
from tests.support import tiny_dataset

VIDEOS = {"labels": 10, "loading": 8, "training": 8, "prediction": 8, "evaluation": 10}
"""Of each job for one part of the data."""
FRAMES = 8
CACHE = 6 * 120 * 160 * 3
BATCH = 16


def settings(root: Path) -> Settings:
    """Of TDMI on the tiny network."""
    chosen = tiny_dataset.settings(root)
    chosen["method"] |= {"name": "tdmi", "label": "TDMI", "class": "tdmi.models.tdmi.TDMI"}
    chosen["recipe"] = {"epochs": 1, "batch_size": BATCH, "learning_rate": 1e-3, "workers": 0}
    chosen["inference"]["batch_size"] = BATCH
    return tiny_dataset.typed(chosen)


def labels(folder: Path) -> None:
    read_folder(folder / "truth")


def loading(folder: Path) -> None:
    chosen = settings(folder)
    samples = building.training_samples(chosen, building.build_method(chosen))
    for first in range(0, len(samples), BATCH):
        samples.batch(range(first, first + BATCH))


def training(folder: Path) -> None:
    with tempfile.TemporaryDirectory() as run:
        fit(settings(folder), Path(run))


def prediction(folder: Path) -> None:
    chosen = settings(folder)
    method = building.build_method(chosen)
    annotations = building.read_split(chosen, "train")
    windows = building.split_windows(chosen, annotations, method.window)
    options = chosen.inference
    with tempfile.TemporaryDirectory() as out:
        write_folder(predict(method, windows, ground_truth_boxes(annotations), options), out)


def evaluation(folder: Path) -> None:
    with tempfile.TemporaryDirectory() as out:
        options = ["--gt", str(folder / "truth"), "--pred", str(folder / "predictions")]
        options += ["--out", f"{out}/metrics.json", "--jobs", "1", "--quiet"]
        if cli.main(["evaluate", "--protocol", "poseval", *options]):
            raise RuntimeError(f"{folder}: not evaluated")


JOBS: dict[str, Callable[[Path], None]] = {
    job.__name__: job for job in (labels, loading, training, prediction, evaluation)
}


def write_labels(folder: Path, scales: list[int]) -> None:
    """Links to as many files of the synthetic validation as each size needs."""
    for side in synthetic_validation.write(folder / "all"):
        for scale in scales:
            target = folder / str(scale) / side.name
            target.mkdir(parents=True)
            for file in sorted(side.iterdir())[: VIDEOS["labels"] * scale]:
                os.link(file, target / file.name)


def write_windows(folder: Path, scales: list[int]) -> None:
    """One video of `tiny_dataset` under as many names as each size needs, its pictures linked."""
    truth = tiny_dataset.annotations("train", FRAMES)
    (name,) = truth.video_names
    write_folder(truth, folder / "one")
    content = (folder / "one" / f"{name}.json").read_text()
    for file, *pose in zip(truth.frame_file, truth.keypoints, truth.present, strict=True):
        cv2.imwrite(str(folder / "one" / Path(file).name), tiny_dataset.draw(*pose))
    for scale in scales:
        root = folder / str(scale)
        (root / "annotations" / "train").mkdir(parents=True)
        for k in range(VIDEOS["loading"] * scale):
            video = f"{900_101 + k}_mpiinew_dots"
            path = root / "annotations" / "train" / f"{video}.json"
            path.write_text(content.replace(name, video))
            (root / "images" / "train" / video).mkdir(parents=True)
            for file in truth.frame_file:
                os.link(folder / "one" / Path(file).name, root / file.replace(name, video))


def measure(job: str, smallest: Path, folder: Path, result: SimpleQueue) -> None:
    """Put (seconds of processor time, bytes of memory at the peak) into `result`."""
    use_threads(1)
    building.FrameStore = partial(FrameStore, cache_bytes=CACHE)
    sys.stderr = open(os.devnull, "w")  # noqa: SIM115  (bars of progress)
    start = _peak()
    JOBS[job](smallest)
    begin = time.process_time()
    JOBS[job](folder)
    result.put((time.process_time() - begin, _peak() - start))


def _peak() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def in_fork(target: Callable, *args: object) -> None:
    """Run `target` in a process that has everything imported and does not affect later ones."""
    process = multiprocessing.get_context("fork").Process(target=target, args=args)
    process.start()
    process.join()
    if process.exitcode:
        raise RuntimeError(f"{target.__name__}{args}: status {process.exitcode}")


def measured(job: str, data: Path, scale: int, repeat: int) -> dict[str, float]:
    """Return the shortest time and the median memory of `repeat` processes."""
    queue = multiprocessing.get_context("fork").SimpleQueue()
    results = []
    for _ in range(repeat):
        in_fork(measure, job, data / "smallest", data / str(scale), queue)
        results.append(queue.get())
    seconds, memory = zip(*results, strict=True)
    return {"seconds": min(seconds), "memory_mb": statistics.median(memory) / 1e6}


def a_part(row: dict, smaller: dict | None) -> dict[str, float | None]:
    """Return the cost of each further part of the data since the next smaller size."""
    costs = ("seconds", "memory_mb")
    if smaller is None:
        return {f"{cost}_a_part": None for cost in costs}
    parts = row["times"] - smaller["times"]
    return {f"{cost}_a_part": (row[cost] - smaller[cost]) / parts for cost in costs}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("out", type=Path)
    parser.add_argument("--scales", type=int, nargs="+", default=[1, 4, 16])
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--jobs", nargs="+", choices=list(JOBS), default=list(JOBS))
    args = parser.parse_args()
    rows = []
    with tempfile.TemporaryDirectory(prefix="tdmi-growth-") as scratch:
        folders = {True: Path(scratch, "labels"), False: Path(scratch, "windows")}
        in_fork(write_labels, folders[True], args.scales)
        in_fork(write_windows, folders[False], args.scales)
        for folder in folders.values():
            (folder / "smallest").symlink_to(folder / str(min(args.scales)))
        for job in args.jobs:
            smaller = None
            for scale in sorted(args.scales):
                row = {"job": job, "times": scale, "videos": VIDEOS[job] * scale}
                row |= measured(job, folders[job in ("labels", "evaluation")], scale, args.repeat)
                rows.append(row | a_part(row, smaller) | {"repeat": args.repeat})
                smaller = row
                print(rows[-1], flush=True)
    table = pd.DataFrame(rows).assign(machine=machine())
    style.save(growth(table), table, args.out, "growth")
    write_json(args.out / "growth.json", {**provenance(), "rows": rows})


if __name__ == "__main__":
    main()
