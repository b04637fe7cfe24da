"""Optical flow as the motion feature, in the place of TDMI's temporal differences.

The rival of TDMI's own ablation. Its layers are known from the authors' anonymous upload (JM-Pose,
optical-flow model), read for facts: flow from the key frame to every neighbour, two convolutions of
stride 2 (a ReLU behind the second only), four residual blocks, then the fusion.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Unpack

from torch import Tensor, nn

from baselines.flow import WindowFlow
from tdmi.core.checks import build
from tdmi.core.errors import UserError
from tdmi.models.fusion import Fusion
from tdmi.models.hrnet import HRNet
from tdmi.models.layers import conv_norm, initialise, residual_chain
from tdmi.models.method import PoseMethod, Shared
from tdmi.models.output import PoseOutput


class FlowMotion(PoseMethod):
    """Key frame's feature fused, as in TDMI, with a motion feature made from flow.

    The flows (dx, dy) to the neighbours, in pixels of the crop, are stacked in the order of time.
    The backbone sees the key frame only. No disentanglement and no mutual information, as in the
    ablation.

    `flow`: options of `WindowFlow`; with its `occlusion`, flow is zero where the neighbour does not
    show the key frame's pixel. `fusion_blocks`: residual blocks of the fusion. With start="paper" a
    3x3 head of its own replaces the single-frame head, which is then loaded but not used.

    UserError: a window without neighbours.
    """

    def __init__(
        self,
        backbone: HRNet,
        joints: int = 17,
        *,
        window: Sequence[int] = (-2, -1, 0, 1, 2),
        flow: Mapping[str, Any] | None = None,
        fusion_blocks: int = 3,
        **shared: Unpack[Shared],
    ) -> None:
        super().__init__(backbone, joints, window=window, **shared)
        if len(self.window) < 2:
            raise UserError("option window: found 1 frame, expected 2 or more for optical flow")
        channels = backbone.channels
        self.flow = build("flow", WindowFlow, flow)
        self.frame_cue = self.flow.of_frames
        self.encoder = nn.Sequential(
            conv_norm(2 * (len(self.window) - 1), channels, 3, stride=2),
            conv_norm(channels, channels, 3, stride=2, relu=True),
            residual_chain(channels, channels, 4),
        )
        initialise(self.encoder, std=0.001 if self.start == "paper" else None)
        self.fusion = Fusion(channels, channels, fusion_blocks, self.start)
        self.add_paper_head()

    def forward(self, frames: Tensor, offsets: Tensor, cue: Tensor | None = None) -> PoseOutput:
        (features,) = self.features(frames[:, self.key : self.key + 1])
        found = self.flow(frames, offsets, self.key, cue)
        flow = found.flow if found.visible is None else found.flow * found.visible
        motion = self.encoder(self.neighbours(flow).flatten(1, 2))
        fused = self.fusion(motion, features[:, 0])
        return PoseOutput(self.output_head(fused))
