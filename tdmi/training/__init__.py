"""Train one run: one loop for every method, on one process or several, resumable."""

from tdmi.training.history import gradient_norms
from tdmi.training.loop import train
from tdmi.training.recipe import RECIPE, in_steps

__all__ = ["RECIPE", "gradient_norms", "in_steps", "train"]
