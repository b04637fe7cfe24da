"""The runs and data that the probes measure: every access to a suite's settings is here."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from tdmi.clips.augmentation import Augmentation
from tdmi.clips.samples import TrainingSamples, Windows
from tdmi.config.suites import resolve
from tdmi.data.detections import Detections, read_detections
from tdmi.experiments.build import read_split, split_windows
from tdmi.experiments.run import boxes_path
from tdmi.prediction.predict import InferenceOptions
from tdmi.training import train
from tdmi.training.validation import Validation

Probes = dict[str, float]
Settings = dict[str, Any]
Suite = dict[str, Any]


def fingerprint(values: Any) -> float:
    """Return a weighted mean whose weights differ by position, so that exchanged entries show."""
    flat = np.asarray(values, dtype=np.float64).ravel()
    return float(flat @ (1 + 0.5 * np.sin(np.arange(flat.size)))) / flat.size


def subject(suite: Suite, seed: int) -> Settings:
    """Return the settings of the suite's subject, TDMI."""
    return resolve(suite, suite["report"]["subject"], seed)


def reference(suite: Suite, seed: int) -> Settings:
    """Return the settings of the single frame that the subject is compared with."""
    return resolve(suite, suite["report"]["reference"], seed)


def name_of(settings: Settings) -> str:
    return settings["method"]["name"]


def all_methods(suite: Suite) -> dict[str, Settings]:
    return {name: resolve(suite, name, 0) for name in suite["methods"]}


def frozen(settings: Settings) -> Settings:
    """Return the settings with a backbone that does not learn."""
    method = settings["method"]
    return settings | {
        "method": method | {"options": method["options"] | {"freeze_backbone": True}}
    }


def shortened(settings: Settings, steps: int, clip: float) -> Settings:
    """Return the settings of so many steps, each logged, gradients clipped, not validated."""
    recipe = settings["recipe"] | {"steps": steps, "log_every": 1, "gradient_clip": clip}
    recipe.pop("validate_every", None)
    return settings | {"recipe": recipe}


def training_history(
    settings: Settings, folder: Path, start: Path | None
) -> list[dict[str, float]]:
    """Train into `folder`, which is made, and return the rows of the history."""
    folder.mkdir()
    train(settings, folder, start)
    return pd.read_csv(folder / "history.csv").drop(columns="epoch").to_dict("records")


def windows_of(settings: Settings, split: str, window: tuple[int, ...]) -> Windows:
    return split_windows(settings, read_split(settings, split), window)


def training_samples(settings: Settings, window: tuple[int, ...]) -> TrainingSamples:
    """Return the samples of the training split, augmented as the suite says."""
    augmentation = Augmentation(**settings["augmentation"])
    return TrainingSamples(windows_of(settings, "train", window), augmentation, seed=0)


def detections_of(settings: Settings) -> Detections:
    return read_detections(boxes_path(settings, "test"))


def inference_of(settings: Settings) -> InferenceOptions:
    return InferenceOptions(**settings["inference"])


def validation_in_one_batch(settings: Settings) -> Validation:
    """Return the validation of a training with all boxes in one batch."""
    validation = Validation(settings, (0,))
    validation.options = in_one_batch(validation.options)
    return validation


def in_one_batch(options: InferenceOptions) -> InferenceOptions:
    return replace(options, batch_size=10**6)
