"""Names of published weights, one at a time, as this project's names.

Each function takes a name of a state dictionary (without a leading ``module.``) and gives ours, or
None if files of that family have no such name. Only names change, never shapes or values. Ours:
``backbone.`` for the trunk, ``head.`` for the 1x1 layer, then each method's own parts. The tables
of README.md in this folder say the same in words.
"""

from __future__ import annotations

import re
from collections.abc import Callable

_HRNET_PARTS = {"conv1", "bn1", "conv2", "bn2", "layer1"} | {
    *(f"transition{i}" for i in (1, 2, 3)),
    *(f"stage{i}" for i in (2, 3, 4)),
}
_RESNET_PARTS = {"conv1", "bn1", "deconv_layers"} | {f"layer{i}" for i in (1, 2, 3, 4)}
Renaming = list[tuple[str, str | Callable[[re.Match[str]], str]]]
"""Pattern in the official name, our name."""

_DCPOSE_NAMES: Renaming = [
    (r"^diff_temporal_fuse\.layers\.", "residual_fusion."),
    (r"^support_temporal_fuse\.layers\.0\.", "merger."),
    (r"^offset_mask_combine_conv\.layers\.", "combination."),
    (r"^offsets_list\.(\d)\.0\.", r"offsets.\1."),
    (r"^masks_list\.(\d)\.0\.", r"masks.\1."),
    (r"^modulated_deform_conv_list\.(\d)\.deform_conv\.", r"corrections.\1."),
]
_STEPS_NAMES: Renaming = [
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
_FAMI_POSE_NAMES: Renaming = [
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
_MMPOSE_PREFIX = re.compile(r"^(backbone|(keypoint_)?head)\.")


def hrnet(name: str) -> str | None:
    """Official HRNet pose weights (`pose_hrnet_w48_384x288.pth` ...)."""
    return _of_trunk(name, _HRNET_PARTS)


def simple_baseline(name: str) -> str | None:
    """Official SimpleBaseline weights (`pose_resnet_50_384x288.pth` ...); trunk: torchvision's."""
    return _of_trunk(name, _RESNET_PARTS)


def mmpose_hrnet(name: str) -> str | None:
    """HRNet with a heatmap head of mmpose 0.x (``keypoint_head.``) and 1.x (``head.``)."""
    return hrnet(_MMPOSE_PREFIX.sub("", name))


def mmpose_resnet(name: str) -> str | None:
    """ResNet with a deconvolution head of mmpose 0.x and 1.x, whose head owns deconv_layers."""
    return simple_baseline(_MMPOSE_PREFIX.sub("", name))


def posewarper(name: str) -> str | None:
    """Official PoseWarper weights: an HRNet and the warper. They fit start="paper"."""
    if name.startswith("offset_feats."):
        return f"warper.guide.{name.removeprefix('offset_feats.')}"
    if found := re.fullmatch(r"(offsets|deform_conv)([1-5])\.weight", name):
        part = {"offsets": "offsets", "deform_conv": "warps"}[found[1]]
        return f"warper.{part}.{int(found[2]) - 1}.weight"
    return hrnet(name)


def dcpose(name: str) -> str | None:
    """Official DCPose weights. They fit start="paper"."""
    if name.startswith(_DCPOSE_BACKBONE):
        return hrnet(name.removeprefix(_DCPOSE_BACKBONE))
    renamed = _by_table(name, _DCPOSE_NAMES)
    if renamed is not None:
        for pattern, ours in _STEPS_NAMES:
            renamed = re.sub(pattern, ours, renamed)
    return renamed


def fami_pose(name: str) -> str | None:
    """Weights that the released FAMI-Pose code saves; the authors publish none.

    They fit start="paper" and a loss that learns nothing of its own (any estimator but vclub).
    """
    if name.startswith(_FAMI_POSE_BACKBONE):
        return hrnet(name.removeprefix(_FAMI_POSE_BACKBONE))
    return _by_table(name, _FAMI_POSE_NAMES)


def _of_trunk(name: str, parts: set[str]) -> str | None:
    part, _, rest = name.partition(".")
    if part == "final_layer":
        return f"head.{rest}"
    return f"backbone.{name}" if part in parts else None


def _by_table(name: str, table: Renaming) -> str | None:
    for pattern, ours in table:
        renamed, found = re.subn(pattern, ours, name)
        if found:
            return renamed
    return None
