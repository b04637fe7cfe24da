"""FAMI-Pose: neighbours' features aligned to the key frame in two steps (Liu et al., CVPR 2022).

every neighbour's feature --GlobalAlignment--> moved as a whole towards the key frame
all moved neighbours --merged, LocalAlignment--> calibrated by deformable convolutions
key frame's feature + calibrated feature --Fusion--> fused --head--> heatmaps
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Unpack

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from baselines.fami_pose_information import AlignmentInformation
from tdmi.core.checks import at_least, build
from tdmi.core.errors import UserError
from tdmi.models.fusion import Fusion
from tdmi.models.hrnet import HRNet
from tdmi.models.layers import conv_norm, fill_bias, initialise, residual_chain
from tdmi.models.method import PoseMethod, Shared, Start
from tdmi.models.modulation import SpatialModulation
from tdmi.models.output import PoseOutput, Target

CELLS = 3


def translate(features: Tensor, translation: Tensor) -> Tensor:
    """Move maps [N, C, h, w] by `translation` [N, 2], (x, y) in pixels of the maps.

    Bilinear; what comes in from outside is zero. (1, 0) moves content one column to the right.
    """
    size = translation.new_tensor([features.shape[-1], features.shape[-2]])
    linear = torch.eye(2, dtype=translation.dtype, device=translation.device)
    theta = torch.cat(
        [linear.expand(len(translation), 2, 2), (-2 * translation / size)[:, :, None]], dim=2
    )
    grid = F.affine_grid(theta, list(features.shape), align_corners=False)
    return F.grid_sample(features, grid, padding_mode="zeros", align_corners=False)


class GlobalAlignment(nn.Module):
    """Moves each neighbour's feature by a translation read from its difference to the key frame.

    The paper speaks of an affine transformation without its parametrisation; the released code
    regresses a translation, and so does this. From the difference (neighbour - key): a residual
    block to 16 channels, `halvings` 3x3 convolutions of stride 2, and three linear layers without
    activations between.

    `halvings`: 5 as released, which leaves 3x3 cells of a 96x72 map; maps of any other size left
    over are pooled to 3x3 cells (choice of this project; the released code stops there). Smaller
    maps want fewer: 2 for 16x12.

    start="single_frame": the last layer begins at zero, so that nothing moves at first.
    start="paper": convolutions with deviation 0.001, linear layers as PyTorch draws them, biases
    zero.
    """

    WIDTH = 16

    def __init__(self, channels: int, halvings: int, start: Start) -> None:
        super().__init__()
        width = self.WIDTH
        self.entry = residual_chain(channels, width, 1)
        # The convolutions' biases are superfluous before a norm, but released.
        self.halvings = nn.Sequential(
            *(conv_norm(width, width, 3, stride=2, relu=True, bias=True) for _ in range(halvings))
        )
        self.regression = nn.Sequential(nn.Linear(width * CELLS**2, 64), nn.Linear(64, 64))
        last = nn.Linear(64, 2)
        self.regression.append(last)
        initialise(self, std=0.001 if start == "paper" else None)
        for layer in self.regression:
            fill_bias(layer, 0)
        if start == "single_frame":
            nn.init.zeros_(last.weight)

    def translation(self, difference: Tensor) -> Tensor:
        """[N, C, h, w] -> [N, 2], (x, y) in pixels of the maps."""
        x = self.halvings(self.entry(difference))
        return self.regression(F.adaptive_avg_pool2d(x, CELLS).flatten(1))

    def forward(self, neighbours: Tensor, key: Tensor) -> Tensor:
        """`neighbours` [B, N, C, h, w], `key` [B, C, h, w] -> moved neighbours, same shape."""
        difference = neighbours - key[:, None]
        if self.training:
            # The norms' batch is one neighbour's, as released: what is two frames away differs
            # more from the key frame than what is one frame away.
            found = torch.stack([self.translation(d) for d in difference.unbind(1)], dim=1)
        else:
            found = self.translation(difference.flatten(0, 1)).unflatten(0, difference.shape[:2])
        moved = translate(neighbours.flatten(0, 1), found.flatten(0, 1))
        return moved.unflatten(0, difference.shape[:2])


class GuidedConvolution(SpatialModulation):
    """Modulated deformable 3x3 convolution [B, C, h, w] -> the same shape, steered by a guide.

    3x3 convolutions of the guide [B, C, h, w] give offsets and masks, without an activation, for
    groups of four channels (12 groups of 48 channels as released). All have `dilation`.

    start="paper": offsets and masks begin near zero (deviation 0.001), so that almost nothing
    passes at first; the kernel as PyTorch draws it. start="single_frame": masks begin near one
    and the kernel is the identity, so that the input passes on.
    """

    def __init__(self, channels: int, dilation: int, start: Start) -> None:
        super().__init__(
            "alignment", channels, channels, start, None, "none", dilation, dilation=dilation
        )

    def _initialise(self, start: Start) -> None:
        for layer in (self.offset, self.mask):
            initialise(layer, std=0.001)
        fill_bias(self.deform, 0)
        if start == "single_frame":
            fill_bias(self.mask, 1)
            self.deform.identity_()


class LocalAlignment(nn.Module):
    """Brings the merged neighbours' feature into line with the key frame's, place by place.

    Both features, combined by a residual block, are refined by two deformable convolutions that
    steer themselves. The result steers a third one over the merged neighbours' feature; a fourth,
    steering itself, refines that. `dilation` of all: 3 as released.
    """

    def __init__(self, channels: int, dilation: int, start: Start) -> None:
        super().__init__()
        if channels % 4:
            raise UserError(
                f"FAMIPose: the backbone has {channels} channels, expected a multiple of four, the "
                "size of an offset group"
            )
        self.combination = residual_chain(2 * channels, channels, 1)
        initialise(self, std=0.001 if start == "paper" else None)
        self.convolutions = nn.ModuleList(
            GuidedConvolution(channels, dilation, start) for _ in range(4)
        )

    def forward(self, support: Tensor, key: Tensor) -> Tensor:
        """Two features [B, C, h, w] -> the calibrated support, same shape."""
        guide = self.combination(torch.cat([support, key], dim=1))
        first, second, third, fourth = self.convolutions
        guide = first(guide, guide)
        guide = second(guide, guide)
        aligned = third(support, guide)
        return fourth(aligned, aligned)


class FAMIPose(PoseMethod):
    """Heatmaps of the key frame from its feature and its neighbours', aligned twice.

    Defaults are the released code's; W48 with them and start="paper" has 1,059,459 weights beside
    the backbone and its 1x1 head.

    Args:
        backbone, joints, shared: see `PoseMethod`. With start="single_frame" (choice of this
            project) the heatmaps equal the single-frame model's until the first step, because the
            fusion's shortcut is the key frame's feature (`Fusion`). With "paper" a 3x3 head of its
            own reads the fused feature (`PoseMethod.add_paper_head`).
        window: frame offsets, 0 and at least one more.
        halvings: see `GlobalAlignment`. dilation: see `LocalAlignment`. Both are for 96x72 maps.
        mutual_information: options of `AlignmentInformation`.

    UserError: an unknown option, or options that do not fit together.
    """

    def __init__(
        self,
        backbone: HRNet,
        joints: int = 17,
        *,
        window: Sequence[int] = (-2, -1, 0, 1, 2),
        halvings: int = 5,
        dilation: int = 3,
        mutual_information: Mapping[str, Any] | None = None,
        **shared: Unpack[Shared],
    ) -> None:
        super().__init__(backbone, joints, window=window, **shared)
        if len(self.window) < 2:
            raise UserError(
                f"option window: found {self.window}, expected a neighbour beside the key frame"
            )
        at_least("halvings", halvings, 0)
        at_least("dilation", dilation, 1)
        channels = backbone.channels
        self.global_alignment = GlobalAlignment(channels, halvings, self.start)
        self.merger = residual_chain((len(self.window) - 1) * channels, channels, 2)
        initialise(self.merger, std=0.001 if self.start == "paper" else None)
        self.local_alignment = LocalAlignment(channels, dilation, self.start)
        self.fusion = Fusion(channels, channels, 3, self.start)
        self.add_paper_head("fused_head")
        self.mutual_information = build(
            "mutual_information",
            AlignmentInformation,
            mutual_information,
            channels=channels,
            joints=joints,
        )

    def aggregate(self, features: Sequence[Tensor], offsets: Tensor) -> PoseOutput:
        """`offsets` [B, T] plays no part.

        `terms`: key, support (merged, before local alignment) and fused, all [B, C, H/4, W/4].
        """
        (maps,) = features
        key = maps[:, self.key]
        support = self.merger(self.global_alignment(self.neighbours(maps), key).flatten(1, 2))
        aligned = self.local_alignment(support, key)
        # The released order of channels would not let the fusion start from the key frame.
        order = (key, aligned) if self.start == "paper" else (aligned, key)
        fused = self.fusion(*order)
        return PoseOutput(self.output_head(fused), {"key": key, "support": support, "fused": fused})

    def loss(self, output: PoseOutput, target: Target) -> dict[str, Tensor]:
        """The heatmap error and one scalar `mi_<term>` per mutual-information term."""
        penalties = self.mutual_information(
            output.terms, output.heatmaps, target.heatmaps, target.weight, self.head
        )
        return super().loss(output, target) | penalties
