"""Names of published weights, one at a time, as this project's names.

Each function takes a name of a state dictionary (without a leading ``module.``) and gives ours, or
None if files of that family have no such name. Only names change, never shapes or values. Ours:
``backbone.`` for the trunk, ``head.`` for the 1x1 layer, then each method's own parts. The tables
of README.md in this folder say the same in words.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import partial

Table = list[tuple[str, str | Callable[[re.Match[str]], str]]]
"""Beginning of the official name, as a pattern; what stands there in ours. The first one counts."""


def _trunk(parts: str, before: str = "") -> Table:
    """The 1x1 layer and the `parts` of a trunk, whose names begin with `before`."""
    return [
        (rf"{before}final_layer\.", "head."),
        (rf"{before}({parts})(?=\.|$)", r"backbone.\1"),
    ]


_HRNET = "conv1|bn1|conv2|bn2|layer1|transition[1-3]|stage[2-4]"
_MMPOSE = r"(?:(?:backbone|(?:keypoint_)?head)\.)?"
_RESNET = "conv1|bn1|deconv_layers|layer[1-4]"
_STEPS: Table = [
    (r"\.conv_bn_relu1\.", ".enter."),
    (r"\.conv_bn_relu3\.", ".leave."),
    (r"\.downsample\.", ".shortcut."),
    (r"\.conv_bn_relu2_(\d)_(\d)\.", lambda m: f".steps.{int(m[1]) - 1}.{int(m[2]) - 1}."),
    (r"\.conv\.", ".0."),
    (r"\.bn\.", ".1."),
]


def _residual_steps(theirs: str, ours: str) -> Table:
    """A part of DCPose that is made of residual steps blocks."""

    def rename(found: re.Match[str]) -> str:
        name = f"{ours}.{found[1]}"
        for pattern, replacement in _STEPS:
            name = re.sub(pattern, replacement, name)
        return name

    return [(rf"{theirs}\.(.*)", rename)]


_DCPOSE: Table = [
    *_trunk(_HRNET, r"rough_pose_estimation_net\."),
    *_residual_steps(r"diff_temporal_fuse\.layers", "residual_fusion"),
    *_residual_steps(r"support_temporal_fuse\.layers\.0", "merger"),
    *_residual_steps(r"offset_mask_combine_conv\.layers", "combination"),
    (r"(offsets|masks)_list\.(\d)\.0\.", r"\1.\2."),
    (r"modulated_deform_conv_list\.(\d)\.deform_conv\.", r"corrections.\1."),
]
_FAMI_POSE: Table = [
    *_trunk(_HRNET, r"hrnet\."),
    (r"feat_global_offset_layers\.0\.layers\.", "global_alignment.entry."),
    (
        r"feat_global_offset_layers\.([1-5])\.(conv|bn)\.",
        lambda m: f"global_alignment.halvings.{int(m[1]) - 1}.{int(m[2] == 'bn')}.",
    ),
    (
        r"feat_global_offset_layers\.([7-9])\.",
        lambda m: f"global_alignment.regression.{int(m[1]) - 7}.",
    ),
    (r"sup_agg_block\.layers\.", "merger."),
    (r"combined_feat_layers\.layers\.", "local_alignment.combination."),
    (
        r"dcn_(offset|mask)_([1-4])\.conv\.",
        lambda m: f"local_alignment.convolutions.{int(m[2]) - 1}.{m[1]}.",
    ),
    (r"dcn_([1-4])\.", lambda m: f"local_alignment.convolutions.{int(m[1]) - 1}.deform."),
    (r"init_feature_agg_block\.layers\.", "fusion.chain."),
    (r"agg_final_layer\.", "fused_head."),
]
_POSEWARPER: Table = [
    (r"offset_feats\.", "warper.guide."),
    (r"offsets([1-5])\.(?=weight$)", lambda m: f"warper.offsets.{int(m[1]) - 1}."),
    (r"deform_conv([1-5])\.(?=weight$)", lambda m: f"warper.warps.{int(m[1]) - 1}."),
    *_trunk(_HRNET),
]


def _renamed(table: Table, name: str) -> str | None:
    for pattern, ours in table:
        renamed, found = re.subn(f"^{pattern}", ours, name)
        if found:
            return renamed
    return None


hrnet = partial(_renamed, _trunk(_HRNET))
"""Official HRNet pose weights (`pose_hrnet_w48_384x288.pth` ...)."""
simple_baseline = partial(_renamed, _trunk(_RESNET))
"""Official SimpleBaseline weights (`pose_resnet_50_384x288.pth` ...); trunk: torchvision's."""
mmpose_hrnet = partial(_renamed, _trunk(_HRNET, _MMPOSE))
"""HRNet with a heatmap head of mmpose 0.x (``keypoint_head.``) and 1.x (``head.``)."""
mmpose_resnet = partial(_renamed, _trunk(_RESNET, _MMPOSE))
"""ResNet with a deconvolution head of mmpose 0.x and 1.x, whose head owns deconv_layers."""
posewarper = partial(_renamed, _POSEWARPER)
"""Official PoseWarper weights: an HRNet and the warper. They fit start="paper"."""
dcpose = partial(_renamed, _DCPOSE)
"""Official DCPose weights. They fit start="paper"."""
fami_pose = partial(_renamed, _FAMI_POSE)
"""Weights that the released FAMI-Pose code saves; the authors publish none. They fit start="paper"
and a loss that learns nothing of its own (any estimator but vclub)."""
