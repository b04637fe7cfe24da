"""From a video to its predictions and overlay."""

from __future__ import annotations

import sys
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch

from tdmi.clips.samples import Windows
from tdmi.core.errors import UserError
from tdmi.core.files import check_writable, read_json
from tdmi.data.annotations import Annotations, select_frames
from tdmi.data.detections import PERSON, Detections, check_person_boxes
from tdmi.experiments.build import trained_method
from tdmi.experiments.demo.overlay import write_overlay
from tdmi.experiments.demo.source import Source, open_source
from tdmi.experiments.folder import RunFolder
from tdmi.formats.posetrack import read_video_file
from tdmi.formats.posetrack18 import write_folder
from tdmi.formats.precomputed_boxes import read_boxes
from tdmi.prediction.person_detector import detect, find_weights, load_detector
from tdmi.prediction.predict import Boxes, detected_boxes, predict

PREDICTIONS, OVERLAY, POSTER = "predictions.json", "overlay.mp4", "poster.png"


@dataclass(frozen=True)
class BoxSource:
    """Source of the person boxes: a file, the detector, or neither, which is the whole frame."""

    file: Path | None = None
    detector: bool = False
    detector_weights: Path | None = None
    threshold: float = 0.5
    """Boxes with a lower score are left out. Higher than in evaluations (0.2), where low boxes can
    only gain: in a picture every false one is visible."""


def demo(
    video: Path,
    run: Path,
    out: Path,
    boxes: BoxSource,
    max_frames: int | None = None,
    device: torch.device | str = "cpu",
) -> Annotations:
    """Predict every frame of `video` with the trained `run` and return the predictions.

    Writes ``predictions.json`` (PoseTrack18 form, all frames), ``overlay.mp4`` and ``poster.png``
    to `out`. Frames are decoded as needed: memory does not grow with the video's length.
    """
    check_outputs(video, out)
    settings = RunFolder(run).settings()
    method = trained_method(settings, RunFolder(run)).to(device)
    detector = None
    if boxes.detector:
        detector = load_detector(find_weights(boxes.detector_weights), device)
    reach = method.window[-1] - method.window[0] + 1
    # A box file may cover the whole video, and every box in it has to find its frame.
    source = open_source(video, settings.skeleton, reach, None if boxes.file else max_frames)
    if boxes.file:
        detections = file_boxes(boxes.file, source.annotations)
    elif detector:
        files, ids = source.annotations.frame_file, source.annotations.frame_id.tolist()
        frames = (source.frames.read(file) for file in files)
        detections = detect(frames, ids, detector, device, boxes.threshold, total=len(ids))
    if boxes.file or detector:
        chosen = detected_boxes(source.annotations, detections, boxes.threshold)
    else:
        chosen = whole_frames(source)
    if max_frames is not None:
        chosen = _first_frames(chosen, max_frames)
        kept = np.arange(source.annotations.frames) < max_frames
        source = replace(source, annotations=select_frames(source.annotations, kept))
    windows = Windows(source.annotations, source.frames, method.window, settings.crop)
    progress = "predict" if sys.stderr.isatty() else None
    people = predict(method, windows, chosen, settings.inference, device, progress)
    write_predictions(people, out / PREDICTIONS)
    write_overlay(source, people, out / OVERLAY, out / POSTER)
    return people


def check_outputs(video: Path, out: Path) -> None:
    """Raise UserError if `out` cannot take the results, or if one would replace the input."""
    for name in (PREDICTIONS, OVERLAY, POSTER):
        check_writable(out / name, "--out")
        if video.resolve() in (out.resolve(), (out / name).resolve()):
            raise UserError(
                f"{out}: --out would put {name} over or among the frames of {video}, expected "
                "another folder; give a new one"
            )


def file_boxes(path: Path, annotations: Annotations) -> Detections:
    """Boxes of a detection list, or of the persons of a PoseTrack file (with score 1 if unscored).

    The frames of a PoseTrack file are found by the numbers in their names.
    """
    if not isinstance(read_json(path), dict):
        return read_boxes(path, annotations)
    people = read_video_file(path)
    rows = np.flatnonzero((people.box[:, 2:] > 0).all(axis=1))
    score = people.score[rows]
    boxes = Detections(
        people.frame_number[people.person_frame[rows]],
        np.full(len(rows), PERSON),
        people.box[rows],
        np.where(np.isnan(score), 1.0, score),
    )
    check_person_boxes(boxes, path)
    return boxes


def whole_frames(source: Source) -> Boxes:
    """One box per frame, the frame itself, as if one person filled it."""
    count = source.annotations.frames
    box = np.tile(np.array([0.0, 0.0, *source.size]), (count, 1))
    return Boxes(np.arange(count), box, np.ones(count))


def write_predictions(people: Annotations, path: Path) -> None:
    """Write one video's predictions in PoseTrack18 form under a name of its own."""
    write_folder(replace(people, video_names=[path.stem]), path.parent)


def _first_frames(boxes: Boxes, count: int) -> Boxes:
    keep = boxes.frame < count
    return Boxes(boxes.frame[keep], boxes.box[keep], boxes.score[keep])
