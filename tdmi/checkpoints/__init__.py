"""Weights trained elsewhere, for this project's models: recognised, renamed, loaded strictly."""

from tdmi.checkpoints.families import convert
from tdmi.checkpoints.loading import Report, inspect_published, load_published

__all__ = ["Report", "convert", "inspect_published", "load_published"]
