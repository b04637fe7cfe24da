"""Temporal concatenation: the control without motion and without alignment (own baseline).

The neighbours' features enter the same fusion that TDMI uses, as they are. What this method gains
over a single frame is what five frames and a fusion of this size gain by themselves.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Unpack

import torch
from torch import Tensor

from tdmi.models.fusion import Fusion
from tdmi.models.hrnet import HRNet
from tdmi.models.method import PoseMethod, Shared
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
        **shared: Unpack[Shared],
    ) -> None:
        super().__init__(backbone, joints, window=window, **shared)
        neighbours = len(self.window) - 1
        self.fusion = Fusion(neighbours * backbone.channels, backbone.channels, blocks, self.start)
        self.add_paper_head()

    def aggregate(self, features: Sequence[Tensor], offsets: Tensor) -> PoseOutput:
        (maps,) = features
        neighbours = [maps[:, t] for t in range(len(self.window)) if t != self.key]
        fused = self.fusion(torch.cat(neighbours, dim=1), maps[:, self.key])
        return PoseOutput(self.output_head(fused))
