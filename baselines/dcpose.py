"""DCPose: deformable correction of heatmaps from three frames (Liu et al., CVPR 2021)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Unpack

import torch
from torch import Tensor, nn

from baselines.residual_steps import ResidualStepsBlock, residual_steps_chain
from tdmi.models.deformable import DeformableConv2d
from tdmi.models.hrnet import HRNet
from tdmi.models.layers import conv3x3, initialise
from tdmi.models.method import PoseMethod, Shared
from tdmi.models.output import PoseOutput, Target


class DCPose(PoseMethod):
    """Heatmaps of the previous, the key and the next frame, merged and corrected.

    Pose temporal merger: the three frames' heatmaps, neighbours weighted by nearness in time, give
    J merged maps. Pose residual fusion: their differences to the key frame give 2 J maps. From
    both, combined to `channels` maps, a 3x3 convolution for each of `dilations` predicts offsets
    and masks of a modulated deformable convolution of the merged maps (one offset group per joint,
    no activation on offsets or masks); the heatmaps are the mean over dilations.

    Defaults are the released code (17 joints, 64 channels, dilations 3 to 15), which takes residual
    steps blocks where the paper draws per-joint residual blocks.

    start="paper": the released initialisation (convolutions with deviation 0.001, deformable
    kernels the identity). start="single_frame" (choice of this project): the merged maps are
    `key heatmaps + merger` with the merger's last norm at zero, offsets begin at zero and masks are
    `1 + convolution` with the convolution at zero, so that all maps are the key frame's own.

    `freeze_backbone` freezes the head as well (1,603,053 trainable weights with the defaults). If
    it is off, the key frame's own heatmaps get an equal loss, as in the released code.
    """

    def __init__(
        self,
        backbone: HRNet,
        joints: int = 17,
        *,
        channels: int = 64,
        dilations: Sequence[int] = (3, 6, 9, 12, 15),
        **shared: Unpack[Shared],
    ) -> None:
        super().__init__(backbone, joints, window=(-1, 0, 1), **shared)
        onto_key = self.start == "single_frame"
        self.residual_fusion = residual_steps_chain(4 * joints, 2 * joints, 2)
        self.merger = ResidualStepsBlock(
            3 * joints, joints, projection=not onto_key, zero_last=onto_key
        )
        self.combination = residual_steps_chain(3 * joints, channels, 2)
        taps = 9
        self.offsets, self.masks, self.corrections = (nn.ModuleList() for _ in range(3))
        for d in dilations:
            self.offsets.append(conv3x3(channels, 2 * taps * joints, dilation=d, bias=False))
            self.masks.append(conv3x3(channels, taps * joints, dilation=d, bias=False))
            self.corrections.append(DeformableConv2d(joints, joints, dilation=d).identity_())
        for part in (self.residual_fusion, self.merger, self.combination):
            initialise(part, std=None if onto_key else 0.001)
        for layer in [*self.offsets, *self.masks]:
            nn.init.normal_(layer.weight, std=0.0 if onto_key else 0.001)
        if self.freeze_backbone:
            self.head.requires_grad_(False)

    def aggregate(self, features: Sequence[Tensor], offsets: Tensor) -> PoseOutput:
        """`terms["single_frame"]` [B, J, h, w]: the key frame's own heatmaps."""
        (maps,) = features
        heatmaps = self.heatmaps(maps)
        previous, key, following = heatmaps.unbind(dim=1)
        near_previous, near_following = (
            w.to(heatmaps.dtype)[:, None, None, None] for w in nearness(offsets)
        )
        differences = _by_joint(
            key - previous,
            (key - previous) * near_previous,
            key - following,
            (key - following) * near_following,
        )
        merged = _by_joint(key, previous * near_previous, following * near_following)
        if self.start == "single_frame":
            support, first_mask = key + self.merger.residual(merged), 1
        else:
            support, first_mask = self.merger(merged), 0
        guide = self.combination(torch.cat([self.residual_fusion(differences), support], dim=1))
        corrected = [
            correction(support, offset(guide), first_mask + mask(guide))
            for offset, mask, correction in zip(
                self.offsets, self.masks, self.corrections, strict=True
            )
        ]
        return PoseOutput(torch.stack(corrected).mean(dim=0), {"single_frame": key})

    def loss(self, output: PoseOutput, target: Target) -> dict[str, Tensor]:
        losses = super().loss(output, target)
        if not self.freeze_backbone:
            losses["single_frame"] = self.heatmap_loss(output.terms["single_frame"], target)
        return losses


def nearness(offsets: Tensor) -> tuple[Tensor, Tensor]:
    """Weights [B] of the previous and the next frame: each the other's share of the distance.

    `offsets` [B, 3] as (previous, 0, next). A missing neighbour (offset 0) counts as distance 1,
    as in the released code. Float32, whatever the model's precision, as there.
    """
    left = (-offsets[:, 0]).float().clamp_min(1)
    right = offsets[:, 2].float().clamp_min(1)
    return right / (left + right), left / (left + right)


def _by_joint(*maps: Tensor) -> Tensor:
    """Maps [B, J, h, w] each -> [B, J * n, h, w], all n of a joint next to each other."""
    return torch.stack(maps, dim=2).flatten(1, 2)
