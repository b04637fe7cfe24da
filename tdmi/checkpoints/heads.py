"""From the heatmap channels of published weights to the joints that a suite predicts."""

from __future__ import annotations

from collections.abc import Mapping
from typing import get_args

import torch
from torch import Tensor

from tdmi.config.training import HeadMapping
from tdmi.core.checks import choose
from tdmi.core.errors import UserError
from tdmi.data.skeletons import COCO, POSETRACK18, Skeleton


def map_head(
    found: Mapping[str, Tensor],
    joints: Skeleton,
    own: Mapping[str, Tensor],
    skeleton: Skeleton,
    mapping: HeadMapping,
) -> tuple[dict[str, Tensor], list[str]]:
    """Head tensors [J, ...] of `skeleton` made from `found`, and the joints that are learnt anew.

    Args:
        found: tensors by name, channels in the order of `joints` (with "as_is": of `skeleton`).
        own: the method's initial head, under the same names, channels in the order of `skeleton`.
        mapping: "by_joint_name" takes over the joints that both have and leaves the others (from
            COCO: head_bottom and head_top, HiEve's chest) as `own` has them (choice of this
            project: an eye is no neck). "reuse_eyes" takes over all 17 channels, so that the left
            eye's begins as head_bottom and the right eye's as head_top (released code). "as_is"
            takes over all channels: the file is already in `skeleton`'s order.

    UserError: another number of channels, or eyes where there are none to reuse.
    """
    choose("head_mapping", mapping, get_args(HeadMapping))
    expected = skeleton if mapping == "as_is" else joints
    for name, value in found.items():
        wanted = (len(expected), *own[name].shape[1:])
        if value.shape != wanted:
            raise UserError(
                f"{name} has the shape {tuple(value.shape)}, expected {wanted}: a channel for each "
                f"of the {len(expected)} joints of {expected.name} (head_mapping: {mapping})"
            )
    if mapping == "reuse_eyes" and (joints is not COCO or skeleton is not POSETRACK18):
        raise UserError(
            f"head_mapping: found reuse_eyes from joints of {joints.name} to {skeleton.name}, "
            "expected coco to posetrack18; give by_joint_name or as_is"
        )
    if mapping != "by_joint_name":
        return dict(found), []
    slots = torch.from_numpy(skeleton.slots_in(joints))
    known = slots >= 0
    mapped = {name: own[name].clone() for name in found}
    for name, value in found.items():
        mapped[name][known] = value[slots[known]].to(own[name].dtype)
    return mapped, [joint for joint, there in zip(skeleton.joints, known, strict=True) if not there]
