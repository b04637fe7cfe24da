"""Run folders: what a training or a prediction leaves on disk, and in which order."""

from __future__ import annotations

import hashlib
import time
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch

from tdmi.config.suites import config_text
from tdmi.core.checks import build
from tdmi.core.errors import UserError
from tdmi.core.files import (
    read_json,
    read_yaml,
    remove_leftovers,
    sha256_of,
    write_json,
    write_text,
)
from tdmi.core.locks import exclusive_writer
from tdmi.data.detections import read_detections
from tdmi.experiments.build import build_method, load_checkpoint, read_split, split_windows
from tdmi.experiments.provenance import (
    PREDICTIONS_RECORD,
    check_unchanged,
    digest,
    hashes_of_folder,
    imported_code,
    provenance,
    read_record,
    write_record,
)
from tdmi.formats.posetrack18 import write_folder
from tdmi.prediction.predict import (
    Boxes,
    InferenceOptions,
    detected_boxes,
    ground_truth_boxes,
    predict,
)
from tdmi.prediction.tracking import TrackingOptions, track

TRAINED_FILES = ("config.yaml", "cost.json", "history.csv", "checkpoint.pt")
"""What training leaves in a run folder; ``provenance.json`` holds the hash of each."""
CODE_FILE = "code.json"
"""Hashes of the source files that a training used; ``code_sha256`` is the hash over them."""


def packages_of(settings: dict[str, Any]) -> tuple[str, str]:
    """Packages whose code a run depends on: this one and that of the method's class."""
    return ("tdmi", settings["method"]["class"].split(".")[0])


def data_hash(settings: dict[str, Any]) -> str:
    """SHA-256 over the records that the data set's generator left: one per split, or one."""
    root = Path(settings["dataset"]["root"])
    records = sorted(root.glob("dataset-*.json")) or sorted(root.glob("dataset.json"))
    if not records:
        raise UserError(f"{root}: no record dataset*.json; make the data set with `tdmi data`")
    return hashlib.sha256(b"".join(r.read_bytes() for r in records)).hexdigest()


def boxes_path(settings: dict[str, Any], split: str) -> Path:
    return Path(settings["dataset"]["root"]) / "boxes" / f"{settings['dataset'][split]}.json"


def data_release(settings: dict[str, Any]) -> str | None:
    """Label release that the data set's record states, e.g. ``v0.45``; None if it states none."""
    record = Path(settings["dataset"]["root"]) / "dataset.json"
    return read_json(record).get("release") if record.exists() else None


def boxes_hash(settings: dict[str, Any], split: str = "test") -> str | None:
    path = boxes_path(settings, split)
    return sha256_of(path) if path.exists() else None


def labels_hashes(settings: dict[str, Any]) -> dict[str, str]:
    """SHA-256 of the label files of each split that a run uses, by the split's name."""
    dataset = settings["dataset"]
    splits = sorted({dataset[key] for key in ("train", "validation", "test")})
    folders = {split: Path(dataset["root"]) / "annotations" / split for split in splits}
    return {
        split: digest(hashes_of_folder(folder))
        for split, folder in folders.items()
        if folder.is_dir()
    }


def initial_checkpoint(settings: dict[str, Any], runs: Path) -> Path | None:
    """What a run starts from: another run's checkpoint below `runs`, published weights, or None."""
    if settings["start_from"]:
        return runs / settings["start_from"] / "checkpoint.pt"
    return Path(settings["initial_weights"]) if "initial_weights" in settings else None


def perform(
    settings: dict[str, Any],
    runs: Path,
    name: str,
    fresh: bool = False,
    restart: bool = False,
    starts: Path | None = None,
) -> None:
    """Train a run and write its folder; ``provenance.json`` comes last and means complete.

    An interrupted run goes on. UserError if its state belongs to other settings or data. Waits for
    another process that trains or predicts in the same folder.

    Args:
        fresh: do not go on, start again.
        restart: start again only where the state cannot be resumed.
        starts: folder of the run that this one starts from; `runs` unless given.
    """
    folder = runs / name
    with exclusive_writer(folder):
        folder.mkdir(parents=True, exist_ok=True)
        if fresh:
            (folder / "resume.pt").unlink(missing_ok=True)
        _perform(settings, folder, initial_checkpoint(settings, starts or runs), restart)


