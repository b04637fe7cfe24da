"""Measurements of a training: the rows of ``history.csv``, and TensorBoard's copy of them."""

from __future__ import annotations

import csv
import math
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch

from tdmi.core.errors import UserError
from tdmi.core.files import replacing
from tdmi.models.method import PoseMethod
from tdmi.models.output import Target


@dataclass
class History:
    """Rows of ``history.csv``: means since the last row, and values measured at it."""

    rows: list[dict[str, float]] = field(default_factory=list)
    sums: dict[str, float] = field(default_factory=dict)
    count: int = 0

    def add(self, values: dict[str, float]) -> None:
        for name, value in values.items():
            self.sums[name] = self.sums.get(name, 0.0) + value
        self.count += 1

    def row(self, values: dict[str, float]) -> dict[str, float]:
        means = {name: total / self.count for name, total in self.sums.items()}
        self.rows.append({**values, **means})
        self.sums, self.count = {}, 0
        return self.rows[-1]

    def write(self, path: Path) -> None:
        """Write a column for every value of any row; missing values and NaN are empty."""
        names = list(dict.fromkeys(name for row in self.rows for name in row))
        known = [{k: v for k, v in row.items() if not math.isnan(v)} for row in self.rows]
        with replacing(path) as part, part.open("w", encoding="utf-8", newline="") as file:
            table = csv.DictWriter(file, names, lineterminator="\n")
            table.writeheader()
            table.writerows(known)


def tensorboard_writer(folder: Path, step: int) -> Any:
    """A writer of scalars for TensorBoard; what an earlier attempt wrote after `step` is dropped.

    Raises UserError if the package, an optional one, is not installed.
    """
    try:
        from torch.utils.tensorboard import SummaryWriter
    except ImportError:
        raise UserError(
            "recipe: tensorboard is true, but the package tensorboard is not installed; "
            "install it with `pip install 'tdmi-bench[tensorboard]'` or set it to false"
        ) from None
    return SummaryWriter(str(folder), purge_step=step)


def gradient_norms(method: PoseMethod) -> dict[str, float]:
    """Euclidean norm of the gradient of "backbone" with head, of the rest ("new"), and of every
    other trainable part of the method, by its attribute's name."""
    groups = method.parameter_groups()
    for name, part in method.named_children():
        trainable = [p for p in part.parameters() if p.requires_grad]
        if trainable and name not in ("backbone", "head"):
            groups[name] = trainable
    norms = {}
    for name, parameters in groups.items():
        gradients = [p.grad for p in parameters if p.grad is not None]
        norm = torch.nn.utils.get_total_norm(gradients) if gradients else torch.tensor(0.0)
        norms[f"gradient_norm_{name}"] = float(norm)
    return norms


def train_pck(prediction: torch.Tensor, target: Target, cells: float = 1.0) -> float:
    """Share of labelled joints whose peak lies within `cells` heatmap pixels of the target's.

    Not the number that official code logs, whose distance in x counts in tenths of the map's height
    and that in y in tenths of its width, and which leaves out joints in the first two rows and
    columns.
    """
    width = prediction.shape[-1]

    def peak(maps: torch.Tensor) -> torch.Tensor:
        index = maps.flatten(2).argmax(dim=2)
        return torch.stack([index % width, index // width], dim=2).float()

    distance = (peak(prediction) - peak(target.heatmaps)).norm(dim=2)
    labelled = target.weight > 0
    return float((distance[labelled] <= cells).float().mean()) if labelled.any() else math.nan
