"""Options of what is trained, and how: method, backbone, recipe."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

from tdmi.config.section import Plain, Section, option

HeadMapping = Literal["by_joint_name", "reuse_eyes", "as_is"]
Order = Literal["shuffled", "clips"]


@dataclass(frozen=True)
class Method(Section):
    """Name, class and options of a run's method."""

    name: str
    label: str
    family: str
    class_path: str = option(key="class")
    options: Mapping[str, Any] = option(text="Keyword arguments of the class")


@dataclass(frozen=True)
class Backbone(Section):
    """Kind of a backbone, and those options of its class that are given."""

    kind: Literal["hrnet", "resnet"] = option("hrnet", "HRNet, or SimpleBaseline's ResNet")
    width: int | None = option(None, minimum=1)
    layers: int | None = option(None, "Of a resnet", enum=[50, 101, 152])
    stages: int | None = option(None, "This and the following: of an hrnet", minimum=2, maximum=4)
    modules: tuple[int, ...] | None = option(None, items={"type": "integer", "minimum": 1})
    blocks: int | None = option(None, minimum=1)
    stem_width: int | None = option(None, minimum=1)
    stem_blocks: int | None = option(None, minimum=1)

    @property
    def options(self) -> dict[str, Any]:
        """Keyword arguments of the backbone's class."""
        return {key: value for key, value in self.to_dict().items() if key != "kind"}

    @property
    def depths(self) -> int:
        """Depths of the backbone's features, of which an encoder may use the deepest."""
        return self.stages or 4


@dataclass(frozen=True)
class Recipe(Section):
    """Training of a run. Its length is given in steps or in epochs.

    `milestones` count in the unit of the length, all else in steps. A batch is computed in
    `accumulate` equal parts whose gradients are added, which needs less memory. The state to resume
    from is saved at the end of each epoch, every `checkpoint_minutes`, and every `checkpoint_every`
    steps if that is given. Without `validate_every` there is no validation.
    """

    rules: ClassVar[Plain] = {
        "oneOf": [{"required": ["steps"]}, {"required": ["epochs"]}],
        "if": {"required": ["steps"], "properties": {"steps": {"const": 0}}},
        "else": {"required": ["batch_size", "learning_rate"]},
    }

    steps: int | None = option(
        None, "0 trains nothing and evaluates the weights that the run starts from", minimum=0
    )
    epochs: int | None = option(None, minimum=1)
    batch_size: int = option(0, "Windows of a step; needed unless there are no steps", minimum=1)
    optimiser: Literal["adam", "adamw"] = "adam"
    learning_rate: float = option(
        0.0, "Of new parts; needed unless there are no steps", exclusiveMinimum=0
    )
    backbone_rate: float = option(
        0.1, "Factor on the learning rate of backbone and head", minimum=0
    )
    weight_decay: float = option(0.0, minimum=0)
    schedule: Literal["one_cycle", "cosine", "milestones"] = "milestones"
    milestones: tuple[int, ...] = option(
        (), "In the unit of the length", items={"type": "integer", "minimum": 1}
    )
    milestone_factor: float = option(0.1, exclusiveMinimum=0)
    gradient_clip: float | None = option(None, "Largest norm of the gradient", exclusiveMinimum=0)
    precision: Literal["32-true", "bf16-mixed", "16-mixed"] = "32-true"
    accumulate: int = option(1, "Parts in which a batch is computed", minimum=1)
    devices: int = option(1, "Processes, each on a device of its own", minimum=1)
    order: Order = option("shuffled", "Of the samples of an epoch, see tdmi.clips.order")
    lanes: int = option(1, "Clip orders that take turns; as many as workers", minimum=1)
    workers: int = option(0, "Processes that load samples", minimum=0)
    log_every: int = option(50, "Steps from one row of the history to the next", minimum=1)
    validate_every: int | None = option(None, "In steps", minimum=1)
    checkpoint_every: int | None = option(None, "In steps", minimum=1)
    checkpoint_minutes: float = option(10, exclusiveMinimum=0)
    tensorboard: bool = option(False, "Write the history for TensorBoard as well")

    def in_steps(self, samples: int) -> Recipe:
        """Return the recipe with its length and milestones in steps.

        An epoch is the whole batches that `samples` fill, at least one.
        """
        if self.epochs is None:
            return self
        per_epoch = max(1, samples // self.batch_size)
        return dataclasses.replace(
            self,
            epochs=None,
            steps=self.epochs * per_epoch,
            milestones=tuple(epoch * per_epoch for epoch in self.milestones),
        )


HARMLESS = ("workers", "checkpoint_every", "checkpoint_minutes", "tensorboard")
"""Options of a recipe that change nothing in what is learnt: a run may resume with others."""
