"""The runs of one method, as a plan sees them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from tdmi.clips.augmentation import Augmentation
from tdmi.clips.order import SampleOrder
from tdmi.clips.samples import TrainingSamples
from tdmi.config.suites import resolve, run_name, seeds_of
from tdmi.experiments.build import build_method, read_split, split_windows
from tdmi.models.method import PoseMethod
from tdmi.prediction.predict import InferenceOptions
from tdmi.training import RECIPE


@dataclass(frozen=True)
class Job:
    """One method of a suite, with the settings of its first run; `runs`: names of all."""

    suite: str
    method: str
    runs: list[str]
    settings: dict[str, Any]
    recipe: dict[str, Any]
    inference: InferenceOptions

    @property
    def batch(self) -> int:
        """Windows of one step; 1 where nothing is trained and no size is given."""
        return self.recipe.get("batch_size", 1)

    @property
    def mixed(self) -> bool:
        """Whether training computes in mixed precision."""
        return "mixed" in self.recipe["precision"]

    def build(self) -> PoseMethod:
        return build_method(self.settings)

    def samples(self, method: PoseMethod) -> TrainingSamples:
        """Make the samples that the runs train on. UserError if the data set is not there."""
        recipe = self.recipe
        return TrainingSamples(
            split_windows(self.settings, read_split(self.settings, "train"), method.window),
            Augmentation(**self.settings["augmentation"]),
            self.settings["seed"],
            cue=method.frame_cue,
            order=SampleOrder(recipe["order"], recipe["lanes"], self.batch // recipe["accumulate"]),
        )


def jobs_of(suite: dict[str, Any]) -> list[Job]:
    """Return the jobs of a suite, in its order."""
    jobs = []
    for method in suite["methods"]:
        seeds = seeds_of(suite, method)
        settings = resolve(suite, method, seeds[0])
        recipe = {**RECIPE, **settings["recipe"]}
        runs = [run_name(suite, method, seed) for seed in seeds]
        inference = InferenceOptions(**settings["inference"])
        jobs.append(Job(suite["suite"], method, runs, settings, recipe, inference))
    return jobs
