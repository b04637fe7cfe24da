"""Weights trained elsewhere, renamed for this project's models.

Only names change, never shapes or values; loading itself is strict (`PoseMethod.load_single_frame`
or `load_state_dict`), so a file that does not fit is refused with a list and never half loaded.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor

from tdmi.errors import UserError
from tdmi.models.hrnet import HRNet
from tdmi.models.method import PoseMethod
from tdmi.skeletons import COCO, Skeleton

_HRNET_PARTS = {"conv1", "bn1", "conv2", "bn2", "layer1"} | {
    *(f"transition{i}" for i in (1, 2, 3)),
    *(f"stage{i}" for i in (2, 3, 4)),
}
_RESNET_PARTS = {"conv1", "bn1", "deconv_layers"} | {f"layer{i}" for i in (1, 2, 3, 4)}
_DCPOSE_NAMES = [  # pattern in the official name, our name
    (r"^diff_temporal_fuse\.layers\.", "residual_fusion."),
    (r"^support_temporal_fuse\.layers\.0\.", "merger."),
    (r"^offset_mask_combine_conv\.layers\.", "combination."),
    (r"^offsets_list\.(\d)\.0\.", r"offsets.\1."),
    (r"^masks_list\.(\d)\.0\.", r"masks.\1."),
    (r"^modulated_deform_conv_list\.(\d)\.deform_conv\.", r"corrections.\1."),
]
_STEPS_NAMES = [
    (r"\.conv_bn_relu1\.", ".enter."),
    (r"\.conv_bn_relu3\.", ".leave."),
    (r"\.downsample\.", ".shortcut."),
    (
        r"\.conv_bn_relu2_(\d)_(\d)\.",
        lambda found: f".steps.{int(found[1]) - 1}.{int(found[2]) - 1}.",
    ),
    (r"\.conv\.", ".0."),
    (r"\.bn\.", ".1."),
]
_DCPOSE_BACKBONE = "rough_pose_estimation_net."
_FAMI_POSE_NAMES = [
    (r"^feat_global_offset_layers\.0\.layers\.", "global_alignment.entry."),
    (
        r"^feat_global_offset_layers\.([1-5])\.(conv|bn)\.",
        lambda found: (
            f"global_alignment.halvings.{int(found[1]) - 1}.{0 if found[2] == 'conv' else 1}."
        ),
    ),
    (
        r"^feat_global_offset_layers\.([7-9])\.",
        lambda found: f"global_alignment.regression.{int(found[1]) - 7}.",
    ),
    (r"^sup_agg_block\.layers\.", "merger."),
    (r"^combined_feat_layers\.layers\.", "local_alignment.combination."),
    (
        r"^dcn_(offset|mask)_([1-4])\.conv\.",
        lambda found: f"local_alignment.convolutions.{int(found[2]) - 1}.{found[1]}.",
    ),
    (
        r"^dcn_([1-4])\.",
        lambda found: f"local_alignment.convolutions.{int(found[1]) - 1}.deform.",
    ),
    (r"^init_feature_agg_block\.layers\.", "fusion.chain."),
    (r"^agg_final_layer\.", "fused_head."),
]
_FAMI_POSE_BACKBONE = "hrnet."


def from_hrnet(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Official HRNet pose weights (`pose_hrnet_w48_384x288.pth` ...) as a single-frame state.

    The trunk goes under `backbone.`, `final_layer` becomes `head`; a leading `module.` is dropped.
    UserError for any other name (an ImageNet classification file, for instance).
    """
    return {_hrnet_name(name, name): value for name, value in _plain(state).items()}


def read_published(path: Path) -> dict[str, Tensor]:
    """State dictionary of a file of published HRNet weights, as it is in the file.

    UserError: no such file (with where to get it), or none that holds tensors by name.
    """
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
    except FileNotFoundError:
        raise UserError(
            f"{path}: no such file, expected HRNet pose weights trained on COCO, e.g. "
            "pose_hrnet_w48_384x288.pth of the HRNet authors' model zoo; put it there, or take "
            "initial_weights out of the suite to train from scratch"
        ) from None
    except Exception as error:
        raise UserError(
            f"{path}: found no readable weights ({type(error).__name__}), expected a file of "
            "tensors written by torch.save; download it again"
        ) from None
    state = content.get("state_dict", content) if isinstance(content, dict) else None
    if not state or not all(isinstance(value, Tensor) for value in state.values()):
        raise UserError(f"{path}: found no state dictionary, expected tensors by name")
    return state


