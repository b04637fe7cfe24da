"""The drawing that explains TDMI on one person: differences, motion, its parts, and heatmaps."""

from __future__ import annotations

from typing import TYPE_CHECKING

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
_SIDES = {"left": "#56b4e9", "right": "#e69f00"}
_MIDDLE = "#f0e442"


@style.applied()
def draw(inspection: Inspection, labels: str = "Labels") -> tuple[Figure, pd.DataFrame]:
    """Return the figure and its numbers; `labels` names the true positions."""
    frames, depths = len(inspection.crops), len(inspection.depths)
    height, width = inspection.motion.shape
    columns = max(2 * frames + 2, 12)
    rows = depths + 3
    figure = Figure(figsize=(UNIT * columns + 0.35, rows * (2 * UNIT * height / width + 0.27)))
    grid = GridSpec(
        rows, columns, figure, left=0.35 / figure.get_figwidth(), right=0.995, bottom=0.005,
        top=1 - 0.25 / figure.get_figheight(), wspace=0.06,
        hspace=0.27 / (2 * UNIT * height / width),
    )  # fmt: skip

    def panel(row: int, column: int, title: str, wide: int = 2) -> Axes:
        axes = figure.add_subplot(grid[row, column : column + wide])
        axes.set_title(title, fontsize=8, pad=3)
        axes.set(xticks=[], yticks=[])
        axes.grid(visible=False)
        for spine in axes.spines.values():
            spine.set_visible(False)
        return axes

    _frames(inspection, panel)
    for row, depth in enumerate(inspection.depths, start=1):
        _stage(inspection, row, depth, panel)
    _parts(inspection, depths + 1, panel)
    _output(inspection, depths + 2, panel, labels)
    return figure, numbers(inspection)


def _frames(inspection: Inspection, panel) -> None:
    for index, (crop, offset) in enumerate(zip(inspection.crops, inspection.offsets, strict=True)):
        is_key = index == inspection.key
        axes = panel(0, 2 * index, f"{_time(offset)} (key frame)" if is_key else _time(offset))
        axes.imshow(crop)
        if is_key:
            for spine in axes.spines.values():
                spine.set(visible=True, color=USEFUL, linewidth=2)


def _stage(inspection: Inspection, row: int, depth: int, panel) -> None:
    maps = inspection.differences[row - 1]
    places = [index for index in range(len(inspection.crops)) if index != inspection.key]
    for index, values in enumerate(maps):
        column = {
            "consecutive": 2 * index + 1,
            "to_key": 2 * places[min(index, len(places) - 1)],
            "none": 2 * index,
        }[inspection.difference]
        axes = panel(row, column, _pair(inspection, index))
        _map(axes, values, maps.max())
        if index == 0:
            axes.set_ylabel(f"Stage {depth}, to {maps.max():.2g}", fontsize=8, color=style.INK)
    modulated = inspection.modulated[row - 1]
    axes = panel(row, 2 * len(inspection.crops), f"motion, to {modulated.max():.2g}")
    _map(axes, modulated, modulated.max())


def _parts(inspection: Inspection, row: int, panel) -> None:
    most = max(x.max() for x in (inspection.motion, inspection.useful, inspection.noisy))
    for column, (title, values) in enumerate(
        (
            (f"Motion, to {most:.2g}", inspection.motion),
            ("useful part", inspection.useful),
            ("noisy part", inspection.noisy),
        )
    ):
        _map(panel(row, 2 * column, title), values, most)
    if inspection.useful_mask.ndim == 1:
        _channel_masks(inspection, panel(row, 6, "", 6))
        return
    for column, (title, mask) in enumerate(
        (("useful mask", inspection.useful_mask), ("noisy mask", inspection.noisy_mask))
    ):
        values = mask.mean(axis=0)
        axes = panel(row, 6 + 2 * column, f"{title} {values.min():.2f}…{values.max():.2f}")
        axes.imshow(values, cmap="cividis", vmin=0, vmax=1)


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


