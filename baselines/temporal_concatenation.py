"""Temporal concatenation: the control without motion and without alignment (own baseline).

The neighbours' features enter the same fusion that TDMI uses, as they are. What this method gains
over a single frame is what five frames and a fusion of this size gain by themselves.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from tdmi.models.fusion import Fusion, paper_head
from tdmi.models.hrnet import HRNet
from tdmi.models.method import BackboneNorm, PoseMethod, Start
from tdmi.models.output import PoseOutput


class TemporalConcatenation(PoseMethod):
    """Fusion of the concatenated neighbours' features with the key frame's feature.

    `blocks`: residual blocks of the fusion. With start="paper" a 3x3 head of its own replaces the
    single-frame head, which is then loaded but not used.
    """

    def __init__(
        self,
        backbone: HRNet,
        joints: int = 17,
        *,
        window: Sequence[int] = (-2, -1, 0, 1, 2),
        blocks: int = 3,
        start: Start = "single_frame",
        backbone_norm: BackboneNorm = "frozen",
        freeze_backbone: bool = False,
        loss_factor: float = 1.0,
        loss_foreground: float = 0.0,
    ) -> None:
        super().__init__(
            backbone,
            joints,
            window=window,
            start=start,
            backbone_norm=backbone_norm,
            freeze_backbone=freeze_backbone,
            loss_factor=loss_factor,
            loss_foreground=loss_foreground,
        )
        neighbours = len(self.window) - 1
        self.fusion = Fusion(neighbours * backbone.channels, backbone.channels, blocks, start)
        if start == "paper":
            self.paper_head = paper_head(backbone.channels, joints)
            self.head.requires_grad_(False)

    def aggregate(self, features: Sequence[Tensor], offsets: Tensor) -> PoseOutput:
        (maps,) = features
        neighbours = [maps[:, t] for t in range(len(self.window)) if t != self.key]
        fused = self.fusion(torch.cat(neighbours, dim=1), maps[:, self.key])
        return PoseOutput((self.paper_head if self.start == "paper" else self.head)(fused))
