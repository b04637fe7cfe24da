"""What a recipe says: its defaults, its length in steps, optimiser and schedule."""

from __future__ import annotations

from typing import Any

import torch

from tdmi.models.method import PoseMethod

RECIPE = {
    "optimiser": "adam",
    "backbone_rate": 0.1,
    "weight_decay": 0.0,
    "schedule": "milestones",
    "milestones": [],
    "milestone_factor": 0.1,
    "precision": "32-true",
    "accumulate": 1,
    "devices": 1,
    "order": "shuffled",
    "lanes": 1,
    "workers": 0,
    "log_every": 50,
    "checkpoint_minutes": 10,
    "tensorboard": False,
}
"""Values of a recipe's optional keys. ``order`` and ``lanes``: see `tdmi.clips.order`. A batch is
computed in ``accumulate`` equal parts whose gradients are added, which needs less memory. The state
to resume from is saved at the end of each epoch, every ``checkpoint_minutes``, and if the key is
there every ``checkpoint_every`` steps. Without ``gradient_clip`` gradients are not clipped, without
``validate_every`` there is no validation. The length is given as ``steps`` or as ``epochs``;
``milestones`` count in the same unit, all else in steps. No steps: nothing is trained, and the
weights that the run starts from are judged."""

HARMLESS = ("workers", "checkpoint_every", "checkpoint_minutes", "tensorboard")
"""Keys that change nothing in what is learnt: a run may go on with other values."""


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
            # A rise of exactly one step would be a division by zero in torch.
            pct_start=0.2 if recipe["steps"] != 5 else 0.3,
            cycle_momentum=False,
        )
    if recipe["schedule"] == "cosine":
        return torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, recipe["steps"])
    return torch.optim.lr_scheduler.MultiStepLR(
        optimiser, recipe["milestones"], recipe["milestone_factor"]
    )
