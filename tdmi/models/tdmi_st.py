"""TDMI-ST: TDMI whose visual feature is gathered over the whole window, aligned to the key frame.

The published name and the authors' review-time code tell what it is: the local alignment of
FAMI-Pose (Liu et al., CVPR 2022) without that method's global one.

    deepest features of the neighbours --gather--> X        (one feature)
    X + key frame's --combine--> guidance --refine x 2--> guidance
    X --deform by guidance--> --deform by itself--> aligned X
    aligned X + key frame's --Fusion--> visual feature A, which takes the key frame's place in TDMI
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from tdmi.core.checks import build
from tdmi.models.fusion import Fusion
from tdmi.models.hrnet import HRNet
from tdmi.models.layers import initialise, residual_chain
from tdmi.models.method import Start
from tdmi.models.modulation import SpatialModulation
from tdmi.models.tdmi import TDMI


class SequenceAlignment(nn.Module):
    """Deepest features of a window `[B, T, C, h, w]` -> spatio-temporal feature `[B, C, h, w]`.

    Args:
        channels: C. frames: T, at least 2. key: index of the key frame.
        start: with "single_frame" the result equals the key frame's feature until the first step
            (see `Fusion`); "paper" draws convolutions with deviation 0.001.
        offset_groups, mask_activation, offset_dilation: of all four, see `SpatialModulation`; the
            dilation is also that of the deformable convolutions (both 3 in the review-time code).

    UserError: a choice that is not one of those.
    """

    def __init__(
        self,
        channels: int,
        frames: int,
        key: int,
        start: Start = "single_frame",
        offset_groups: int | None = None,
        mask_activation: str = "sigmoid",
        offset_dilation: int = 3,
    ) -> None:
        super().__init__()
        self.key = key
        self.gather = residual_chain((frames - 1) * channels, channels, 2)
        self.combine = residual_chain(2 * channels, channels, 1)
        for part in (self.gather, self.combine):
            initialise(part, std=0.001 if start == "paper" else None)
        options = (start, offset_groups, mask_activation, offset_dilation)
        self.refine, self.align = (
            nn.ModuleList(
                SpatialModulation(
                    "alignment", channels, channels, *options, dilation=offset_dilation
                )
                for _ in range(2)
            )
            for _ in range(2)
        )
        self.fusion = Fusion(channels, channels, 3, start)

    def forward(self, features: Tensor, visual: Tensor) -> Tensor:
        """`features` of all frames; `visual` `[B, C, h, w]` the key frame's among them."""
        others = torch.cat([features[:, : self.key], features[:, self.key + 1 :]], dim=1)
        x = self.gather(others.flatten(1, 2))
        guidance = self.combine(torch.cat([x, visual], dim=1))
        for modulate in self.refine:
            guidance = modulate(guidance, guidance)
        by_guidance, by_itself = self.align
        x = by_guidance(x, guidance)
        x = by_itself(x, x)
        return self.fusion(x, visual)


class TDMIST(TDMI):
    """TDMI with `SequenceAlignment` in the place of the key frame's deepest feature.

    The encoder's guidance still reads the key frame's own feature, as in the review-time code.
    `alignment`: options of `SequenceAlignment`; all others are those of `TDMI`.
    """

    def __init__(
        self,
        backbone: HRNet,
        joints: int = 17,
        *,
        alignment: Mapping[str, Any] | None = None,
        **options: Any,
    ) -> None:
        super().__init__(backbone, joints, **options)
        self.alignment = build(
            "alignment",
            SequenceAlignment,
            alignment,
            channels=backbone.channels,
            frames=len(self.window),
            key=self.key,
            start=self.start,
        )

    def visual_feature(self, deepest: Tensor, key: Tensor) -> Tensor:
        return self.alignment(deepest, key)