def published_start(path: Path, method: PoseMethod, skeleton: Skeleton) -> dict[str, Tensor]:
    """Official COCO pose weights of a file, as a single-frame state for `skeleton`.

    HRNet's or SimpleBaseline's, by the method's backbone.

    The head's channels are taken over by joint name; joints that COCO does not have (PoseTrack's
    head_bottom and head_top, HiEve's chest) keep the method's own initial weights and are learnt
    anew (choice of this project: released code reuses the eyes' channels for them).
    UserError: as `read_published`, or weights of another network.
    """
    renamed = from_hrnet if isinstance(method.backbone, HRNet) else from_simple_baseline
    state = renamed(read_published(path))
    slots = skeleton.slots_in(COCO)
    for name, own in method.head.state_dict(prefix="head.").items():
        if name not in state or len(state[name]) != len(COCO):
            raise UserError(f"{path}: {name} is not that of the {len(COCO)} COCO joints")
        mapped = own.clone()
        mapped[slots >= 0] = state[name][slots[slots >= 0]]
        state[name] = mapped
    return state


def from_dcpose(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Official DCPose weights (the file's `state_dict`) as the state of `baselines.dcpose.DCPose`.

    They fit a model with start="paper". UserError for any name that is not DCPose's.
    """
    return {_dcpose_name(name): value for name, value in _plain(state).items()}


def from_simple_baseline(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Official SimpleBaseline weights (`pose_resnet_50_384x288.pth` ...) as a single-frame state.

    They fit `SingleFrame(PoseResNet(50))` and so on; `final_layer` becomes `head`. UserError for
    any other name (an ImageNet classification file, for instance).
    """
    return {_resnet_name(name): value for name, value in _plain(state).items()}


def from_posewarper(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Official PoseWarper weights as the state of `baselines.posewarper.PoseWarper`.

    They fit a model with start="paper". UserError for any name that is not PoseWarper's.
    """
    return {_posewarper_name(name): value for name, value in _plain(state).items()}


def from_fami_pose(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Released FAMI-Pose names as the state of `baselines.fami_pose.FAMIPose`.

    They fit a model with start="paper" whose loss learns nothing of its own (any estimator but
    vclub). The authors publish no weights; this reads what their code saves. UserError for any
    name that is not FAMI-Pose's.
    """
    return {_fami_pose_name(name): value for name, value in _plain(state).items()}


def _plain(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    return {name.removeprefix("module."): value for name, value in state.items()}


def _hrnet_name(name: str, shown: str) -> str:
    return _trunk_name(name, shown, _HRNET_PARTS, "an HRNet")


def _resnet_name(name: str) -> str:
    return _trunk_name(name, name, _RESNET_PARTS, "a SimpleBaseline")


def _trunk_name(name: str, shown: str, parts: set[str], model: str) -> str:
    part, _, rest = name.partition(".")
    if part == "final_layer":
        return f"head.{rest}"
    if part in parts:
        return f"backbone.{name}"
    raise UserError(f"weights: unknown name {shown!r}; expected those of {model} pose model")


def _posewarper_name(name: str) -> str:
    if name.startswith("offset_feats."):
        return f"warper.guide.{name.removeprefix('offset_feats.')}"
    if found := re.fullmatch(r"(offsets|deform_conv)([1-5])\.weight", name):
        part = {"offsets": "offsets", "deform_conv": "warps"}[found[1]]
        return f"warper.{part}.{int(found[2]) - 1}.weight"
    return _hrnet_name(name, name)


def _dcpose_name(name: str) -> str:
    if name.startswith(_DCPOSE_BACKBONE):
        return _hrnet_name(name.removeprefix(_DCPOSE_BACKBONE), name)
    for pattern, ours in _DCPOSE_NAMES:
        renamed, found = re.subn(pattern, ours, name)
        if found:
            for step_pattern, step in _STEPS_NAMES:
                renamed = re.sub(step_pattern, step, renamed)
            return renamed
    raise UserError(f"weights: unknown name {name!r}; expected those of a DCPose file")


def _fami_pose_name(name: str) -> str:
    if name.startswith(_FAMI_POSE_BACKBONE):
        return _hrnet_name(name.removeprefix(_FAMI_POSE_BACKBONE), name)
    for pattern, ours in _FAMI_POSE_NAMES:
        renamed, found = re.subn(pattern, ours, name)
        if found:
            return renamed
    raise UserError(f"weights: unknown name {name!r}; expected those of a FAMI-Pose file")
