"""The loop over steps: the same for every method, on one process or several.

Device, precision and processes come from Lightning Fabric. What differs between methods is inside
the method; the loop knows only `forward`, `loss`, `parameter_groups` and `monitor`.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from lightning_fabric import Fabric
from tqdm import tqdm

from tdmi.checkpoints.own import load_state, save
from tdmi.clips.crops import normalise
from tdmi.clips.samples import TrainingSamples
from tdmi.config.training import Recipe
from tdmi.core.errors import UserError
from tdmi.core.files import write_text
from tdmi.core.process import out_of_memory
from tdmi.models.method import PoseMethod
from tdmi.training.batches import Batch, load_batches, part_size
from tdmi.training.faults import collapsed, not_finite, remedy, save_step, smaller_batch
from tdmi.training.history import History, gradient_norms, tensorboard_writer, train_pck
from tdmi.training.optimiser import make_optimiser, make_schedule
from tdmi.training.validation import Validation

Timing = dict[str, float | str | None]
"""``train_seconds`` over all attempts, ``train_samples_per_second``, ``device``."""


def launch(recipe: Recipe) -> Fabric:
    """Start the processes that a recipe asks for, each with its device and precision."""
    fabric = Fabric(
        accelerator="auto",
        devices=recipe.devices,
        precision=recipe.precision,
        strategy="ddp" if recipe.devices > 1 else "auto",
    )
    fabric.launch()
    return fabric


def train(
    fabric: Fabric,
    method: PoseMethod,
    samples: TrainingSamples,
    validation: Validation | None,
    recipe: Recipe,
    folder: Path,
    identity: Mapping[str, Any] | None = None,
) -> Timing:
    """Train a method; write ``history.csv`` and ``checkpoint.pt`` to `folder`.

    A run that was interrupted resumes from ``resume.pt`` and ends with the same bits.

    Args:
        validation: measures the AP every `recipe.validate_every` steps, if that is given.
        identity: settings and hashes of data and initial weights, kept with the state; see
            `tdmi.checkpoints.own.check_resumable`.
    """
    method.train()
    loop = Loop(fabric, method, samples, validation, recipe, folder, identity or {})
    loop.run()
    if fabric.is_global_zero:
        loop.finish()
    fabric.barrier()
    return {
        "train_seconds": loop.seconds,
        "train_samples_per_second": loop.total * recipe.batch_size / loop.seconds,
        "device": str(fabric.device),
    }


def keep_untrained(method: PoseMethod, folder: Path, device: torch.device) -> Timing:
    """Write the result of a recipe of no steps: the initial weights, a history without rows."""
    write_text(folder / "history.csv", "epoch,step,learning_rate,loss\n")
    save(folder / "checkpoint.pt", {"model": method.state_dict()})
    return {"train_seconds": 0.0, "train_samples_per_second": None, "device": str(device)}


@dataclass
class Loop:
    """The state of training and the loop over steps."""

    fabric: Fabric
    plain: PoseMethod
    samples: TrainingSamples
    validation: Validation | None
    recipe: Recipe
    folder: Path
    identity: Mapping[str, Any]

    def __post_init__(self) -> None:
        self.part = part_size(self.recipe, self.fabric.world_size)
        self.recipe = recipe = self.recipe.in_steps(len(self.samples))
        self.total = recipe.steps or 0
        optimiser = make_optimiser(self.plain, recipe)
        self.schedule = make_schedule(optimiser, recipe)
        self.method, self.optimiser = self.fabric.setup(self.plain, optimiser)
        self.history = History()
        self.step, self.seconds = 0, 0.0
        self.resume()
        self.saved_at = time.monotonic()
        self.board = None
        if recipe.tensorboard and self.fabric.is_global_zero:
            self.board = tensorboard_writer(self.folder / "tensorboard", self.step)

    @property
    def scaler(self) -> torch.amp.GradScaler | None:
        """Scaler that keeps float16 gradients in range; None in any other precision."""
        return getattr(self.fabric.strategy.precision, "scaler", None)

    def resume(self) -> None:
        state = load_state(self.folder / "resume.pt", self.fabric.device)
        if state is None:
            return
        self.plain.load_state_dict(state["model"])
        self.optimiser.load_state_dict(state["optimiser"])
        self.schedule.load_state_dict(state["schedule"])
        self.fabric.strategy.precision.load_state_dict(state["precision"])
        self.history = History(**state["history"])
        self.step, self.seconds = state["step"], state["seconds"]
        torch.set_rng_state(state["random"].cpu())
        if state["cuda_random"] is not None and self.fabric.device.type == "cuda":
            torch.cuda.set_rng_state(state["cuda_random"].cpu(), self.fabric.device)

    def save_state(self) -> None:
        cuda = self.fabric.device.type == "cuda"
        state = {
            "identity": self.identity,
            "model": self.plain.state_dict(),
            "optimiser": self.optimiser.state_dict(),
            "schedule": self.schedule.state_dict(),
            "precision": self.fabric.strategy.precision.state_dict(),
            "history": vars(self.history),
            "step": self.step,
            "seconds": self.seconds,
            "random": torch.get_rng_state(),
            "cuda_random": torch.cuda.get_rng_state(self.fabric.device) if cuda else None,
        }
        save(self.folder / "resume.pt", state)
        self.saved_at = time.monotonic()

    def run(self) -> None:
        batches = load_batches(
            self.samples,
            self.recipe,
            self.step,
            self.fabric.global_rank,
            self.fabric.world_size,
            pin_memory=self.fabric.device.type == "cuda",
        )
        bar = tqdm(
            batches,
            desc=f"{self.folder.parent.name}/{self.folder.name}",
            initial=self.step,
            total=self.total,
            unit="step",
            mininterval=5,
            disable=not self.fabric.is_global_zero,
        )
        begin = time.perf_counter() - self.seconds
        for parts in bar:
            try:
                values = self.update(parts)
            except RuntimeError as error:
                if not out_of_memory(error):
                    raise
                raise smaller_batch(
                    self.folder, self.fabric.device, self.part, self.recipe.accumulate
                ) from error
            self.history.add(values)
            self.step += 1
            self.seconds = time.perf_counter() - begin
            if self.step % self.recipe.log_every == 0 or self.step == self.total:
                self.record(bar, parts)
            if self.state_is_due() and self.step < self.total and self.fabric.is_global_zero:
                self.save_state()

    def due(self, every: int | None) -> bool:
        """Return whether a task of every so many steps is due; at the end it always is."""
        return every is not None and (self.step % every == 0 or self.step == self.total)

    def epoch(self, step: int) -> int:
        """Number of whole passes over the samples after so many steps."""
        return step * self.recipe.batch_size // len(self.samples)

    def state_is_due(self) -> bool:
        late = time.monotonic() - self.saved_at > 60 * self.recipe.checkpoint_minutes
        new_epoch = self.epoch(self.step) > self.epoch(self.step - 1)
        return late or new_epoch or self.due(self.recipe.checkpoint_every)

    def update(self, parts: Sequence[Batch]) -> dict[str, float]:
        """Make one optimiser step; return the values that the history averages."""
        self.optimiser.zero_grad()
        values: dict[str, float] = {}
        for i, part in enumerate(parts):
            # Processes exchange gradients once a step.
            last = i == len(parts) - 1
            with self.fabric.no_backward_sync(self.method, enabled=not last):
                measured = self.backward(part.to(self.fabric.device), share=1 / len(parts))
            for name, value in measured.items():
                values[name] = values.get(name, 0.0) + value / len(parts)
        optimiser = self.optimiser.optimizer
        self.fabric.strategy.precision.unscale_gradients(optimiser)
        values |= gradient_norms(self.plain)
        # A scaler skips steps whose gradients overflow, and continues with a smaller scale.
        fault = not_finite(values)
        if fault and not (self.scaler and fault.startswith("gradient_norm")):
            path = save_step(self._own("nan_batch.pt"), self.step, parts, self.plain, values)
            raise UserError(
                f"{self.folder}: {fault} is {values[fault]} at step {self.step}; "
                f"{remedy(fault, self.step)}; the batch and the weights before it are in {path}"
            )
        if clip := self.recipe.gradient_clip:
            # Not by Fabric, which ends the run where a gradient overflows.
            clipped = [p for group in optimiser.param_groups for p in group["params"]]
            torch.nn.utils.clip_grad_norm_(clipped, clip)
        self.optimiser.step()
        self.schedule.step()
        return values

    def backward(self, batch: Batch, share: float) -> dict[str, float]:
        """Add the gradient of `share` times the loss of a batch; return the measured values."""
        frames = normalise(batch.frames, self.fabric.device)
        output = self.method(frames, batch.offsets, *batch.cue)
        losses = self.plain.loss(output, batch.target)
        loss = torch.stack(list(losses.values())).sum()
        self.fabric.backward(loss * share)
        heatmaps, target = output.heatmaps.detach(), batch.target
        values = {"loss": loss.item(), **{f"loss_{k}": v.item() for k, v in losses.items()}}
        values["heatmap_peak"] = float(heatmaps.amax(dim=(2, 3))[target.weight > 0].mean())
        values["train_pck"] = train_pck(heatmaps, target)
        return values | self.plain.monitor(output)

    def _own(self, name: str) -> Path:
        """A file of this process in the run folder."""
        rank = self.fabric.global_rank
        return self.folder / (f"rank{rank}_{name}" if rank else name)

    def record(self, bar: tqdm, parts: Sequence[Batch]) -> None:
        row = {
            "epoch": self.epoch(self.step),
            "step": self.step,
            "learning_rate": self.optimiser.param_groups[-1]["lr"],
        }
        if self.validation and self.due(self.recipe.validate_every):
            row["val_ap"] = self.validation(self.plain, self.fabric.device)
        row = self.history.row(row)
        shown = {"loss": f"{row['loss']:.5f}", "pck": f"{row['train_pck']:.2f}"}
        if "val_ap" in row:
            shown["val_ap"] = f"{row['val_ap']:.1f}"
        bar.set_postfix(shown)
        if self.board:
            for name in row.keys() - {"step"}:
                self.board.add_scalar(name, row[name], self.step)
        if collapsed(self.history.rows):
            path = save_step(self._own("collapse_batch.pt"), self.step, parts, self.plain, row)
            bar.write(
                f"{self.folder}: the mean heatmap maximum fell to {row['heatmap_peak']:.3g} by "
                f"step {self.step}: the method may have collapsed; a batch and the weights are "
                f"in {path}",
                file=sys.stderr,
            )

    def finish(self) -> None:
        self.history.write(self.folder / "history.csv")
        save(self.folder / "checkpoint.pt", {"model": self.plain.state_dict()})
        if self.board:
            self.board.close()
