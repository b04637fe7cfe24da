"""The drawing that explains TDMI on one person: differences, motion, its parts, and heatmaps."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.gridspec import GridSpec

from tdmi.reporting.figures import style

if TYPE_CHECKING:  # imports torch, which drawing does not need
    from tdmi.experiments.explain.inspection import Inspection

LEGEND = (
    "Differences, motion and its parts: root mean square over channels, from nothing (dark) to the "
    "value in the title; the differences of a stage share one scale, and so do motion and its "
    "parts. Heatmaps: the peak's height in the title, one scale; crosses: labels."
)
UNIT = 0.72
"""Half the width of a panel in inches."""
SHOWN_JOINTS = ("right_wrist", "left_wrist", "right_ankle", "left_ankle")
"""Joints with a heatmap of their own in the figure: the ends of the limbs, which move most."""
USEFUL, NOISY = style.colour("difference"), "#0072b2"


@style.applied()
def draw(inspection: Inspection, labels: str = "Labels") -> tuple[Figure, pd.DataFrame]:
    """Return the figure and its numbers; `labels` names the true positions."""
    sheet = _Sheet(inspection)
    sheet.frames()
    for row in range(len(inspection.depths)):
        sheet.stage(row)
    sheet.parts()
    sheet.output(labels)
    return sheet.figure, numbers(inspection)


class _Sheet:
    """The figure's panels: a row of frames, one per stage, one of the parts, one of the output."""

    def __init__(self, inspection: Inspection) -> None:
        self.of, self.last = inspection, len(inspection.depths) + 2
        height, width = inspection.motion.shape
        rows, columns = self.last + 1, max(2 * len(inspection.crops) + 2, 12)
        tall = 2 * UNIT * height / width
        self.figure = Figure(figsize=(UNIT * columns + 0.35, rows * (tall + 0.27)))
        self.grid = GridSpec(
            rows, columns, self.figure, left=0.35 / self.figure.get_figwidth(), right=0.995,
            bottom=0.005, top=1 - 0.25 / self.figure.get_figheight(), wspace=0.06,
            hspace=0.27 / tall,
        )  # fmt: skip

    def panel(self, row: int, column: int, title: str, wide: int = 2) -> Axes:
        axes = self.figure.add_subplot(self.grid[row, column : column + wide])
        axes.set_title(title, fontsize=8, pad=3)
        axes.set(xticks=[], yticks=[])
        axes.grid(visible=False)
        axes.spines[:].set_visible(False)
        return axes

    def map(self, row: int, column: int, title: str, values: np.ndarray, most: float) -> Axes:
        axes = self.panel(row, column, title)
        axes.imshow(values, cmap="inferno", vmin=0, vmax=max(float(most), 1e-12))
        return axes

    def frames(self) -> None:
        for index, crop in enumerate(self.of.crops):
            time = _time(self.of.offsets[index])
            is_key = index == self.of.key
            axes = self.panel(0, 2 * index, f"{time} (key frame)" if is_key else time)
            axes.imshow(crop)
            if is_key:
                axes.spines[:].set(visible=True, color=USEFUL, linewidth=2)

    def stage(self, index: int) -> None:
        maps, motion = self.of.differences[index], self.of.modulated[index]
        most = maps.max()
        steps = zip(_steps(self.of), maps, strict=True)
        first, *_ = (self.map(index + 1, *step, values, most) for step, values in steps)
        text = f"Stage {self.of.depths[index]}, to {most:.2g}"
        first.set_ylabel(text, fontsize=8, color=style.INK)
        title = f"motion, to {motion.max():.2g}"
        self.map(index + 1, 2 * len(self.of.crops), title, motion, motion.max())

    def parts(self) -> None:
        row, maps = self.last - 1, (self.of.motion, self.of.useful, self.of.noisy)
        most = max(values.max() for values in maps)
        titles = (f"Motion, to {most:.2g}", "useful part", "noisy part")
        for place, (title, values) in enumerate(zip(titles, maps, strict=True)):
            self.map(row, 2 * place, title, values, most)
        if self.of.useful_mask.ndim == 1:
            _channel_masks(self.of, self.panel(row, 6, "", 6))
            return
        for place, name in enumerate(("useful", "noisy"), start=3):
            values = getattr(self.of, f"{name}_mask").mean(axis=0)
            title = f"{name} mask {values.min():.2f}…{values.max():.2f}"
            self.panel(row, 2 * place, title).imshow(values, cmap="cividis", vmin=0, vmax=1)

    def output(self, labels: str) -> None:
        heatmaps, known = self.of.heatmaps, self.of.skeleton.joints
        shown = ((labels, self.of.labels), ("Prediction", self.of.predicted))
        for place, (title, points) in enumerate(shown):
            axes = self.panel(self.last, 2 * place, title)
            axes.imshow(self.of.crops[self.of.key])
            _skeleton(axes, self.of, points)
        for place, joint in enumerate(map(known.index, shown_joints(self.of)), start=2):
            title = f"{known[joint].replace('_', ' ')} {heatmaps[joint].max():.2f}"
            most = heatmaps[self.of.labelled].max()
            axes = self.map(self.last, 2 * place, title, heatmaps[joint], most)
            if self.of.labelled[joint]:
                axes.plot(*self.of.labels[joint], "+", color="white", markersize=9, mew=1.4)


