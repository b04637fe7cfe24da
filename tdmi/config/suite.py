"""A suite: what its file and those of methods and grids may say, and the runs it stands for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

from tdmi.config.inference import Inference, Tracking
from tdmi.config.inputs import DATASETS, Augmentation, Crop, Dataset
from tdmi.config.keys import RunName, SuiteKey
from tdmi.config.section import Plain, Section, option
from tdmi.config.settings import Settings
from tdmi.config.training import Backbone, HeadMapping, Method, Recipe
from tdmi.core.errors import UserError

NAME = "^[a-z0-9_]+$"
SEEDS: Plain = {"minItems": 1, "uniqueItems": True, "items": {"type": "integer", "minimum": 0}}


@dataclass(frozen=True)
class SuiteDataset(Dataset):
    """A data set with the options of its generator."""

    options: Mapping[str, Any] | None = option(None, "Options of the data set's generator")


@dataclass(frozen=True)
class Report(Section):
    """Methods that the report of a suite compares, and the kind of its labels."""

    reference: str = option(text="Method that differences are taken to")
    equal_compute: str | None = option(None, "Reference trained with the temporal methods' compute")
    equal_layers: str | None = option(
        None, "Reference with the layers of a temporal method and one frame"
    )
    subject: str | None = option(None, "Method that the headline is about")
    labels: Literal["exact", "annotated", "pseudo"] = option(
        "annotated", "What the ground truth is"
    )


@dataclass(frozen=True)
class Job(Section):
    """Resources of one job of a stage; the defaults suit small networks on one core."""

    gpu: int = option(0, "GPUs", minimum=0)
    threads: int = option(1, "Cores, where there are so many", minimum=1)
    mem_mb: int = option(2400, "Memory, more with each further attempt", minimum=1)
    runtime: int = option(120, "Minutes on a cluster", minimum=1)
    disk_mb: int = option(1000, "Room for what it writes", minimum=1)


@dataclass(frozen=True)
class Resources(Section):
    """Resources of the jobs of each stage, on a cluster or of this machine."""

    data: Job = Job()
    train: Job = Job()
    predict: Job = Job()
    evaluate: Job = Job()
    report: Job = Job()

    @property
    def jobs(self) -> tuple[Job, ...]:
        return self.data, self.train, self.predict, self.evaluate, self.report


@dataclass(frozen=True, kw_only=True)
class MethodEntry(Section):
    """A suite's entry for one of its methods."""

    rules: ClassVar[Plain] = {"dependentRequired": {"head_mapping": ["initial_weights"]}}

    recipe: str
    seeds: tuple[int, ...] | None = option(None, "Instead of the suite's", **SEEDS)
    start_from: str | None = option(
        None, "Run that this one starts from", pattern=r"^[a-z0-9_]+/[a-z0-9_]+/seed(\d+|\{seed\})$"
    )
    initial_weights: str | None = option(
        None, "File of published weights to start from (tdmi/checkpoints)"
    )
    head_mapping: HeadMapping | None = option(
        None, "How the heatmap channels of initial_weights become joints (by_joint_name)"
    )
    backbone: Backbone | None = option(None, "Backbone of this method, instead of the suite's")
    start_whole: bool = option(False, "Take over the whole model, not only backbone and head")
    options: Mapping[str, Any] | None = option(None, "Keyword arguments of the method's class")


@dataclass(frozen=True)
class PerDataset(Section):
    """Published settings that differ on one data set."""

    recipe: Recipe | None = option(None, keys=("learning_rate", "milestone_factor"))


@dataclass(frozen=True, kw_only=True)
class Published(Section):
    """Settings of a method's authors; parts replace the suite's key by key."""

    options: Mapping[str, Any] = option(
        text="All keyword arguments of the class, instead of the suite's"
    )
    recipe: Recipe
    crop: Crop | None = None
    augmentation: Augmentation | None = None
    inference: Inference | None = option(
        None, keys=("flip", "flip_shift", "decoder", "blur_kernel", "box_score_threshold")
    )
    per_dataset: Mapping[str, PerDataset] | None = option(
        None,
        "Where a data set was trained on with other values",
        propertyNames={"enum": list(DATASETS)},
    )


@dataclass(frozen=True, kw_only=True)
class MethodFile(Section):
    """A method, as in workflow/config/methods."""

    label: str = option(text="Name in tables and figures")
    family: Literal["single", "control", "flow", "deformable", "difference"]
    class_path: str = option(
        text="Dotted name of its class", key="class", pattern=r"^[a-z_0-9.]+\.[A-Za-z0-9]+$"
    )
    description: str = option(text="One line for tables and the page")
    source: str | None = option(None, "Paper or code it follows")
    backbone: Backbone | None = option(None, "Backbone of this method, instead of the suite's")
    options: Mapping[str, Any] | None = option(
        None, "Keyword arguments of the class at paper scale"
    )
    trial_options: Mapping[str, Any] | None = option(
        None, "Shrink what does not scale with the width of the backbone"
    )
    published: Published | None = option(
        None, "Settings of its authors, for the published protocol; parts replace the suite's"
    )


@dataclass(frozen=True)
class Owner(Section):
    """Suite, method, label and family under which runs are kept."""

    suite: str
    method: str
    label: str
    family: str


@dataclass(frozen=True, kw_only=True)
class MethodUse(MethodEntry, MethodFile):
    """A method in a suite: its file and the suite's entry together."""

    options: Mapping[str, Any]
    run_of: Owner | None = None
    """Another suite's method whose runs these are."""
    crop: Crop | None = None
    augmentation: Augmentation | None = None
    inference: Inference | None = None


