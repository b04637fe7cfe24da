"""Train one run: one loop for every method, on one process or several, resumable to the same bits.

Device, precision and processes come from Lightning Fabric. What differs between methods is inside
the method; the loop knows only `forward`, `loss`, `parameter_groups` and, if present, `monitor`.
"""

from __future__ import annotations

import io
import math
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from lightning_fabric import Fabric
from torch.utils.data import DataLoader
from tqdm import tqdm

from tdmi.annotations import on_skeleton
from tdmi.building import build_method, load_checkpoint, read_split, split_windows
from tdmi.checkpoints import load_published
from tdmi.clips.augmentation import Augmentation
from tdmi.clips.samples import Sample, TrainingSamples
from tdmi.errors import UserError
from tdmi.evaluation.average_precision import evaluate
from tdmi.evaluation.table import metrics
from tdmi.files import replacing, write_text
from tdmi.inference import InferenceOptions, ground_truth_boxes, normalise, predict
from tdmi.models.method import PoseMethod
from tdmi.models.output import Target
from tdmi.skeletons import POSETRACK17
from tdmi.suites import skeleton_of

RECIPE = {
    "optimiser": "adam",
    "backbone_rate": 0.1,
    "weight_decay": 0.0,
    "schedule": "milestones",
    "milestones": [],
    "milestone_factor": 0.1,
    "precision": "32-true",
    "devices": 1,
    "workers": 0,
    "log_every": 50,
}
"""Values of a recipe's optional keys; without ``gradient_clip`` gradients are not clipped, without
``validate_every`` there is no validation, without ``checkpoint_every`` no intermediate state. The
length is given as ``steps`` or as ``epochs``; ``milestones`` count in the same unit, all else in
steps. No steps: nothing is trained, and the weights that the run starts from are judged."""