def shown_joints(inspection: Inspection) -> list[str]:
    """Return four joints: the ends of the limbs, or the last ones of a skeleton that lacks some."""
    joints = inspection.skeleton.joints
    ends = [joint for joint in SHOWN_JOINTS if joint in joints]
    return (ends + [joint for joint in reversed(joints) if joint not in ends])[:4]


def _channel_masks(inspection: Inspection, axes: Axes) -> None:
    """Draw both masks by channel, ordered by their difference."""
    order = np.argsort(inspection.noisy_mask - inspection.useful_mask, kind="stable")
    place = np.arange(len(order))
    useful, noisy = inspection.useful_mask[order], inspection.noisy_mask[order]
    axes = axes.inset_axes((0.1, 0.17, 0.88, 0.8))
    axes.vlines(place, useful, noisy, color=style.RULE, linewidth=1.5)
    axes.plot(place, useful, "D", color=USEFUL, markersize=4.5, label="useful mask")
    axes.plot(place, noisy, "o", color=NOISY, markersize=4.5, label="noisy mask")
    axes.set(ylim=(-0.03, 1.03), xticks=[], xlim=(-0.7, len(order) - 0.3))
    axes.tick_params(labelsize=7)
    axes.set_xlabel("channels, from most useful to most noisy", fontsize=8)
    axes.legend(loc="upper right", fontsize=7.5, ncols=2, frameon=False)


def _skeleton(axes: Axes, inspection: Inspection, points: np.ndarray) -> None:
    """Draw limbs of the labelled joints over a crop, which is larger than the maps."""
    height, width = inspection.crops.shape[1:3]
    points = (points + 0.5) * (height / len(inspection.motion)) - 0.5
    for one, other in inspection.skeleton.limbs:
        ends = [inspection.skeleton.index(one), inspection.skeleton.index(other)]
        if inspection.labelled[ends].all():
            for colour, line in ((style.INK, 3), (style.side_colour(one, other), 1.8)):
                axes.plot(*points[ends].T, color=colour, linewidth=line, solid_capstyle="round")
    axes.set(xlim=(-0.5, width - 0.5), ylim=(height - 0.5, -0.5))


def _time(offset: int) -> str:
    return "t" if offset == 0 else f"t{'+' if offset > 0 else '−'}{abs(offset)}"


def _steps(inspection: Inspection) -> list[tuple[int, str]]:
    """Return column and title of each difference of a stage."""
    times = [_time(offset) for offset in inspection.offsets]
    if inspection.difference == "consecutive":
        pairs = enumerate(pairwise(times))
        return [(2 * place + 1, f"{after} minus {before}") for place, (before, after) in pairs]
    if inspection.difference == "none":
        return [(2 * place, time) for place, time in enumerate(times)]
    key = inspection.key
    return [(2 * i, f"{time} minus t") for i, time in enumerate(times) if i != key]


def numbers(inspection: Inspection) -> pd.DataFrame:
    """Return means of maps, masks per channel and heatmap peaks: part, name, index, value."""
    rows: list[tuple[Any, ...]] = []
    for stage, depth in enumerate(inspection.depths):
        for index, (_, title) in enumerate(_steps(inspection)):
            mean = inspection.differences[stage, index].mean()
            rows.append((f"stage {depth}", title, index, mean))
        rows.append((f"stage {depth}", "motion", 0, inspection.modulated[stage].mean()))
    for name in ("motion", "useful", "noisy"):
        rows.append(("parts", name, 0, getattr(inspection, name).mean()))
    for name in ("useful_mask", "noisy_mask"):
        mask = getattr(inspection, name)
        per_channel = mask.reshape(len(mask), -1).mean(axis=1)
        rows += [("masks", name, index, value) for index, value in enumerate(per_channel)]
    peaks = zip(inspection.skeleton.joints, inspection.heatmaps.max(axis=(1, 2)), strict=True)
    rows += [("heatmap peaks", joint, index, peak) for index, (joint, peak) in enumerate(peaks)]
    return pd.DataFrame(rows, columns=["part", "name", "index", "value"])
