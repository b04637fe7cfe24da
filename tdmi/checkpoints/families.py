"""Families of published weights, and their tensors under this project's names."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

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
_STAGE4 = re.compile(r"backbone\.stage4\.(\d+)\.(fuse_layers\.[1-3]\.)?")


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
    unused: Mapping[str, str] = field(default_factory=dict)
    absent: tuple[str, ...] = ()


_BACKBONES: dict[str, type[HRNet] | type[PoseResNet]] = {"HRNet": HRNet, "ResNet": PoseResNet}
_SIGNS = {"HRNet": "backbone.stage2", "ResNet": "backbone.layer4"}
_MMPOSE = {"HRNet": names.mmpose_hrnet, "ResNet": names.mmpose_resnet}


def _family(
    title: str, backbone: str, signs: str, rename: Callable[[str], str | None], *rest: Any
) -> Family:
    return Family(title, _BACKBONES[backbone], frozenset(signs.split()), rename, *rest)


FAMILIES = (
    _family("DCPose", "HRNet", "rough_pose_estimation_net", names.dcpose, POSETRACK18),
    _family("FAMI-Pose", "HRNet", "hrnet feat_global_offset_layers", names.fami_pose, POSETRACK18),
    _family(
        "TDMI authors' code", "HRNet", "hrnet", names.fami_pose, POSETRACK18,
        {r"(?!hrnet\.)": _MOTION},
    ),
    _family("PoseWarper", "HRNet", "offset_feats", names.posewarper, POSETRACK18),
    *(
        _family(
            f"mmpose {version} ({kind})", kind, f"{_SIGNS[kind]} {head}.final_layer", rename, COCO,
            {r"data_preprocessor\.": _PREPROCESSOR},
        )
        for version, head in (("0.x", "keypoint_head"), ("1.x", "head"))
        for kind, rename in _MMPOSE.items()
    ),
    *(
        _family(f"this project ({kind})", kind, f"{sign} head.weight", str, POSETRACK18)
        for kind, sign in _SIGNS.items()
    ),
    _family(
        "HRNet for ImageNet (official or timm)", "HRNet", "stage2 incre_modules", names.hrnet, None,
        {r"(incre_modules|downsamp_modules|final_layer|classifier)\.": _CLASSIFIER},
        ("head.",),
    ),
    _family("HRNet for pose (official)", "HRNet", "stage2", names.hrnet, COCO),
    _family(
        "SimpleBaseline (official)", "ResNet", "layer4 deconv_layers", names.simple_baseline, COCO
    ),
    _family(
        "ResNet for ImageNet (torchvision)", "ResNet", "layer4", names.simple_baseline, None,
        {r"fc\.": _CLASSIFIER},
        ("head.", "backbone.deconv_layers."),
    ),
)  # fmt: skip
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

    UserError: names of no known family, or names beside those of its family.
    """
    family = recognise(state)
    conversion = Conversion(family)
    unknown = []
    for name, value in state.items():
        reasons = [why for pattern, why in family.unused.items() if re.match(pattern, name)]
        if reasons:
            conversion.unused[name] = reasons[0]
        elif ours := family.rename(name):
            conversion.tensors[ours] = value
            conversion.origin[ours] = name
        else:
            unknown.append(name)
    if unknown:
        raise UserError(
            f"found {len(unknown)} names ({_some(unknown)}) that {family.title} does not have; "
            "expected no other"
        )
    _leave_out_coarse_rows(conversion)
    return conversion


def _leave_out_coarse_rows(conversion: Conversion) -> None:
    """Classifiers fuse all four outputs in the last module; a pose trunk has only the finest."""
    stage = [found for name in conversion.tensors if (found := _STAGE4.match(name))]
    last = max((int(found[1]) for found in stage), default=0)
    for found in stage:
        if found[2] and int(found[1]) == last:
            del conversion.tensors[found.string]
            conversion.unused[conversion.origin.pop(found.string)] = _COARSE


def _some(found: list[str], limit: int = 4) -> str:
    return ", ".join(found[:limit]) + (", ..." if len(found) > limit else "")
