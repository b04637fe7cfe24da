"""Optimiser and schedule of the learning rate, as a recipe names them."""

from __future__ import annotations

import torch

from tdmi.config.training import Recipe
from tdmi.models.method import PoseMethod


def make_optimiser(method: PoseMethod, recipe: Recipe) -> torch.optim.Optimizer:
    """Backbone and head learn at `backbone_rate` times the rate of the new parts."""
    groups = method.parameter_groups()
    chosen = [
        {"params": groups["backbone"], "lr": recipe.learning_rate * recipe.backbone_rate},
        {"params": groups["new"], "lr": recipe.learning_rate},
    ]
    kind = torch.optim.AdamW if recipe.optimiser == "adamw" else torch.optim.Adam
    return kind([g for g in chosen if g["params"]], weight_decay=recipe.weight_decay)


def make_schedule(
    optimiser: torch.optim.Optimizer, recipe: Recipe
) -> torch.optim.lr_scheduler.LRScheduler:
    """Schedule over the steps of a recipe whose length is in steps."""
    steps = recipe.steps or 0
    if recipe.schedule == "one_cycle":
        return torch.optim.lr_scheduler.OneCycleLR(
            optimiser,
            max_lr=[group["lr"] for group in optimiser.param_groups],
            total_steps=steps,
            # A rise of exactly one step would be a division by zero in torch.
            pct_start=0.2 if steps != 5 else 0.3,
            cycle_momentum=False,
        )
    if recipe.schedule == "cosine":
        return torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, steps)
    return torch.optim.lr_scheduler.MultiStepLR(
        optimiser, recipe.milestones, recipe.milestone_factor
    )
