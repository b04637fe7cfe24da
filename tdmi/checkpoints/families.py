"""Families of published weights, and their tensors under this project's names."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from torch import Tensor

from tdmi.checkpoints import names
from tdmi.core.errors import UserError
from tdmi.data.skeletons import COCO, POSETRACK18, Skeleton
from tdmi.models.hrnet import HRNet
from tdmi.models.resnet import PoseResNet

_CLASSIFIER = "part of an image classifier"
_PREPROCESSOR = "mean and deviation of pictures, which are the same for all methods here"
_MOTION = "part of a method that has no counterpart here; only the trunk is taken over"
_COARSE = "output that the trunk does not compute: its last stage gives only the finest branch"
_COARSE_ROW = re.compile(r"backbone\.stage4\.(\d+)\.fuse_layers\.[1-3]\.")


@dataclass(frozen=True)
class Family:
    """A kind of published file.

    `signs`: first or first two parts of names that together give it away. `rename`: see
    `tdmi.checkpoints.names`. `joints`: what the head's channels are, None without a pose head.
    `unused`: patterns of names that are left out, each with the reason. `absent`: beginnings of our
    names that such files do not have; the model's own initial values stay there.
    """

    title: str
    backbone: type[HRNet] | type[PoseResNet]
    signs: frozenset[str]
    rename: Callable[[str], str | None]
    joints: Skeleton | None = None
    unused: tuple[tuple[str, str], ...] = ()
    absent: tuple[str, ...] = ()


def _own(name: str) -> str:
    return name


def _mmpose(version: str, head: str) -> list[Family]:
    kinds = (
        ("HRNet", HRNet, "backbone.stage2", names.mmpose_hrnet),
        ("ResNet", PoseResNet, "backbone.layer4", names.mmpose_resnet),
    )
    unused = ((r"data_preprocessor\.", _PREPROCESSOR),)
    return [
        Family(
            f"mmpose {version} ({kind})",
            trunk,
            frozenset({sign, f"{head}.final_layer"}),
            rename,
            COCO,
            unused,
        )
        for kind, trunk, sign, rename in kinds
    ]


FAMILIES = (
    Family("DCPose", HRNet, frozenset({"rough_pose_estimation_net"}), names.dcpose, POSETRACK18),
    Family(
        "FAMI-Pose",
        HRNet,
        frozenset({"hrnet", "feat_global_offset_layers"}),
        names.fami_pose,
        POSETRACK18,
    ),
    Family(
        "TDMI authors' code",
        HRNet,
        frozenset({"hrnet"}),
        names.fami_pose,
        POSETRACK18,
        unused=((r"(?!hrnet\.)", _MOTION),),
    ),
    Family("PoseWarper", HRNet, frozenset({"offset_feats"}), names.posewarper, POSETRACK18),
    *_mmpose("0.x", "keypoint_head"),
    *_mmpose("1.x", "head"),
    Family(
        "this project (HRNet)",
        HRNet,
        frozenset({"backbone.stage2", "head.weight"}),
        _own,
        POSETRACK18,
    ),
    Family(
        "this project (ResNet)",
        PoseResNet,
        frozenset({"backbone.layer4", "head.weight"}),
        _own,
        POSETRACK18,
    ),
    Family(
        "HRNet for ImageNet (official or timm)",
        HRNet,
        frozenset({"stage2", "incre_modules"}),
        names.hrnet,
        unused=((r"(incre_modules|downsamp_modules|final_layer|classifier)\.", _CLASSIFIER),),
        absent=("head.",),
    ),
    Family("HRNet for pose (official)", HRNet, frozenset({"stage2"}), names.hrnet, COCO),
    Family(
        "SimpleBaseline (official)",
        PoseResNet,
        frozenset({"layer4", "deconv_layers"}),
        names.simple_baseline,
        COCO,
    ),
    Family(
        "ResNet for ImageNet (torchvision)",
        PoseResNet,
        frozenset({"layer4"}),
        names.simple_baseline,
        unused=((r"fc\.", _CLASSIFIER),),
        absent=("head.", "backbone.deconv_layers."),
    ),
)
"""Tried in this order: a file is of the first family whose signs are all there."""


@dataclass
class Conversion:
    """A file's tensors by our names (`tensors`), what each was called there (`origin`), and the
    names that are left out with the reason (`unused`)."""

    family: Family
    tensors: dict[str, Tensor] = field(default_factory=dict)
    origin: dict[str, str] = field(default_factory=dict)
    unused: dict[str, str] = field(default_factory=dict)


def recognise(state: Mapping[str, Tensor]) -> Family:
    """The family of a state dictionary, by its names. UserError if it is none that is known."""
    parts = {".".join(name.split(".")[:count]) for name in state for count in (1, 2)}
    for family in FAMILIES:
        if family.signs <= parts:
            return family
    raise UserError(
        f"found names of no known network ({_some(list(state))}), expected one of "
        f"{', '.join(family.title for family in FAMILIES)}"
    )


def convert(state: Mapping[str, Tensor]) -> Conversion:
    """Recognise a state dictionary and rename its tensors.

    Raises:
        UserError: names of no known family, or names beside those of its family.
    """
    conversion = Conversion(recognise(state))
    unknown = []
    for name, value in state.items():
        ours, reason = _ours(name, conversion.family)
        if reason:
            conversion.unused[name] = reason
        elif ours is None:
            unknown.append(name)
        else:
            conversion.tensors[ours] = value
            conversion.origin[ours] = name
    if unknown:
        raise UserError(
            f"found {len(unknown)} names ({_some(unknown)}) that {conversion.family.title} does "
            "not have; expected no other"
        )
    _leave_out_coarse_rows(conversion)
    return conversion


def _ours(name: str, family: Family) -> tuple[str | None, str]:
    """Our name, or the reason for leaving the name out."""
    for pattern, reason in family.unused:
        if re.match(pattern, name):
            return None, reason
    return family.rename(name), ""


def _leave_out_coarse_rows(conversion: Conversion) -> None:
    """Classifiers fuse all four outputs in the last module; a pose trunk has only the finest."""
    rows = {name: int(row[1]) for name in conversion.tensors if (row := _COARSE_ROW.match(name))}
    modules = [
        int(found[1])
        for name in conversion.tensors
        if (found := re.match(r"backbone\.stage4\.(\d+)\.", name))
    ]
    for name, module in rows.items():
        if module == max(modules):
            del conversion.tensors[name]
            conversion.unused[conversion.origin.pop(name)] = _COARSE


def _some(found: list[str], limit: int = 4) -> str:
    return ", ".join(found[:limit]) + (", ..." if len(found) > limit else "")