def _perform(settings: dict[str, Any], folder: Path, initial: Path | None, restart: bool) -> None:
    # These take half of all imports; a prediction does without.
    from tdmi.models.cost import cost
    from tdmi.training import train
    from tdmi.training.state import check_resumable

    # All that is recorded is taken before the training: it may take days, in which files change.
    made_from = {
        "data_sha256": data_hash(settings),
        "data_release": data_release(settings),
        "labels_sha256": labels_hashes(settings),
        "boxes_sha256": boxes_hash(settings),
        "initial_weights": settings["start_from"] or settings.get("initial_weights"),
        "initial_weights_sha256": sha256_of(initial) if initial and initial.exists() else None,
    }
    identity = {
        "settings": settings,
        "initial_weights_sha256": made_from["initial_weights_sha256"],
        "data_sha256": made_from["data_sha256"],
    }
    check_resumable(folder / "resume.pt", identity, restart)
    write_text(folder / "config.yaml", config_text(settings))
    height, width = settings["crop"]["size"]
    write_json(folder / "cost.json", asdict(cost(build_method(settings), height, width)))
    environment, code = provenance(), imported_code(packages_of(settings))
    timing = train(settings, folder, initial, identity)
    write_json(folder / CODE_FILE, code)
    record = {
        **environment,
        "code_sha256": digest(code),
        "seed": settings["seed"],
        "training": timing,
        **made_from,
        **{f"{Path(file).stem}_sha256": sha256_of(folder / file) for file in TRAINED_FILES},
    }
    write_record(folder / "provenance.json", record)
    # Not before: what is killed between the last step and here goes on from its last state.
    (folder / "resume.pt").unlink(missing_ok=True)


def predict_run(run: Path, split: str, out: Path) -> None:
    """Write ``<out>/<protocol>/predictions/<video>.json`` for each box protocol of the settings.

    Beside them ``tracked/<video>.json``: their sure part with track ids, for MOTA. Last comes
    ``<out>/predictions.provenance.json``: what they were made from, and the hash of every file.
    UserError if the run's files are not as recorded. Waits for another process that writes `out`.
    """
    with exclusive_writer(out):
        _predict_run(run, split, out)


def _predict_run(run: Path, split: str, out: Path) -> None:
    record = read_record(run / "provenance.json")
    for file in ("config.yaml", "checkpoint.pt"):
        expected = record.get(f"{Path(file).stem}_sha256")
        if expected is not None:  # older records have no hash of the settings
            cure = "delete it and train that run again"
            check_unchanged(run / file, expected, cure)
    settings = read_yaml(run / "config.yaml")
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    method = build_method(settings)
    method.load_state_dict(load_checkpoint(run / "checkpoint.pt"))
    method.to(device)
    options = InferenceOptions(**settings["inference"])
    tracking = build("tracking", TrackingOptions, settings.get("tracking"))
    annotations = read_split(settings, split)
    windows = split_windows(settings, annotations, method.window)
    # Before the prediction, during which files may change.
    made_from = {
        **provenance(),
        "code": imported_code(packages_of(settings)),
        "split": split,
        "checkpoint_sha256": sha256_of(run / "checkpoint.pt"),
        "config_sha256": sha256_of(run / "config.yaml"),
        "labels_sha256": labels_hashes(settings)[settings["dataset"][split]],
        "boxes_sha256": boxes_hash(settings, split),
    }
    persons, seconds = 0, 0.0
    folders = []
    for protocol in options.box_protocols:
        boxes = _boxes(protocol, settings, split, annotations, options)
        begin = time.perf_counter()
        predicted = predict(
            method, windows, boxes, options, device, progress=f"{run.as_posix()} {protocol}"
        )
        seconds += time.perf_counter() - begin
        persons += len(boxes.frame)
        for kind, people in (("predictions", predicted), ("tracked", track(predicted, tracking))):
            remove_leftovers(out / protocol / kind)
            write_folder(people, out / protocol / kind)
            folders.append(f"{protocol}/{kind}")
    timing = {**record["training"], "predict_ms_per_person": 1000 * seconds / max(persons, 1)}
    write_json(out / "timing.json", timing)
    files = {folder: hashes_of_folder(out / folder) for folder in folders}
    write_record(out / PREDICTIONS_RECORD, {**made_from, "files": files})


def _boxes(
    protocol: str,
    settings: dict[str, Any],
    split: str,
    annotations: Any,
    options: InferenceOptions,
) -> Boxes:
    if protocol == "ground_truth_boxes":
        return ground_truth_boxes(annotations)
    detections = read_detections(boxes_path(settings, split))
    return detected_boxes(annotations, detections, options.box_score_threshold)
