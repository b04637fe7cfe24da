"""The list of a report's figures: data, drawing and caption of each, by section of the page."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import pandas as pd
from matplotlib.figure import Figure

from tdmi.reporting.data.runs import Runs
from tdmi.reporting.data.spec import ReportSpec
from tdmi.reporting.figures import accuracy, style
from tdmi.reporting.figures.ablation import ablation, ablation_data
from tdmi.reporting.figures.breakdown import difficulty, difficulty_data, videos, videos_data
from tdmi.reporting.figures.curves import ENOUGH, pckh, pckh_data, reliability, reliability_data
from tdmi.reporting.figures.gallery import Picture
from tdmi.reporting.figures.training import collapse, collapse_data, history_data, training_curves
from tdmi.reporting.tables.ablation import PREVIOUS, Contrast

SECTIONS = ANSWER, ACCURACY, TRAINING = "answer", "accuracy", "training"
"""Sections of the page."""
_SEEDS = "Small dots: seeds; large marks: their mean."
_CURVES = "Thin lines: seeds; grey: the means of all other methods."
_COLLAPSE = (
    "Signs of collapse over training, for the methods that split motion by gates. Healthy: masks "
    "neither all near 0 nor all near 1, with a spread over channels and few saturated; a distance "
    "between the two masks; useful motion that is a part of the visual feature's size and not "
    "nothing; peaks of the heatmaps that rise; no part whose gradient vanishes or explodes alone "
    "(a part without a line has none: it is frozen, or dead). Thin lines: seeds; thick: their mean."
)


@dataclass(frozen=True)
class FigureSpec:
    """A figure; it is left out where `data` is empty."""

    section: str
    name: str
    data: pd.DataFrame
    draw: Callable[[pd.DataFrame, ReportSpec], Figure]
    caption: str
    conditions: str
    """How the numbers were measured: end of the caption."""

    def write(self, spec: ReportSpec, folder: Path) -> Picture:
        """Draw and save the figure with its numbers."""
        style.save(self.draw(self.data, spec), self.data, folder, self.name)
        caption = f"{self.caption} {self.conditions}"
        alternative = f"{self.caption} Numbers: {self.name}.csv."
        return Picture(folder / f"{self.name}.svg", caption, alternative)


def figures(runs: Runs, spec: ReportSpec, contrasts: list[Contrast]) -> Iterator[FigureSpec]:
    """Yield the figures that the runs allow, in the order of the page.

    `contrasts` are those of a grid of ablations, on all kinds of boxes; else there are none.
    """
    parts = (_of_mean_ap(runs, spec, contrasts), _of_accuracy(runs, spec), _of_training(runs, spec))
    return (figure for part in parts for figure in part if len(figure.data))


def _of_mean_ap(runs: Runs, spec: ReportSpec, contrasts: list[Contrast]) -> Iterator[FigureSpec]:
    for protocol, boxes in spec.protocols.items() if spec.is_grid else ():
        own = [contrast for contrast in contrasts if contrast.protocol == protocol]
        joined = ", joined in the order of the ladder" * (PREVIOUS in spec.ablation.comparisons)
        yield FigureSpec(
            ANSWER, f"ablation_{protocol}", ablation_data(runs, protocol, own), ablation,
            f"Ablation on {boxes}. Left: mean AP; small dots: seeds, large marks: "
            f"their mean{joined}. Then differences in mean AP; upper, thick lines: 95% Student "
            "interval over seeds; lower, thin ones: 95% bootstrap interval over videos and seeds.",
            spec.conditions(boxes),
        )  # fmt: skip
    is_answer = spec.subject is None and not spec.is_grid
    yield FigureSpec(
        ANSWER if is_answer else ACCURACY, "mean_ap", accuracy.mean_ap_data(runs, spec),
        accuracy.mean_ap, f"Mean average precision of every method. {_SEEDS}", spec.conditions(),
    )  # fmt: skip
    for reference in spec.references if not spec.is_grid else ():
        against = reference.method
        yield FigureSpec(
            ANSWER if spec.subject and against == spec.strictest else ACCURACY,
            f"difference_to_{against.name}", accuracy.mean_ap_data(runs, spec, against),
            partial(accuracy.mean_ap, against=against),
            f"Difference in mean AP to “{against.label}”, seed by seed. {_SEEDS}",
            spec.conditions(),
        )  # fmt: skip


def _of_accuracy(runs: Runs, spec: ReportSpec) -> Iterator[FigureSpec]:
    for protocol, boxes in spec.protocols.items():
        yield FigureSpec(
            ACCURACY, f"per_joint_{protocol}", accuracy.per_joint_data(runs, protocol),
            accuracy.per_joint, f"Average precision per joint group on {boxes}, in per cent. "
            "Whiskers: standard deviation over seeds.", spec.conditions(boxes),
        )  # fmt: skip
    if not spec.is_grid:
        yield from _of_details(runs, spec)
    yield FigureSpec(
        ACCURACY, "accuracy_against_cost", accuracy.cost_data(runs, spec),
        accuracy.accuracy_against_cost,
        "Mean AP against the cost of one key frame (two operations per multiply-add). Whiskers: "
        "standard deviation over seeds.", spec.conditions(),
    )  # fmt: skip


def _of_details(runs: Runs, spec: ReportSpec) -> Iterator[FigureSpec]:
    """Yield the figures of curves, slices and single videos."""
    for protocol, boxes in spec.protocols.items():
        data = difficulty_data(runs, spec, protocol)
        yield FigureSpec(
            ACCURACY, f"difficulty_{protocol}", data if data.value.notna().any() else data[:0],
            difficulty,
            f"AP against difficulty on {boxes}, people in bins from easy (left) to hard. Top: "
            f"AP of “{spec.reference.label}” in each bin. Below: difference to it, paired by seed; "
            "whiskers: 95% Student interval over seeds, cut where they leave the panel; hollow "
            "marks: fewer than 100 people; triangles: off the axis, with the value.",
            spec.conditions(boxes),
        )  # fmt: skip
    yield FigureSpec(
        ACCURACY, "pckh", pckh_data(runs, spec), pckh,
        "PCKh: joints within a distance of the label, in per cent of all annotated joints, "
        "mean of the joints and over seeds.", spec.conditions(),
    )  # fmt: skip
    yield FigureSpec(
        ACCURACY, "reliability", reliability_data(runs), reliability,
        "Reliability of the joint score: share of the joints that the evaluator counts as "
        "right against their mean score, in bins of 0.05, all seeds together; whiskers: "
        "standard deviation over seeds; dotted: a score that is a probability; grey: all "
        "other methods. Off by: mean distance from the dotted line over joints. Bins of "
        f"fewer than {ENOUGH} joints are not drawn. AP does not depend on it: only the order of "
        "the scores counts there.", spec.conditions(),
    )  # fmt: skip
    subject = spec.subject.label if spec.subject else ""
    yield FigureSpec(
        ACCURACY, "single_videos", videos_data(runs, spec), videos,
        f"“{subject}” against others in every single video. Dots: seeds; line: their mean.",
        spec.conditions(),
    )  # fmt: skip


def _of_training(runs: Runs, spec: ReportSpec) -> Iterator[FigureSpec]:
    heatmap = "loss_heatmap" in runs.history and runs.history.loss_heatmap.notna().all()
    loss = ("loss_heatmap", "Heatmap loss", "") if heatmap else ("loss", "Training loss", "")
    curves = {"training_loss": loss, "validation_ap": ("val_ap", "Validation AP", " (%)")}
    for name, (column, label, unit) in curves.items():
        draw = partial(training_curves, axis=f"{label}{unit}", logarithmic=not unit)
        yield FigureSpec(
            TRAINING, name, history_data(runs, column), draw,
            f"{label} over training. {_CURVES}", f"{spec.dataset.name}.",
        )  # fmt: skip
    yield FigureSpec(
        TRAINING, "signs_of_collapse", collapse_data(runs), collapse, _COLLAPSE,
        f"{spec.dataset.name}.",
    )  # fmt: skip
