"""Run folders: what a training or a prediction leaves on disk, and in which order."""

from __future__ import annotations

import hashlib
import time
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
import yaml

from tdmi.building import build_method, load_checkpoint, read_split, split_windows
from tdmi.datasets.coco import read_detections
from tdmi.datasets.posetrack18 import write_folder
from tdmi.errors import UserError
from tdmi.files import read_json, read_yaml, sha256_of, write_json, write_text
from tdmi.inference import (
    Boxes,
    InferenceOptions,
    detected_boxes,
    ground_truth_boxes,
    predict,
)
from tdmi.models.cost import cost
from tdmi.options import build
from tdmi.provenance import provenance
from tdmi.tracking import TrackingOptions, track
from tdmi.training import train
from tdmi.training.state import refuse_other_state


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


def boxes_hash(settings: dict[str, Any]) -> str | None:
    path = boxes_path(settings, "test")
    return sha256_of(path) if path.exists() else None


def perform(
    settings: dict[str, Any], runs: Path, name: str, fresh: bool = False, restart: bool = False
) -> None:
    """Train a run and write its folder; ``provenance.json`` comes last and means complete.

    An interrupted run goes on. UserError if its state belongs to other settings or data.

    Args:
        fresh: do not go on, start again.
        restart: start again only where the state cannot be resumed.
    """
    folder = runs / name
    folder.mkdir(parents=True, exist_ok=True)
    start = settings["start_from"]
    published = settings.get("initial_weights")
    initial = runs / start / "checkpoint.pt" if start else Path(published) if published else None
    initial_hash = sha256_of(initial) if initial and initial.exists() else None
    text = yaml.safe_dump(settings, sort_keys=False)
    data = data_hash(settings)
    identity = {
        "settings": settings,
        "initial_weights_sha256": initial_hash,
        "data_sha256": data,
    }
    if fresh:
        (folder / "resume.pt").unlink(missing_ok=True)
    refuse_other_state(folder / "resume.pt", identity, restart)
    write_text(folder / "config.yaml", text)
    height, width = settings["crop"]["size"]
    write_json(folder / "cost.json", asdict(cost(build_method(settings), height, width)))
    timing = train(settings, folder, initial, identity)
    record = {
        **provenance(),
        "seed": settings["seed"],
        "training": timing,
        "data_sha256": data,
        "data_release": data_release(settings),
        "boxes_sha256": boxes_hash(settings),
        "initial_weights": start or published,
        "initial_weights_sha256": initial_hash,
        "checkpoint_sha256": sha256_of(folder / "checkpoint.pt"),
    }
    write_json(folder / "provenance.json", record)


def predict_run(run: Path, split: str, out: Path) -> None:
    """Write ``<out>/<protocol>/predictions/<video>.json`` for each box protocol of the settings.

    Beside them ``tracked/<video>.json``: their sure part with track ids, for MOTA.
    """
    settings = read_yaml(run / "config.yaml")
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    method = build_method(settings)
    method.load_state_dict(load_checkpoint(run / "checkpoint.pt"))
    method.to(device)
    options = InferenceOptions(**settings["inference"])
    tracking = build("tracking", TrackingOptions, settings.get("tracking"))
    annotations = read_split(settings, split)
    windows = split_windows(settings, annotations, method.window)
    persons, seconds = 0, 0.0
    for protocol in options.box_protocols:
        boxes = _boxes(protocol, settings, split, annotations, options)
        begin = time.perf_counter()
        predicted = predict(
            method, windows, boxes, options, device, progress=f"{run.as_posix()} {protocol}"
        )
        seconds += time.perf_counter() - begin
        persons += len(boxes.frame)
        write_folder(predicted, out / protocol / "predictions")
        write_folder(track(predicted, tracking), out / protocol / "tracked")
    timing = {
        **read_json(run / "provenance.json")["training"],
        "predict_ms_per_person": 1000 * seconds / max(persons, 1),
    }
    write_json(out / "timing.json", timing)


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
