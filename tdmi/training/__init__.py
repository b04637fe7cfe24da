"""Train one run: one loop for every method, on one process or several, resumable."""

from tdmi.training.history import gradient_norms
from tdmi.training.loop import keep_untrained, launch, train
from tdmi.training.validation import Validation

__all__ = ["Validation", "gradient_norms", "keep_untrained", "launch", "train"]
