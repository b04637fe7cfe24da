"""The runs and data that the probes measure: every access to a suite's settings is here."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from tdmi.clips.samples import TrainingSamples, Windows
from tdmi.config.inference import Inference
from tdmi.config.settings import Settings
from tdmi.config.suite import Suite
from tdmi.data.detections import Detections, read_detections
from tdmi.experiments.build import read_split, split_windows, validation_windows
from tdmi.experiments.train import fit
from tdmi.training.validation import Validation

Probes = dict[str, float]


def fingerprint(values: Any) -> float:
    """Return a weighted mean whose weights differ by position, so that exchanged entries show."""
    flat = np.asarray(values, dtype=np.float64).ravel()
    return float(flat @ (1 + 0.5 * np.sin(np.arange(flat.size)))) / flat.size


def subject(suite: Suite, seed: int) -> Settings:
    """Return the settings of the suite's subject, TDMI."""
    return suite.settings(str(suite.report.subject), seed)


def reference(suite: Suite, seed: int) -> Settings:
    """Return the settings of the single frame that the subject is compared with."""
    return suite.settings(suite.report.reference, seed)


def name_of(settings: Settings) -> str:
    return settings.method.name


def all_methods(suite: Suite) -> dict[str, Settings]:
    return {name: suite.settings(name, 0) for name in suite.methods}


def frozen(settings: Settings) -> Settings:
    """Return the settings with a backbone that does not learn."""
    options = {**settings.method.options, "freeze_backbone": True}
    return replace(settings, method=replace(settings.method, options=options))


def shortened(settings: Settings, steps: int, clip: float) -> Settings:
    """Return the settings of so many steps, each logged, gradients clipped, not validated."""
    recipe = replace(
        settings.recipe, steps=steps, log_every=1, gradient_clip=clip, validate_every=None
    )
    return replace(settings, recipe=recipe)


def training_history(
    settings: Settings, folder: Path, start: Path | None
) -> list[dict[str, float]]:
    """Train into `folder`, which is made, and return the rows of the history."""
    folder.mkdir()
    fit(settings, folder, start)
    return pd.read_csv(folder / "history.csv").drop(columns="epoch").to_dict("records")


def windows_of(settings: Settings, split: str, window: tuple[int, ...]) -> Windows:
    return split_windows(settings, read_split(settings, split), window)


def training_samples(settings: Settings, window: tuple[int, ...]) -> TrainingSamples:
    """Return the samples of the training split, augmented as the suite says."""
    return TrainingSamples(windows_of(settings, "train", window), settings.augmentation, seed=0)


def detections_of(settings: Settings) -> Detections:
    return read_detections(settings.dataset.folder.boxes(settings.dataset.test))


def inference_of(settings: Settings) -> Inference:
    return settings.inference


def validation_in_one_batch(settings: Settings) -> Validation:
    """Return the validation of a training with all boxes in one batch."""
    return Validation(validation_windows(settings, (0,)), in_one_batch(settings.inference))


def in_one_batch(options: Inference) -> Inference:
    return replace(options, batch_size=10**6)
