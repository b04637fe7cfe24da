"""Predict with a trained run: what is written to its folder, and in which order."""

from __future__ import annotations

import time
from pathlib import Path

import torch

from tdmi.config.inference import BoxProtocol, Tracking
from tdmi.config.inputs import Role
from tdmi.config.settings import Settings
from tdmi.config.suite import Suite
from tdmi.core.files import hashes_of_folder, remove_leftovers, sha256_of, write_json
from tdmi.core.locks import exclusive_writer
from tdmi.data.annotations import Annotations
from tdmi.data.detections import read_detections
from tdmi.experiments.build import read_split, split_windows, trained_method
from tdmi.experiments.folder import RunFolder
from tdmi.experiments.provenance import (
    check_unchanged,
    imported_code,
    packages_of,
    provenance,
    read_record,
    write_record,
)
from tdmi.formats.posetrack18 import write_folder
from tdmi.prediction.predict import Boxes, detected_boxes, ground_truth_boxes, predict
from tdmi.prediction.tracking import track


def predict_run(run: Path, role: Role, out: Path) -> None:
    """Write ``<out>/<protocol>/predictions/<video>.json`` for each box protocol of the settings.

    Beside them ``tracked/<video>.json``: their confident part with track ids, for MOTA. Last comes
    ``<out>/predictions.provenance.json``: what they were made from, and the hash of every file.
    UserError if the run's files are not as recorded. Waits for another process that writes `out`.
    """
    with exclusive_writer(out):
        _predict_run(RunFolder(run), role, RunFolder(out))


def _predict_run(run: RunFolder, role: Role, out: RunFolder) -> None:
    record = read_record(run.provenance)
    for file in (run.config, run.checkpoint):
        expected = record.get(f"{file.stem}_sha256")
        if expected is not None:  # older records have no hash of the settings
            check_unchanged(file, expected, "delete it and train that run again")
    settings = run.settings()
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    method = trained_method(settings, run).to(device)
    annotations, split = read_split(settings, role), settings.dataset.split(role)
    windows = split_windows(settings, annotations, method.window)
    # Before the prediction, during which files may change.
    made_from = {
        **provenance(),
        "code": imported_code(packages_of(settings)),
        "split": role,
        "checkpoint_sha256": sha256_of(run.checkpoint),
        "config_sha256": sha256_of(run.config),
        "labels_sha256": settings.dataset.folder.labels_hashes([split])[split],
        "boxes_sha256": settings.dataset.folder.boxes_hash(split),
    }
    persons, seconds = 0, 0.0
    folders = []
    for protocol in settings.inference.box_protocols:
        boxes = boxes_of(settings, protocol, role, annotations)
        begin = time.perf_counter()
        progress = f"{run.path.as_posix()} {protocol}"
        predicted = predict(method, windows, boxes, settings.inference, device, progress)
        seconds += time.perf_counter() - begin
        persons += len(boxes.frame)
        tracks = track(predicted, settings.tracking or Tracking())
        for folder, people in (
            (out.predictions(protocol), predicted),
            (out.tracked(protocol), tracks),
        ):
            remove_leftovers(folder)
            write_folder(people, folder)
            folders.append(folder)
    timing = {**record["training"], "predict_ms_per_person": 1000 * seconds / max(persons, 1)}
    write_json(out.timing, timing)
    files = {f.relative_to(out.path).as_posix(): hashes_of_folder(f) for f in folders}
    write_record(out.predictions_record, {**made_from, "files": files})


def boxes_of(
    settings: Settings | Suite, protocol: BoxProtocol, role: Role, annotations: Annotations
) -> Boxes:
    """Boxes of one kind on the split that plays a role."""
    if protocol == "ground_truth_boxes":
        return ground_truth_boxes(annotations)
    path = settings.dataset.folder.boxes(settings.dataset.split(role))
    threshold = settings.inference.box_score_threshold
    return detected_boxes(annotations, read_detections(path), threshold)
