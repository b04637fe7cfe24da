"""Heatmaps of neighbouring frames, warped along optical flow and pooled.

Flowing ConvNets (Pfister, Charles, Zisserman, ICCV 2015) on the shared backbone.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal

import torch
from torch import Tensor, nn

from baselines.flow import WindowFlow, aligned_to_key
from baselines.posewarper import AGGREGATION
from tdmi.core.checks import build
from tdmi.core.errors import UserError
from tdmi.models.hrnet import HRNet
from tdmi.models.method import BackboneNorm, PoseMethod, Start
from tdmi.models.output import PoseOutput, Target

Pooling = Literal["learned", "mean", "max"]


class FlowPooling(PoseMethod):
    """Every frame's heatmaps, brought to the key frame by flow, then pooled over frames.

    `pooling`: "learned" is the paper's parametric pooling, for each joint one weight per frame
    (17 x 5 = 85 weights); "mean" and "max" are its fixed alternatives and have no weights.
    `start` matters to the learned pooling: "single_frame" gives the key frame weight 1 and the
    others 0; "paper" begins with PoseWarper's fixed weights 0.3, 0.25, 0.1 for distances 0, 1, 2,
    because Flowing ConvNets does not say how it begins.
    `flow`: options of `WindowFlow`. With its `occlusion`, the key frame's own heatmaps stand in
    where a neighbour does not show the key frame's pixel, as they do for a missing neighbour.

    `freeze_backbone` freezes the head as well, so that the pooling weights alone are trained. If
    it is off, the key frame's own heatmaps get a loss too (the paper's loss on per-frame maps; the
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
        if pooling not in ("learned", "mean", "max"):
            raise UserError(f"FlowPooling: pooling is {pooling!r}; expected learned, mean or max")
        self.pooling = pooling
        self.flow = build("flow", WindowFlow, flow)
        self.frame_cue = self.flow.of_frames
        if freeze_backbone:
            self.head.requires_grad_(False)
        if pooling == "learned":
            self.weights = nn.Parameter(self._first_weights().repeat(joints, 1))

    def _first_weights(self) -> Tensor:
        """[T], the weight of each frame at the beginning."""
        if self.start == "single_frame":
            return torch.tensor([float(offset == 0) for offset in self.window])
        if self.window != (-2, -1, 0, 1, 2):
            raise UserError(
                f'FlowPooling: start "paper" has weights for the window (-2, -1, 0, 1, 2) only, '
                f'found {self.window}; use start "single_frame"'
            )
        return torch.tensor([AGGREGATION[abs(offset)] for offset in self.window])

    def forward(self, frames: Tensor, offsets: Tensor, cue: Tensor | None = None) -> PoseOutput:
        """`terms["single_frame"]` [B, J, h, w]: the key frame's own heatmaps."""
        (features,) = self.features(frames)
        heatmaps = self.head(features.flatten(0, 1)).unflatten(0, features.shape[:2])
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
