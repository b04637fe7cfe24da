"""A tiny run that is trained, predicted and judged, with its data and what it starts from."""

from __future__ import annotations

from pathlib import Path

from tdmi.cli.main import main
from tdmi.core.files import write_json
from tdmi.data.integrity import KINDS, sha256_of_files
from tdmi.experiments.predict import predict_run
from tests.support import tiny_dataset

SINGLE = "tiny/single_frame/seed3"
TEMPORAL = "tiny/temporal_concatenation/seed3"
BOXES = ("ground_truth_boxes", "detected_boxes")
JUDGED = (("metrics", "predictions", []), ("tracking", "tracked", ["--tracking"]))


def seal(root: Path) -> None:
    """Write the hash of each split's files into its record, as the generator of mocap does."""
    for split in tiny_dataset.NUMBERS:
        named = [p for kind in KINDS for p in (root / kind).glob(f"{split}*")]
        files = {p for path in named for p in (path, *path.rglob("*"))}
        record = {"split": split, "sha256": sha256_of_files(root, files)}
        write_json(root / f"dataset-{split}.json", record)


def temporal_settings(root: Path, **recipe) -> dict:
    """Settings of the run `TEMPORAL`, which starts from `SINGLE`."""
    settings = tiny_dataset.settings(root, **recipe)
    settings["method"] |= {
        "name": "temporal_concatenation",
        "class": "baselines.temporal_concatenation.TemporalConcatenation",
    }
    settings["start_from"] = SINGLE
    return settings


def evaluate(root: Path, run: Path, boxes: str, out: str, folder: str, more: list[str]) -> int:
    """Status of `tdmi evaluate` on a run's predictions or tracks."""
    options = ["--gt", root / "annotations" / "test", "--pred", run / boxes / folder]
    options += ["--out", run / boxes / f"{out}.json", "--quiet", *more]
    return main(["evaluate", *map(str, options)])


def record(folder: Path) -> None:
    """Make ``folder/data`` and ``folder/runs``."""
    root, runs = folder / "data", folder / "runs"
    tiny_dataset.write(root)
    seal(root)
    tiny_dataset.train(tiny_dataset.settings(root, steps=2), runs, SINGLE)
    tiny_dataset.train(temporal_settings(root, steps=2), runs, TEMPORAL)
    run = runs / TEMPORAL
    predict_run(run, "test", run)
    for boxes in BOXES:
        for judged in JUDGED:
            assert evaluate(root, run, boxes, *judged) == 0
