"""Deformable convolution steered by a guidance feature (deformable convolution v2).

Source: TDMI (Feng et al., CVPR 2023), spatial modulation of the temporal difference encoder, and
the local alignment of FAMI-Pose (Liu et al., CVPR 2022), which TDMI-ST takes over. "Review-time
code" is the TDMI authors' partial public upload of November 2022, read for facts.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from tdmi.core.checks import at_least, choose
from tdmi.core.errors import UserError
from tdmi.models.deformable import DeformableConv2d
from tdmi.models.layers import conv3x3, fill_bias, initialise, residual_chain
from tdmi.models.method import Start

OPEN_MASK = 2.0
"""Bias that opens a sigmoid mask to 0.88, where its slope is still a tenth (choice of this project;
a mask begins open so that the first motion features are those of an ordinary convolution)."""


class SpatialModulation(nn.Module):
    """Maps `[B, C, h, w]` to the same shape by a 3x3 convolution that a guidance feature deforms.

    From the guidance `[B, G, h, w]`, a residual block and a 3x3 convolution give the sampling
    offsets (px of the feature map) and another convolution the modulation masks.

    Args:
        part: that the options belong to, "encoder" or "alignment".
        channels: C. guidance_channels: G. start: see `TemporalDifferenceEncoder`.
        offset_groups: groups of channels with their own offsets and masks; None: groups of four
            channels, the review-time code's 12 at 48 channels.
        mask_activation: "sigmoid" (deformable convolution v2) or "none" (review-time code).
        offset_dilation: of the convolutions for offsets and masks (review-time code: 3).
        guidance_blocks: residual blocks on the guidance: "separate" for offsets and masks, one
            "shared" by both, or "none" (then G = C).
        dilation: of the deformable convolution itself.

    UserError: a choice that is not one of those, or groups that do not divide C.
    """

    def __init__(
        self,
        part: str,
        channels: int,
        guidance_channels: int,
        start: Start,
        offset_groups: int | None,
        mask_activation: str,
        offset_dilation: int,
        guidance_blocks: str = "none",
        dilation: int = 1,
    ):
        super().__init__()
        choose(f"{part}.mask_activation", mask_activation, ("sigmoid", "none"))
        at_least(f"{part}.offset_dilation", offset_dilation, 1)
        groups = max(1, channels // 4) if offset_groups is None else offset_groups
        if channels % at_least(f"{part}.offset_groups", groups, 1):
            raise UserError(
                f"option {part}.offset_groups: found {groups}, expected a divisor of the "
                f"backbone's {channels} channels"
            )

        def block() -> nn.Module:
            return residual_chain(guidance_channels, channels, 1)

        self.offset_block = nn.Identity() if guidance_blocks == "none" else block()
        self.mask_block = block() if guidance_blocks == "separate" else None
        self.offset = conv3x3(channels, 2 * 9 * groups, dilation=offset_dilation)
        self.mask = conv3x3(channels, 9 * groups, dilation=offset_dilation)
        self.mask_activation = mask_activation
        self.deform = DeformableConv2d(channels, channels, dilation=dilation)
        self._initialise(start)

    def forward(self, x: Tensor, guidance: Tensor) -> Tensor:
        seen = self.offset_block(guidance)
        offset = self.offset(seen)
        mask = self.mask(seen if self.mask_block is None else self.mask_block(guidance))
        if self.mask_activation == "sigmoid":
            mask = torch.sigmoid(mask)
        return self.deform(x, offset, mask)

    def _initialise(self, start: Start) -> None:
        """Offsets begin near zero (deviation 0.001, as in the review-time code).

        Without a sigmoid the published masks begin near 0, so that almost nothing passes at first;
        with start="single_frame" they begin near 1.
        """
        initialise(self, std=0.001 if start == "paper" else None)
        for conv in (self.offset, self.mask):
            nn.init.normal_(conv.weight, std=0.001)
        if self.mask_activation == "sigmoid":
            fill_bias(self.mask, OPEN_MASK)
        elif start == "single_frame":
            fill_bias(self.mask, 1)
        fill_bias(self.deform, 0)
