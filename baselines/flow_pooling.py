"""Heatmaps of neighbouring frames, warped along optical flow and pooled.

Flowing ConvNets (Pfister, Charles, Zisserman, ICCV 2015) on the shared backbone.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal, Unpack

import torch
from torch import Tensor, nn

from baselines.flow import WindowFlow, aligned_to_key
from tdmi.core.checks import build, choose
from tdmi.core.errors import UserError
from tdmi.models.hrnet import HRNet
from tdmi.models.method import PoseMethod, Shared
from tdmi.models.output import PoseOutput, Target

Pooling = Literal["learned", "mean", "max"]
PAPER_WINDOW = (-2, -1, 0, 1, 2)
PAPER_WEIGHTS = (0.1, 0.25, 0.3, 0.25, 0.1)
"""Weights of that window's frames at the beginning with start="paper": the fixed ones of PoseWarper
(Bertasius et al., NeurIPS 2019), because Flowing ConvNets does not say how it begins."""


class FlowPooling(PoseMethod):
    """Every frame's heatmaps, brought to the key frame by flow, then pooled over frames.

    `pooling`: "learned" is the paper's parametric pooling, for each joint one weight per frame
    (17 x 5 = 85 weights); "mean" and "max" are its fixed alternatives and have no weights.
    `start` matters to the learned pooling: "single_frame" gives the key frame weight 1 and the
    others 0; "paper" begins with `PAPER_WEIGHTS`.
    `flow`: options of `WindowFlow`. With its `occlusion`, the key frame's own heatmaps stand in
    where a neighbour does not show the key frame's pixel, as they do for a missing neighbour.

    `freeze_backbone` freezes the head as well, so that only the pooling weights are trained. If
    it is off, the key frame's own heatmaps also get a loss (the paper's loss on per-frame maps; the
    other frames of a window have no target here).
    """

    def __init__(
        self,
        backbone: HRNet,
        joints: int = 17,
        *,
        window: Sequence[int] = (-2, -1, 0, 1, 2),
        pooling: Pooling = "learned",
        flow: Mapping[str, Any] | None = None,
        **shared: Unpack[Shared],
    ) -> None:
        super().__init__(backbone, joints, window=window, **shared)
        self.pooling = choose("pooling", pooling, ("learned", "mean", "max"))
        self.flow = build("flow", WindowFlow, flow)
        self.frame_cue = self.flow.of_frames
        if self.freeze_backbone:
            self.head.requires_grad_(False)
        if pooling == "learned":
            self.weights = nn.Parameter(self._first_weights().repeat(joints, 1))

    def _first_weights(self) -> Tensor:
        """[T], the weight of each frame at the beginning."""
        if self.start == "single_frame":
            return torch.tensor([float(offset == 0) for offset in self.window])
        if self.window != PAPER_WINDOW:
            raise UserError(
                f"option window: found {self.window} with start paper, expected {PAPER_WINDOW}, "
                "the only one that it has weights for; use start single_frame"
            )
        return torch.tensor(PAPER_WEIGHTS)

    def forward(self, frames: Tensor, offsets: Tensor, cue: Tensor | None = None) -> PoseOutput:
        """`terms["single_frame"]` [B, J, h, w]: the key frame's own heatmaps."""
        (features,) = self.features(frames)
        heatmaps = self.heatmaps(features)
        warped, visible = aligned_to_key(heatmaps, self.flow(frames, offsets, self.key, cue))
        single_frame = heatmaps[:, self.key]
        if visible is not None:
            warped = torch.lerp(single_frame.unsqueeze(1), warped, visible)
        return PoseOutput(self._pool(warped), {"single_frame": single_frame})

    def _pool(self, warped: Tensor) -> Tensor:
        """[B, T, J, h, w] -> [B, J, h, w]."""
        if self.pooling == "learned":
            return torch.einsum("btjhw,jt->bjhw", warped, self.weights)
        return warped.mean(dim=1) if self.pooling == "mean" else warped.amax(dim=1)

    def loss(self, output: PoseOutput, target: Target) -> dict[str, Tensor]:
        losses = super().loss(output, target)
        if not self.freeze_backbone:
            losses["single_frame"] = self.heatmap_loss(output.terms["single_frame"], target)
        return losses
