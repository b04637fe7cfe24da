"""Batches of training samples as tensors, loaded ahead by worker processes."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

import cv2
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from tdmi.clips.samples import TrainingSamples
from tdmi.config.training import Recipe
from tdmi.core.errors import UserError
from tdmi.models.output import Target


@dataclass
class Batch:
    """Windows that are computed together."""

    positions: Sequence[int]
    """Places of the windows in the endless sequence of samples."""
    frames: Tensor
    """[B, T, h, w, 3] uint8 RGB: a quarter of the bytes to move that floats would be."""
    offsets: Tensor
    """[B, T] int64."""
    target: Target
    cue: list[Tensor] = field(default_factory=list)
    """[B, T, C, h, w] for methods with an auxiliary input, else empty; see
    `tdmi.clips.frames.FrameCue`."""

    def pin_memory(self) -> Batch:
        """A copy in page-locked memory; called by `DataLoader`."""
        return self._each(Tensor.pin_memory)

    def to(self, device: torch.device) -> Batch:
        """The same batch on another device."""
        return self._each(lambda tensor: tensor.to(device, non_blocking=True))

    def _each(self, change: Callable[[Tensor], Tensor]) -> Batch:
        target = Target(change(self.target.heatmaps), change(self.target.weight))
        frames, offsets = change(self.frames), change(self.offsets)
        return Batch(self.positions, frames, offsets, target, [change(c) for c in self.cue])


class BatchSource(Dataset):
    """The batch at given positions of the sequence, for `DataLoader`.

    A UserError is returned in its place: one raised in a worker would show the worker's trace.
    """

    def __init__(self, samples: TrainingSamples) -> None:
        self.samples = samples

    def __getitem__(self, positions: Sequence[int]) -> Batch | UserError:
        try:
            batch = self.samples.batch(positions)
        except UserError as error:
            return error
        frames, offsets, heatmaps, weight = (
            torch.from_numpy(x) for x in (batch.frames, batch.offsets, batch.heatmaps, batch.weight)
        )
        cue = [] if batch.cue is None else [torch.from_numpy(batch.cue)]
        return Batch(positions, frames, offsets, Target(heatmaps, weight), cue)


def part_size(recipe: Recipe, processes: int) -> int:
    """Windows of a batch that one process computes at a time."""
    size, parts = recipe.batch_size, processes * recipe.accumulate
    if size % parts:
        raise UserError(
            f"recipe: batch_size is {size}, expected a multiple of {parts}: "
            f"devices ({processes}) times accumulate ({recipe.accumulate})"
        )
    return size // parts


def load_batches(
    samples: TrainingSamples,
    recipe: Recipe,
    step: int,
    rank: int = 0,
    processes: int = 1,
    pin_memory: bool = False,
) -> Iterator[list[Batch]]:
    """This process's share of each batch from `step` on, in `recipe.accumulate` parts.

    Processes take turns window by window. Workers live as long as the iterator, the whole run.
    """
    size, accumulate = recipe.batch_size, recipe.accumulate
    steps = recipe.steps or 0
    together = part_size(recipe, processes) * processes
    parts = [
        range(start + rank, start + together, processes)
        for start in range(step * size, steps * size, together)
    ]
    # OpenCV's threads do not survive the fork: a worker would wait for them forever.
    cv2.setNumThreads(1)
    loader = DataLoader(
        BatchSource(samples),
        sampler=parts,
        batch_size=None,
        num_workers=recipe.workers,
        pin_memory=pin_memory,
    )
    ahead = iter(loader)
    for _ in range(step, steps):
        batches = [next(ahead) for _ in range(accumulate)]
        for batch in batches:
            if isinstance(batch, UserError):
                raise batch
        yield batches