@dataclass(frozen=True)
class Variant(Section):
    """One variant of a grid: its changes of the method that is varied."""

    name: str = option(pattern=NAME)
    label: str = option(text="Name in tables and figures")
    method: str | None = option(None, "Another method, of the suite or of workflow/config/methods")
    options: Mapping[str, Any] | None = option(None, "Merged deeply into the method's options")
    recipe: Mapping[str, Any] | None = option(None, "Merged into the method's recipe in the suite")
    stages: int | None = option(
        None,
        "encoder.depths: this many of the deepest depths of the backbone",
        minimum=1,
        maximum=4,
    )
    equal_frames: bool = option(
        False,
        "As many windows a step as make the frames a step those of the base method",
        const=True,
    )
    scale_by_map_size: bool = option(
        False, "mutual_information.scale: places of a heatmap over those of 96x72", const=True
    )


@dataclass(frozen=True)
class GridFile(Section):
    """A grid of ablations, as in workflow/config/grids."""

    title: str = option(text="Follows the suite's title on the page")
    question: str = option(text="What the grid asks, in one sentence")
    variants: tuple[Variant, ...] = option(minItems=2)
    base: str = option("tdmi", "Method of the suite that is varied")
    ladder: bool = option(False, "Each variant is compared with the one before it")
    references: tuple[str, ...] = option(
        (), "Names of variants that all others are compared with", uniqueItems=True
    )
    seeds: tuple[int, ...] = option((0, 1, 2), "Of every variant that is trained anew", **SEEDS)


@dataclass(frozen=True)
class Grid(Section):
    """Question and comparisons of a suite of variants."""

    title: str
    question: str
    comparisons: Mapping[str, Mapping[str, str]]
    """"previous", in a ladder, and each reference -> variant -> the one it is compared with."""
    left_out: Mapping[str, str]
    """Label of a variant that the suite cannot hold -> the reason."""


@dataclass(frozen=True, kw_only=True)
class SuiteFile(Section):
    """A suite, as in workflow/config."""

    suite: str = option(text="Its name, that of its file", pattern=NAME)
    title: str
    base: str | None = option(None, "Suite whose runs this one starts from")
    companions: tuple[str, ...] = option(
        (), "Further suites that the main job of this one includes"
    )
    dataset: SuiteDataset
    evaluation: Literal["poseval", "posetrack21", "hieve"] = option("poseval", "Evaluator")
    seeds: tuple[int, ...] = option(**SEEDS)
    crop: Crop
    augmentation: Augmentation
    backbone: Backbone
    recipes: Mapping[str, Recipe] = option(minProperties=1)
    methods: Mapping[str, MethodEntry] = option(minProperties=1)
    inference: Inference
    tracking: Tracking | None = option(
        None,
        "What of the predictions is sure enough to be tracked for MOTA",
        keys=("joint_confidence", "person_score"),
    )
    report: Report
    resources: Resources = Resources()


@dataclass(frozen=True, kw_only=True)
class Suite(SuiteFile):
    """A suite as it is run: of one grid and protocol, at one size."""

    methods: Mapping[str, MethodUse]
    grid: Grid | None = None
    key: SuiteKey

    @property
    def name(self) -> str:
        """Name of its folders below ``runs`` and ``results``."""
        return self.suite

    @property
    def base_key(self) -> SuiteKey | None:
        """The suite, at the same size, that this one starts from or shares runs with."""
        return SuiteKey(self.base, size=self.key.size) if self.base else None

    def seeds_of(self, method: str) -> tuple[int, ...]:
        """Seeds of a method: its own if it names some, else the suite's."""
        own = self.methods[method].seeds
        return self.seeds if own is None else own

    def run_name(self, method: str, seed: int) -> str:
        """``<suite>/<method>/seed<k>``, the run's folder below ``runs``."""
        owner = self._owner(method)
        return str(RunName(owner.suite, owner.method, str(seed)))

    @property
    def run_names(self) -> list[str]:
        """Every run, in the suite's order."""
        return [self.run_name(m, seed) for m in self.methods for seed in self.seeds_of(m)]

    def settings(self, method: str, seed: int) -> Settings:
        """The complete settings of one run. UserError for an unknown method."""
        if method not in self.methods:
            known = ", ".join(self.methods)
            raise UserError(f"suite {self.name}: no method {method!r}; expected one of {known}")
        use, owner = self.methods[method], self._owner(method)
        weights = use.initial_weights
        dataset = {key: part for key, part in self.dataset.to_dict().items() if key != "options"}
        return Settings(
            suite=owner.suite,
            seed=seed,
            method=Method(owner.method, owner.label, owner.family, use.class_path, use.options),
            # ``{seed}`` in a start stands for this run's seed.
            start_from=use.start_from.format(seed=seed) if use.start_from else None,
            start_whole=use.start_whole,
            initial_weights=weights,
            head_mapping=(use.head_mapping or "by_joint_name") if weights else None,
            dataset=Dataset.from_checked(dataset),
            crop=use.crop or self.crop,
            augmentation=use.augmentation or self.augmentation,
            backbone=use.backbone or self.backbone,
            recipe=self.recipes[use.recipe],
            inference=use.inference or self.inference,
            tracking=self.tracking,
        )

    def _owner(self, method: str) -> Owner:
        use = self.methods[method]
        return use.run_of or Owner(self.name, method, use.label, use.family)
