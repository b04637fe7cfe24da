"""Fusion of a motion feature and a visual feature into the feature that the head reads."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from tdmi.core.checks import at_least
from tdmi.models.layers import BasicBlock, initialise, residual_chain
from tdmi.models.method import Start


class Fusion(nn.Module):
    """(motion [B, M, h, w], visual [B, V, h, w]) -> fused [B, V, h, w], all entries >= 0.

    start="paper": a chain of `blocks` residual blocks on the concatenation, as published (three
    blocks), convolutions drawn with deviation 0.001. `PoseMethod.add_paper_head` follows.

    start="single_frame" (choice of this project): the same blocks, but the last one's shortcut is
    the visual feature, `ReLU(visual + chain(concatenation))`, and its last norm begins at zero. As
    the visual feature comes from a ReLU, the fused feature equals it at the beginning, and the 1x1
    head of the single-frame model can read it.

    Raises UserError if `blocks` is not a whole number of at least 1.
    """

    def __init__(
        self,
        motion_channels: int,
        visual_channels: int,
        blocks: int = 3,
        start: Start = "single_frame",
    ) -> None:
        super().__init__()
        at_least("fusion_blocks", blocks, 1)
        self.onto_visual = start == "single_frame"
        channels = motion_channels + visual_channels
        if self.onto_visual:
            self.chain = residual_chain(channels, visual_channels, blocks - 1)
            self.last = BasicBlock(
                visual_channels if blocks > 1 else channels, visual_channels, zero_last=True
            )
            initialise(self)
        else:
            self.chain = residual_chain(channels, visual_channels, blocks)
            initialise(self, std=0.001)

    def forward(self, motion: Tensor, visual: Tensor) -> Tensor:
        x = self.chain(torch.cat([motion, visual], dim=1))
        return torch.relu(visual + self.last.residual(x)) if self.onto_visual else x
