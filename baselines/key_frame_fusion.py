"""Key-frame fusion: the control with a temporal method's layers on one frame (own baseline).

Copies of the key frame's own feature take the neighbours' place in `TemporalConcatenation`. What it
gains over the single frame comes from more layers and their training, not from time; only what a
temporal method gains over it is a gain from other frames.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Unpack

import torch
from torch import Tensor

from tdmi.core.checks import at_least
from tdmi.models.fusion import Fusion
from tdmi.models.hrnet import HRNet
from tdmi.models.method import PoseMethod, Shared
from tdmi.models.output import PoseOutput


class KeyFrameFusion(PoseMethod):
    """Fusion of `copies` of the key frame's feature with that feature itself.

    `copies`: the neighbours that the control stands for, 4 in a window of five frames. `blocks` and
    `start` as in `TemporalConcatenation`, with whose layers these agree in number and size.
    """

    def __init__(
        self,
        backbone: HRNet,
        joints: int = 17,
        *,
        copies: int = 4,
        blocks: int = 3,
        **shared: Unpack[Shared],
    ) -> None:
        super().__init__(backbone, joints, window=(0,), **shared)
        self.copies = at_least("copies", copies, 1)
        self.fusion = Fusion(copies * backbone.channels, backbone.channels, blocks, self.start)
        self.add_paper_head()

    def aggregate(self, features: Sequence[Tensor], offsets: Tensor) -> PoseOutput:
        key = features[0][:, self.key]
        fused = self.fusion(torch.cat([key] * self.copies, dim=1), key)
        return PoseOutput(self.output_head(fused))
