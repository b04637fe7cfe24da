"""The gallery of a report: all methods on the same people, real video, and a sheet of the data.

Reads the data set's images and annotation files and the runs' prediction files.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import pandas as pd

from tdmi.core.files import write_text
from tdmi.data.annotations import Annotations
from tdmi.experiments.provenance import check_predictions_unchanged
from tdmi.formats import posetrack18
from tdmi.reporting.data import selection
from tdmi.reporting.data.runs import run_folder
from tdmi.reporting.data.spec import Dataset, Method, ReportSpec
from tdmi.reporting.figures import drawing
from tdmi.reporting.figures.drawing import Panel
from tdmi.reporting.tables.tables import csv, number

WRONG = 0.5
"""Distance in head sizes beyond which a joint counts as wrong (the evaluator's threshold)."""


@dataclass(frozen=True)
class Picture:
    path: Path
    caption: str
    alternative: str
    moving: bool = False


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
        """[N] means over the labelled joints; NaN for a person without any."""
        labelled = np.isfinite(self.distances).sum(axis=1)
        return np.where(
            labelled, np.nansum(self.distances, axis=1) / np.maximum(labelled, 1), np.nan
        )


@dataclass(frozen=True)
class Compared:
    """A data set's people and the methods' predictions for them."""

    dataset: Dataset
    methods: tuple[Method, ...]
    truth: Annotations
    predicted: dict[str, Predicted]
    people: pd.DataFrame
    """As `selection.candidates` gives them."""

    def row(self, row: pd.Series, around: list[int]) -> np.ndarray:
        """Draw a row of `people` as truth and methods have it, cut around some persons."""
        truth, image = self.truth, drawing.read_image(self.dataset.root / row["file"])
        points = truth.keypoints[around][truth.present[around]]
        return drawing.row(image, points, _panels(self, row["person"]), truth.skeleton)

    def picture(self, row: pd.Series, path: Path, caption: str, alternative: str) -> Picture:
        drawing.write_jpeg(path, self.row(row, [row["person"]]))
        return Picture(path, caption, alternative)


def read_truth(dataset: Dataset) -> Annotations:
    return posetrack18.read_folder(dataset.root / "annotations" / dataset.split)


def read_predicted(
    runs: Path, methods: tuple[Method, ...], protocol: str, truth: Annotations
) -> dict[str, Predicted]:
    """Read predictions of each method's first seed; methods without them are left out."""
    sizes, found = selection.head_sizes(truth), {}
    for method in methods:
        folder = run_folder(runs, method, method.seeds[0]) / protocol / "predictions"
        if folder.is_dir():
            check_predictions_unchanged(folder)
            prediction = posetrack18.read_folder(folder, truth.video_names)
            found[method.name] = Predicted(
                prediction, *selection.joint_distances(truth, prediction, sizes)
            )
    return found


def compare(spec: ReportSpec, runs: Path) -> Compared | None:
    """Read the people of a gallery; None without predictions or if nobody has enough joints."""
    truth = read_truth(spec.dataset)
    predicted = read_predicted(runs, spec.methods, spec.box_protocols[0], truth)
    people = selection.candidates(truth, {name: p.errors for name, p in predicted.items()})
    found = bool(predicted) and not people.empty
    return Compared(spec.dataset, spec.methods, truth, predicted, people) if found else None


def method_gallery(spec: ReportSpec, runs: Path, folder: Path) -> list[Picture]:
    """Write a loop, a picture per chosen person, and `gallery.csv`; nothing without predictions."""
    shown = compare(spec, runs)
    if shown is None:
        return []
    names = list(shown.predicted)
    reference = spec.reference.name if spec.reference.name in names else names[0]
    chosen = selection.choose(shown.people, names, reference)
    write_text(folder / "gallery.csv", csv(chosen.drop(columns="person")))
    pictures = [loop(shown, folder / "loop.webp")]
    measured = [method for method in spec.methods if method.name in names]
    for index, row in chosen.iterrows():
        caption = f"{row['rule'].capitalize()}: {row['video']}, frame {row['frame']}."
        errors = ", ".join(f"{m.label} {number(row[m.name], 2)}" for m in measured)
        text = f"{caption} Mean error in head sizes: {errors}."
        pictures.append(shown.picture(row, folder / f"{index + 1:02d}.jpg", caption, text))
    return pictures


def real_video_gallery(spec: ReportSpec, runs: Path, folder: Path, rows: int = 4) -> list[Picture]:
    """Write the same of real video, one picture per stretch; its labels are pseudo-labels."""
    shown = compare(spec, runs)
    if shown is None:
        return []
    pictures = [loop(shown, folder / "real_video_loop.webp")]
    chosen = selection.one_per_stretch(shown.people, list(shown.predicted), rows)
    for index, (_, row) in enumerate(chosen.iterrows(), start=1):
        caption = f"{row['video']}, frame {row['frame']}; the labels are pseudo-labels."
        text = f"Real video with skeletons drawn over: {caption}"
        pictures.append(shown.picture(row, folder / f"real_video_{index:02d}.jpg", caption, text))
    return pictures


def loop(shown: Compared, path: Path, length: int = 12, seconds: float = 2.4) -> Picture:
    """Write all methods on the successive labelled frames of one person where they differ most."""
    rows = selection.clip(shown.people, list(shown.predicted), length)
    around = rows.person.tolist()
    drawing.write_loop(path, [shown.row(row, around) for _, row in rows.iterrows()], seconds)
    frames = ", ".join(str(frame) for frame in rows.frame)
    caption = (
        f"Methods disagree for longest: {rows.video.iloc[0]}, labelled frames {frames}, one after "
        f"the other and again; skeletons are {shown.dataset.label_kind} and predictions."
    )
    return Picture(path, caption, f"Moving: {caption}", moving=True)


def contact_sheet(dataset: Dataset, path: Path, tiles: int = 12, columns: int = 4) -> Picture:
    """Write labelled frames spread evenly over the split, with their labels."""
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


def _panels(shown: Compared, person: int) -> list[Panel]:
    truth = shown.truth
    title = "Pseudo-labels" if shown.dataset.labels == "pseudo" else "Ground truth"
    panels = [Panel(title, "", truth.keypoints[person], truth.present[person])]
    for method in shown.methods:
        own = shown.predicted.get(method.name)
        if own is None or own.matches[person] < 0:
            panels.append(Panel(method.label, "no prediction" if own else "not run"))
            continue
        found, match = own.annotations, own.matches[person]
        remark, wrong = f"error {number(own.errors[person], 2)}", own.distances[person] > WRONG
        present = found.present[match] & truth.present[person]
        panels.append(Panel(method.label, remark, found.keypoints[match], present, wrong))
    return panels
