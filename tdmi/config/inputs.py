"""Options of what goes into a network: data set, crop, augmentation."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from statistics import NormalDist
from typing import Literal, get_args

from tdmi.config.section import SHARE, Section, option
from tdmi.data.folders import DatasetFolder
from tdmi.data.skeletons import SKELETONS, Skeleton

DatasetName = Literal["mocap", "pose2sim", "posetrack17", "posetrack18", "posetrack21", "hieve"]
DATASETS = get_args(DatasetName)
TargetCentre = Literal["subpixel", "rounded"]
WindowEnds = Literal["repeat_key", "nearest", "dcpose", "reflect"]
JointWeights = Literal["uniform", "limbs"]
BoxCleaning = Literal["none", "official"]
Geometry = Literal["pixel_centres", "official"]
OutsideJoints = Literal["dropped", "kept"]
Role = Literal["train", "validation", "test"]
"""Purpose of a split."""
ROLES: tuple[Role, ...] = get_args(Role)


@dataclass(frozen=True)
class Dataset(Section):
    """Location of the data and names of their splits."""

    name: DatasetName
    root: str
    train: str
    validation: str
    test: str
    skeleton: Literal["posetrack18", "hieve"] = option("posetrack18", "Joints that are predicted")

    @property
    def folder(self) -> DatasetFolder:
        return DatasetFolder(Path(self.root))

    @property
    def joints(self) -> Skeleton:
        """Joints that are predicted."""
        return SKELETONS[self.skeleton]

    def split(self, role: Role) -> str:
        """Name of the split that plays a role."""
        return {"train": self.train, "validation": self.validation, "test": self.test}[role]

    @property
    def splits(self) -> list[str]:
        """Names of all splits, each once, in alphabetical order."""
        return sorted({self.train, self.validation, self.test})


@dataclass(frozen=True)
class Crop(Section):
    """Size and target of a crop, shared by every method of a suite."""

    size: tuple[int, int] = option(
        (384, 288),
        "Height and width in pixels",
        items={"type": "integer", "multipleOf": 4, "minimum": 32},
    )
    sigma: float = option(3.0, "Of the target Gaussian, in heatmap pixels", exclusiveMinimum=0)
    target_centre: TargetCentre = option(
        "subpixel", "Centre of the target, see tdmi.clips.targets.encode"
    )
    window_ends: WindowEnds = option(
        "repeat_key", "What stands in for missing neighbours, see tdmi.clips.windows.window_offsets"
    )
    joint_weights: JointWeights = option(
        "uniform", "Weight of a labelled joint in the target, see tdmi.clips.samples.joint_weights"
    )
    box_cleaning: BoxCleaning = option(
        "none", "What happens to ground-truth boxes, see tdmi.clips.person_boxes.clean"
    )
    box_enlargement: float = option(1.25, "Factor on the person's box", minimum=1)
    geometry: Geometry = option(
        "pixel_centres",
        "How pixels of frame, crop and heatmap lie to each other, see tdmi.clips.crops",
    )
    outside_joints: OutsideJoints = option("dropped", "Labelled joints beyond the crop")

    @property
    def heatmap_size(self) -> tuple[int, int]:
        """Height and width: a quarter of the crop's."""
        return self.size[0] // 4, self.size[1] // 4

    @property
    def aspect(self) -> float:
        """Width over height."""
        return self.size[1] / self.size[0]


@dataclass(frozen=True)
class Augmentation(Section):
    """Amounts; the defaults are the published ones, zeros switch a part off."""

    rotation: float = option(
        45.0, "Standard deviation in degrees; draws are clipped to twice this", minimum=0
    )
    rotation_probability: float = option(0.6, **SHARE)
    scale: float = option(
        0.35,
        "Standard deviation of the crop's size; draws are clipped to 1 -/+ this",
        minimum=0,
        exclusiveMaximum=1,
    )
    flip_probability: float = option(0.5, **SHARE)
    half_body_probability: float = option(0.3, **SHARE)
    half_body_joints: int = option(
        8, "Half-body crops need more visible joints than this", minimum=0
    )
    upper_body_probability: float = option(
        NormalDist().cdf(0.5), "Of wanting the upper half, not the lower", **SHARE
    )
