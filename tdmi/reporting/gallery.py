"""The pictures of a report: all methods on the same people, real video, and a sheet of the data.

Reads the data set's images and annotation files and the runs' prediction files.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from tdmi.annotations import Annotations
from tdmi.datasets import posetrack18
from tdmi.files import write_text
from tdmi.provenance import refuse_changed_predictions
from tdmi.reporting import drawing, selection
from tdmi.reporting.drawing import Panel
from tdmi.reporting.runs import run_folder
from tdmi.reporting.settings import Dataset, Method, Settings
from tdmi.reporting.tables import csv, number

WRONG = 0.5
"""Distance in head sizes beyond which a joint counts as wrong (the evaluator's threshold)."""


@dataclass(frozen=True)
class Picture:
    path: Path
    caption: str
    alternative: str


@dataclass(frozen=True)
class Predicted:
    """A method's predictions for the people of the truth."""

    annotations: Annotations
    distances: np.ndarray
    """[N, J] in head sizes, capped."""
    matches: np.ndarray
    """[N] person in `annotations`, -1 for none."""

    @property
    def errors(self) -> np.ndarray:
        """[N] mean over the labelled joints; NaN for a person without any."""
        labelled = np.isfinite(self.distances)
        total = np.where(labelled, self.distances, 0.0).sum(axis=1)
        return np.where(labelled.any(axis=1), total / np.maximum(labelled.sum(axis=1), 1), np.nan)


def read_truth(dataset: Dataset) -> Annotations:
    return posetrack18.read_folder(dataset.root / "annotations" / dataset.split)


def read_predicted(
    runs: Path, methods: tuple[Method, ...], protocol: str, truth: Annotations
) -> dict[str, Predicted]:
    """Predictions of each method's first seed; methods without them are left out."""
    sizes, found = selection.head_sizes(truth), {}
    for method in methods:
        folder = run_folder(runs, method, method.seeds[0]) / protocol / "predictions"
        if folder.is_dir():
            refuse_changed_predictions(folder)
            prediction = posetrack18.read_folder(folder, truth.video_names)
            found[method.name] = Predicted(
                prediction, *selection.joint_distances(truth, prediction, sizes)
            )
    return found


def method_gallery(settings: Settings, runs: Path, folder: Path) -> list[Picture]:
    """Write one picture per chosen person and `gallery.csv`; none if nothing was predicted."""
    protocol = settings.box_protocols[0]
    methods = tuple(settings.method(name) for name in settings.gallery_methods)
    truth = read_truth(settings.dataset)
    predicted = read_predicted(runs, methods, protocol, truth)
    if not predicted:
        return []
    table = selection.candidates(truth, {name: p.errors for name, p in predicted.items()})
    reference = settings.reference if settings.reference in predicted else next(iter(predicted))
    chosen = selection.choose(table, list(predicted), reference)
    write_text(folder / "gallery.csv", csv(chosen.drop(columns="person")))
    pictures = []
    for index, row in chosen.iterrows():
        image = drawing.row(
            drawing.read_image(settings.dataset.root / row["file"]),
            truth.keypoints[row["person"]][truth.present[row["person"]]],
            _panels(truth, row["person"], methods, predicted, _truth_title(settings.dataset)),
            truth.skeleton,
        )
        path = folder / f"{index + 1:02d}.jpg"
        drawing.write_jpeg(path, image)
        caption = f"{row['rule'].capitalize()}: {row['video']}, frame {row['frame']}."
        errors = ", ".join(
            f"{m.label} {number(row[m.name], 2)}" for m in methods if m.name in predicted
        )
        pictures.append(Picture(path, caption, f"{caption} Mean error in head sizes: {errors}."))
    return pictures


def gallery_rule(settings: Settings) -> str:
    """The caption that says how the people of the gallery were chosen."""
    reference = settings.method(settings.reference).label
    return (
        "Chosen by a rule, not by hand, among all labelled persons with at least "
        f"{selection.MINIMUM_JOINTS} joints: four on whom the methods' errors differ most, three "
        f"on whom “{reference}” is worst, and one at the median error of “{reference}”; no person "
        "twice by one rule. The error is the mean joint distance in head sizes, each joint capped "
        f"at 1. First seed, {settings.boxes(settings.box_protocols[0])}. Blue: the person's left, "
        "orange: right, yellow: middle. Rings: joints further than half a head size from the label."
    )


def real_video_gallery(settings: Settings, runs: Path, folder: Path, rows: int = 4) -> list:
    """Methods over evenly spaced frames of real video, first the pseudo-labels themselves."""
    video = settings.real_video
    truth = read_truth(video.dataset)
    predicted = read_predicted(runs, video.methods, settings.box_protocols[0], truth)
    if not predicted:
        return []
    people = selection.candidates(truth, {name: p.errors for name, p in predicted.items()})
    people = people.drop_duplicates(["video", "frame"])
    spaced = np.unique(np.linspace(0, len(people) - 1, rows + 2).round().astype(int)[1:-1])
    pictures = []
    for index, (_, row) in enumerate(people.iloc[spaced].iterrows()):
        image = drawing.row(
            drawing.read_image(video.dataset.root / row["file"]),
            truth.keypoints[row["person"]][truth.present[row["person"]]],
            _panels(truth, row["person"], video.methods, predicted, "Pseudo-labels"),
            truth.skeleton,
        )
        path = folder / f"real_video_{index + 1:02d}.jpg"
        drawing.write_jpeg(path, image)
        caption = f"{row['video']}, frame {row['frame']}; the labels are pseudo-labels."
        pictures.append(Picture(path, caption, f"Real video with skeletons drawn over: {caption}"))
    return pictures


def contact_sheet(dataset: Dataset, path: Path, tiles: int = 12, columns: int = 4) -> Picture:
    """Labelled frames spread evenly over the split, with their labels."""
    truth = read_truth(dataset)
    labelled = np.unique(truth.person_frame[truth.frame_labelled[truth.person_frame]])
    spaced = np.linspace(0, len(labelled) - 1, min(tiles, len(labelled))).round().astype(int)
    pictures = [_tile(dataset, truth, frame) for frame in labelled[spaced]]
    drawing.write_jpeg(path, drawing.grid(pictures, columns), quality=78)
    caption = (
        f"{len(pictures)} of {truth.frames} frames of {dataset.name}, split {dataset.split}, "
        f"evenly spaced; skeletons are {dataset.label_kind}."
    )
    return Picture(path, caption, caption)


def _tile(dataset: Dataset, truth: Annotations, frame: int, width: int = 300) -> np.ndarray:
    image = drawing.read_image(dataset.root / truth.frame_file[frame])
    factor = width * drawing.SCALE / image.shape[1]
    size = (width * drawing.SCALE, round(width * 0.75 * drawing.SCALE))
    shift = (size[1] - factor * image.shape[0]) / 2
    transform = np.array([[factor, 0, 0], [0, factor, shift]])
    picture = cv2.warpAffine(image, transform, size, flags=cv2.INTER_AREA)
    for person in np.flatnonzero(truth.person_frame == frame):
        points = truth.keypoints[person] @ transform[:, :2].T + transform[:, 2]
        panel = Panel("", present=truth.present[person])
        drawing.draw_skeleton(picture, points, panel, truth.skeleton, width=3)
    return cv2.resize(picture, (width, round(width * 0.75)), interpolation=cv2.INTER_AREA)


def _truth_title(dataset: Dataset) -> str:
    return "Pseudo-labels" if dataset.labels == "pseudo" else "Ground truth"


def _panels(
    truth: Annotations,
    person: int,
    methods: tuple[Method, ...],
    predicted: dict[str, Predicted],
    title: str,
) -> list[Panel]:
    panels = [Panel(title, "", truth.keypoints[person], truth.present[person])]
    for method in methods:
        if method.name not in predicted:
            panels.append(Panel(method.label, "not run"))
            continue
        own = predicted[method.name]
        match, remark = own.matches[person], f"error {number(own.errors[person], 2)}"
        if match < 0:
            panels.append(Panel(method.label, "no prediction"))
            continue
        keypoints, present = own.annotations.keypoints[match], own.annotations.present[match]
        wrong = np.nan_to_num(own.distances[person]) > WRONG
        panels.append(
            Panel(method.label, remark, keypoints, present & truth.present[person], wrong)
        )
    return panels