def _output(inspection: Inspection, row: int, panel, labels: str) -> None:
    crop = inspection.crops[inspection.key]
    most = inspection.heatmaps[inspection.labelled].max()
    for column, (title, points) in enumerate(
        ((labels, inspection.labels), ("Prediction", inspection.predicted))
    ):
        axes = panel(row, 2 * column, title)
        axes.imshow(crop)
        _skeleton(axes, inspection, points)
    joints = [inspection.skeleton.joints.index(joint) for joint in shown_joints(inspection)]
    for column, joint in enumerate(joints, start=2):
        name = inspection.skeleton.joints[joint].replace("_", " ")
        axes = panel(row, 2 * column, f"{name} {inspection.heatmaps[joint].max():.2f}")
        _map(axes, inspection.heatmaps[joint], most)
        if inspection.labelled[joint]:
            axes.plot(*inspection.labels[joint], "+", color="white", markersize=9, mew=1.4)


def shown_joints(inspection: Inspection) -> list[str]:
    """Return four joints: the ends of the limbs, or the last ones of a skeleton that lacks some."""
    joints = inspection.skeleton.joints
    ends = [joint for joint in SHOWN_JOINTS if joint in joints]
    return (ends + [joint for joint in reversed(joints) if joint not in ends])[:4]


def _skeleton(axes: Axes, inspection: Inspection, points: np.ndarray) -> None:
    """Draw limbs of the labelled joints over a crop, which is larger than the maps."""
    height = len(inspection.motion)
    points = (points + 0.5) * (inspection.crops.shape[1] / height) - 0.5
    for one, other in inspection.skeleton.limbs:
        i, j = inspection.skeleton.index(one), inspection.skeleton.index(other)
        if inspection.labelled[i] and inspection.labelled[j]:
            sides = {joint.split("_")[0] for joint in (one, other)}
            colour = _SIDES.get(sides.pop(), _MIDDLE) if len(sides) == 1 else _MIDDLE
            axes.plot(*points[[i, j]].T, color=style.INK, linewidth=3, solid_capstyle="round")
            axes.plot(*points[[i, j]].T, color=colour, linewidth=1.8, solid_capstyle="round")
    axes.set(
        xlim=(-0.5, inspection.crops.shape[2] - 0.5), ylim=(inspection.crops.shape[1] - 0.5, -0.5)
    )


def _map(axes: Axes, values: np.ndarray, most: float) -> None:
    axes.imshow(values, cmap="inferno", vmin=0, vmax=max(float(most), 1e-12))


def _time(offset: int) -> str:
    return "t" if offset == 0 else f"t{'+' if offset > 0 else '−'}{abs(offset)}"


def _pair(inspection: Inspection, index: int) -> str:
    times = [_time(offset) for offset in inspection.offsets]
    if inspection.difference == "consecutive":
        return f"{times[index + 1]} minus {times[index]}"
    if inspection.difference == "none":
        return times[index]
    others = times[: inspection.key] + times[inspection.key + 1 :]
    return f"{others[index]} minus t"


def numbers(inspection: Inspection) -> pd.DataFrame:
    """Return means of maps, masks per channel and heatmap peaks: part, name, index, value."""
    rows = []
    for depth, maps, modulated in zip(
        inspection.depths, inspection.differences, inspection.modulated, strict=True
    ):
        for index, values in enumerate(maps):
            rows.append((f"stage {depth}", _pair(inspection, index), index, values.mean()))
        rows.append((f"stage {depth}", "motion", 0, modulated.mean()))
    for name in ("motion", "useful", "noisy"):
        rows.append(("parts", name, 0, getattr(inspection, name).mean()))
    for name in ("useful_mask", "noisy_mask"):
        mask = getattr(inspection, name)
        per_channel = mask.reshape(len(mask), -1).mean(axis=1)
        rows += [("masks", name, index, value) for index, value in enumerate(per_channel)]
    peaks = inspection.heatmaps.max(axis=(1, 2))
    for index, joint in enumerate(inspection.skeleton.joints):
        rows.append(("heatmap peaks", joint, index, peaks[index]))
    return pd.DataFrame(rows, columns=["part", "name", "index", "value"])
