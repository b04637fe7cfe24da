"""The settings of one run: all that training and prediction read, kept as its ``config.yaml``."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import yaml

from tdmi.config.inference import Inference, Tracking
from tdmi.config.inputs import Augmentation, Crop, Dataset
from tdmi.config.keys import RunName
from tdmi.config.section import Section, option
from tdmi.config.training import Backbone, HeadMapping, Method, Recipe
from tdmi.core.errors import UserError
from tdmi.core.files import read_yaml, write_text
from tdmi.data.skeletons import Skeleton


@dataclass(frozen=True, kw_only=True)
class Settings(Section):
    """Everything that decides what a run learns and predicts."""

    suite: str
    seed: int = option(minimum=0)
    method: Method
    start_from: str | None = option(
        text="Run whose checkpoint this one starts from", type=["string", "null"]
    )
    start_whole: bool = option(text="Take over the whole model, not only backbone and head")
    initial_weights: str | None = option(None, "File of published weights to start from")
    head_mapping: HeadMapping | None = None
    dataset: Dataset
    crop: Crop
    augmentation: Augmentation
    backbone: Backbone
    recipe: Recipe
    inference: Inference
    tracking: Tracking | None = None

    @property
    def name(self) -> str:
        """``<suite>/<method>/seed<k>``."""
        return str(RunName(self.suite, self.method.name, str(self.seed)))

    @property
    def skeleton(self) -> Skeleton:
        """Joints that the run predicts."""
        return self.dataset.joints

    @classmethod
    def read(cls, path: Path) -> Settings:
        """Read a run's ``config.yaml``; UserError tells how to mend it."""
        try:
            return cls.from_dict(read_yaml(path), str(path))
        except UserError as error:
            raise UserError(
                f"{error}; restore it from a copy or train the run again with `tdmi train`"
            ) from None

    def write(self, path: Path) -> None:
        write_text(path, self.text())

    def text(self) -> str:
        """Content of ``config.yaml``."""
        return yaml.safe_dump(self.to_dict(), sort_keys=False)