def in_steps(recipe: dict[str, Any], samples: int) -> dict[str, Any]:
    """The recipe with `epochs`, and the milestones given in epochs, turned into steps.

    An epoch is the whole batches that `samples` fill, at least one.
    """
    if "epochs" not in recipe:
        return recipe
    per_epoch = max(1, samples // recipe["batch_size"])
    rest = {key: value for key, value in recipe.items() if key != "epochs"}
    return rest | {
        "steps": recipe["epochs"] * per_epoch,
        "milestones": [epoch * per_epoch for epoch in recipe["milestones"]],
    }


def collate(samples: list[Sample]) -> tuple[np.ndarray, torch.Tensor, Target, list[torch.Tensor]]:
    """Frames stay uint8 until they are on the device: a quarter of the bytes to move. The list has
    the cue of methods that want one, and is empty otherwise."""
    cues = [torch.from_numpy(s.cue) for s in samples if s.cue is not None]
    return (
        np.stack([s.frames for s in samples]),
        torch.from_numpy(np.stack([s.offsets for s in samples])),
        Target(
            torch.from_numpy(np.stack([s.heatmaps for s in samples])),
            torch.from_numpy(np.stack([s.weight for s in samples])),
        ),
        [torch.stack(cues)] if cues else [],
    )


def make_optimiser(method: PoseMethod, recipe: dict[str, Any]) -> torch.optim.Optimizer:
    """Backbone and head learn at `backbone_rate` times the rate of the new parts."""
    groups = method.parameter_groups()
    rate = recipe["learning_rate"]
    chosen = [
        {"params": groups["backbone"], "lr": rate * recipe["backbone_rate"]},
        {"params": groups["new"], "lr": rate},
    ]
    kind = torch.optim.AdamW if recipe["optimiser"] == "adamw" else torch.optim.Adam
    return kind([g for g in chosen if g["params"]], weight_decay=recipe["weight_decay"])


def make_schedule(
    optimiser: torch.optim.Optimizer, recipe: dict[str, Any]
) -> torch.optim.lr_scheduler.LRScheduler:
    if recipe["schedule"] == "one_cycle":
        return torch.optim.lr_scheduler.OneCycleLR(
            optimiser,
            max_lr=[group["lr"] for group in optimiser.param_groups],
            total_steps=recipe["steps"],
            pct_start=0.2,
            cycle_momentum=False,
        )
    return torch.optim.lr_scheduler.MultiStepLR(
        optimiser, recipe["milestones"], recipe["milestone_factor"]
    )


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


class Validation:
    """Mean AP on the validation split with ground-truth boxes, measured while training."""

    def __init__(self, settings: dict[str, Any], window: tuple[int, ...]) -> None:
        self.annotations = read_split(settings, "validation")
        self.windows = split_windows(settings, self.annotations, window)
        self.options = InferenceOptions(**settings["inference"])

    def __call__(self, method: PoseMethod, device: torch.device) -> float:
        boxes = ground_truth_boxes(self.annotations)
        predicted = predict(method, self.windows, boxes, self.options, device)
        method.train()
        truth, guess = (on_skeleton(a, POSETRACK17) for a in (self.annotations, predicted))
        return metrics(evaluate(truth, guess))["ap"]["total"]


class History:
    """Rows of ``history.csv``: means since the last row, plus what is measured at it."""

    def __init__(
        self,
        rows: list[dict[str, float]] | None = None,
        sums: dict[str, float] | None = None,
        count: int = 0,
    ) -> None:
        self.rows, self.sums, self.count = rows or [], sums or {}, count

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
        with replacing(path) as temporary:
            pd.DataFrame(self.rows).to_csv(temporary, index=False, lineterminator="\n")


def save(path: Path, content: dict[str, Any]) -> None:
    """Through memory, because torch writes the file's name into the file otherwise."""
    buffer = io.BytesIO()
    torch.save(content, buffer)
    with replacing(path) as temporary:
        temporary.write_bytes(buffer.getvalue())


def train(
    settings: dict[str, Any], folder: Path, initial: Path | None = None, identity: str = ""
) -> dict[str, Any]:
    """Train the run described by `settings`; write ``history.csv`` and ``checkpoint.pt``.

    A run that was interrupted goes on from ``resume.pt`` and ends with the same bits.

    Args:
        initial: ``checkpoint.pt`` of the run that this one starts from, or the file of published
            weights if the settings have `initial_weights`.
        identity: hash of settings, data and initial weights; a state left by another identity is
            not resumed.

    Returns:
        {"train_seconds": over all attempts, "train_samples_per_second", "device"}.
    """
    recipe = {**RECIPE, **settings["recipe"]}
    torch.manual_seed(settings["seed"])
    fabric = Fabric(
        accelerator="auto",
        devices=recipe["devices"],
        precision=recipe["precision"],
        strategy="ddp" if recipe["devices"] > 1 else "auto",
    )
    fabric.launch()
    method = build_method(settings)
    if initial is not None and settings.get("initial_weights"):
        report = load_published(
            initial,
            method,
            skeleton_of(settings),
            settings["head_mapping"],
            settings["start_whole"],
        )
        if fabric.is_global_zero:
            print(f"{initial}: {report}", flush=True)
    elif initial is not None:
        state = load_checkpoint(initial)
        if settings["start_whole"]:
            method.load_state_dict(state)
        else:
            method.load_single_frame(state)
    if recipe.get("steps") == 0:
        return keep_untrained(method, folder, str(fabric.device))
    method.train()
    loop = Loop(fabric, method, settings, recipe, folder, identity)
    loop.run()
    if fabric.is_global_zero:
        loop.finish()
    fabric.barrier()
    samples = loop.recipe["steps"] * recipe["batch_size"]
    return {
        "train_seconds": loop.seconds,
        "train_samples_per_second": samples / loop.seconds,
        "device": str(fabric.device),
    }


def keep_untrained(method: PoseMethod, folder: Path, device: str) -> dict[str, Any]:
    """A recipe of no steps: what the run starts from is its checkpoint, the history has no row."""
    write_text(folder / "history.csv", "epoch,step,learning_rate,loss\n")
    save(folder / "checkpoint.pt", {"model": method.state_dict()})
    return {"train_seconds": 0.0, "train_samples_per_second": None, "device": device}


class Loop:
    """The state of training and the loop over steps."""

    def __init__(
        self,
        fabric: Fabric,
        method: PoseMethod,
        settings: dict[str, Any],
        recipe: dict[str, Any],
        folder: Path,
        identity: str,
    ) -> None:
        self.fabric, self.folder, self.identity = fabric, folder, identity
        windows = split_windows(settings, read_split(settings, "train"), method.window)
        augmentation = Augmentation(**settings["augmentation"])
        self.samples = TrainingSamples(windows, augmentation, settings["seed"], method.frame_cue)
        if not len(self.samples):
            raise UserError(f"{windows.store.root}: no annotated person in the training split")
        self.recipe = recipe = in_steps(recipe, len(self.samples))
        self.plain = method
        optimiser = make_optimiser(method, recipe)
        self.schedule = make_schedule(optimiser, recipe)
        self.method, self.optimiser = fabric.setup(method, optimiser)
        every = recipe.get("validate_every")
        self.validation = Validation(settings, method.window) if every else None
        self.history = History()
        self.step, self.seconds = 0, 0.0
        self.resume()

    def resume(self) -> None:
        path = self.folder / "resume.pt"
        if not path.exists():
            return
        state = torch.load(path, map_location=self.fabric.device, weights_only=True)
        if state["identity"] != self.identity:
            return
        self.plain.load_state_dict(state["model"])
        self.optimiser.load_state_dict(state["optimiser"])
        self.schedule.load_state_dict(state["schedule"])
        self.history = History(**state["history"])
        self.step, self.seconds = state["step"], state["seconds"]
        torch.set_rng_state(state["random"].cpu())

    def save_state(self) -> None:
        state = {
            "identity": self.identity,
            "model": self.plain.state_dict(),
            "optimiser": self.optimiser.state_dict(),
            "schedule": self.schedule.state_dict(),
            "history": vars(self.history),
            "step": self.step,
            "seconds": self.seconds,
            "random": torch.get_rng_state(),
        }
        save(self.folder / "resume.pt", state)

    def batches(self) -> Iterator[tuple[np.ndarray, torch.Tensor, Target, list[torch.Tensor]]]:
        """This process's share of each batch, from the present step on."""
        size, world = self.recipe["batch_size"], self.fabric.world_size
        if size % world:
            raise UserError(f"recipe: batch_size {size} cannot be shared by {world} processes")
        positions = range(
            self.step * size + self.fabric.global_rank, self.recipe["steps"] * size, world
        )
        return iter(
            DataLoader(
                self.samples,
                batch_size=size // world,
                sampler=positions,
                collate_fn=collate,
                num_workers=self.recipe["workers"],
                pin_memory=self.fabric.device.type == "cuda",
            )
        )

    def run(self) -> None:
        total = self.recipe["steps"]
        bar = tqdm(
            self.batches(),
            desc=f"{self.folder.parent.name}/{self.folder.name}",
            initial=self.step,
            total=total,
            unit="step",
            mininterval=5,
            disable=not self.fabric.is_global_zero,
        )
        begin = time.perf_counter() - self.seconds
        for batch in bar:
            values = self.update(*batch)
            self.history.add(values)
            self.step += 1
            self.seconds = time.perf_counter() - begin
            if self.step % self.recipe["log_every"] == 0 or self.step == total:
                self.record(bar)
            if self.due("checkpoint_every") and self.step < total and self.fabric.is_global_zero:
                self.save_state()

    def due(self, name: str) -> bool:
        every = self.recipe.get(name)
        return bool(every) and (self.step % every == 0 or self.step == self.recipe["steps"])

    def update(
        self,
        frames: np.ndarray,
        offsets: torch.Tensor,
        target: Target,
        cue: list[torch.Tensor],
    ) -> dict[str, float]:
        """One optimiser step; returns what the history averages."""
        device = self.fabric.device
        target = target.to(device)
        cue = [c.to(device) for c in cue]
        output = self.method(normalise(frames, device), offsets.to(device), *cue)
        losses = self.plain.loss(output, target)
        loss = torch.stack(list(losses.values())).sum()
        self.optimiser.zero_grad()
        self.fabric.backward(loss)
        values = {"loss": loss.item(), **{f"loss_{k}": v.item() for k, v in losses.items()}}
        if not math.isfinite(values["loss"]):
            raise UserError(
                f"{self.folder}: the loss is {values['loss']} at step {self.step}; "
                "lower learning_rate or set gradient_clip in the recipe"
            )
        values |= gradient_norms(self.plain)
        if clip := self.recipe.get("gradient_clip"):
            self.fabric.clip_gradients(self.method, self.optimiser, max_norm=clip)
        self.optimiser.step()
        self.schedule.step()
        heatmaps = output.heatmaps.detach()
        values["heatmap_peak"] = float(heatmaps.amax(dim=(2, 3))[target.weight > 0].mean())
        values["train_pck"] = train_pck(heatmaps, target)
        if hasattr(self.plain, "monitor"):
            values |= self.plain.monitor(output)
        return values

    def record(self, bar: tqdm) -> None:
        row = {
            "epoch": self.step * self.recipe["batch_size"] // len(self.samples),
            "step": self.step,
            "learning_rate": self.optimiser.param_groups[-1]["lr"],
        }
        if self.due("validate_every"):
            row["val_ap"] = self.validation(self.plain, self.fabric.device)
        row = self.history.row(row)
        shown = {"loss": f"{row['loss']:.5f}", "pck": f"{row['train_pck']:.2f}"}
        if "val_ap" in row:
            shown["val_ap"] = f"{row['val_ap']:.1f}"
        bar.set_postfix(shown)

    def finish(self) -> None:
        self.history.write(self.folder / "history.csv")
        save(self.folder / "checkpoint.pt", {"model": self.plain.state_dict()})
        (self.folder / "resume.pt").unlink(missing_ok=True)
