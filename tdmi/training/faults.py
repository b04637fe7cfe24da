"""Early signs of a failed training: values that are not finite, collapse, lack of memory."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

import torch

from tdmi.checkpoints.own import State, save
from tdmi.core.errors import UserError
from tdmi.models.method import PoseMethod
from tdmi.training.batches import Batch

COLLAPSE = 0.1
"""A method that found joints has collapsed when its mean heatmap maximum falls below this share of
its best so far (choice of this project: maxima are about 1 on labelled joints, and a mean over the
steps of a row never fell below 0.9 of the best in the runs of the embedded suite)."""


def smaller_batch(folder: Path, device: torch.device, windows: int, accumulate: int) -> UserError:
    """Return the error for `windows` at a time that need too much memory, with advice."""
    found = f"{folder}: out of memory on {device} with {windows} windows at a time"
    if windows == 1:
        return UserError(f"{found}; set precision: bf16-mixed, or a smaller crop or backbone")
    fewer = max(n for n in range(1, windows // 2 + 1) if windows % n == 0)
    parts = accumulate * windows // fewer
    return UserError(
        f"{found}; set accumulate: {parts} in the recipe, which takes {fewer} at a time and "
        f"learns the same, or a batch_size of {fewer} per device"
    )


def save_step(
    path: Path, step: int, batches: Sequence[Batch], method: PoseMethod, values: dict[str, float]
) -> Path:
    """Keep what a suspicious step saw, to study it: batch, weights before the step, and values."""
    content: State = {
        "step": step,
        "positions": [position for batch in batches for position in batch.positions],
        "frames": torch.cat([batch.frames.cpu() for batch in batches]),
        "offsets": torch.cat([batch.offsets.cpu() for batch in batches]),
        "heatmaps": torch.cat([batch.target.heatmaps.cpu() for batch in batches]),
        "weight": torch.cat([batch.target.weight.cpu() for batch in batches]),
        "model": method.state_dict(),
        "values": values,
    }
    save(path, content)
    return path


def not_finite(values: dict[str, float]) -> str | None:
    """Name of the first loss or gradient norm that is infinite or NaN."""
    watched = ("loss", "gradient_norm")
    found = (n for n, v in values.items() if n.startswith(watched) and not math.isfinite(v))
    return next(found, None)


def remedy(fault: str, step: int) -> str:
    """Return what to do about a value that is not finite; before the first step nothing is learnt,
    so that the recipe is not to blame for the loss."""
    if step == 0 and fault.startswith("loss"):
        return "nothing is learnt yet: look at the initial weights and the inputs"
    return "lower learning_rate or set gradient_clip in the recipe, then start with --fresh"


def collapsed(rows: Sequence[dict[str, float]]) -> bool:
    """Return whether the last row of a history is its first collapse; see `COLLAPSE`."""

    def fallen(count: int) -> bool:
        *before, last = [row.get("heatmap_peak", math.nan) for row in rows[:count]]
        best = max((peak for peak in before if math.isfinite(peak)), default=0.0)
        return best >= COLLAPSE and last < COLLAPSE * best

    return fallen(len(rows)) and not any(fallen(n) for n in range(1, len(rows)))
