"""Features of neighbouring frames, warped along optical flow and averaged with adaptive weights.

The pattern of Flow-Guided Feature Aggregation (Zhu, Wang, Dai, Yuan, Wei, ICCV 2017), made for
object detection, on the features that all methods here share.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Unpack

import torch
from torch import Tensor, nn

from baselines.flow import WindowFlow, aligned_to_key
from tdmi.core.checks import build
from tdmi.models.hrnet import HRNet
from tdmi.models.layers import BasicBlock, initialise, residual_chain
from tdmi.models.method import PoseMethod, Shared
from tdmi.models.output import PoseOutput


class FlowFusion(PoseMethod):
    """Aligned features of the window, weighted by likeness to the key frame, then blocks and head.

    At every place the weight of a frame is the softmax over frames of the cosine between its
    embedded feature and the key frame's (`similarity_weights`). The embedding is three convolutions
    (1x1, 3x3, 1x1) with half, half and twice the feature's channels, the ratios of the published
    network, and begins with He's initialisation, as that does.

    `flow`: options of `WindowFlow`; with its `occlusion`, hidden places get no weight.
    `blocks`: residual blocks behind the average. start="paper": the blocks read the average and a
    3x3 head reads them; the single-frame head is loaded but not used. start="single_frame" (choice
    of this project): what the blocks make of the average is added to the key frame's own feature
    and begins at zero, so that the 1x1 head of the single-frame model can read the sum.
    """

    def __init__(
        self,
        backbone: HRNet,
        joints: int = 17,
        *,
        window: Sequence[int] = (-2, -1, 0, 1, 2),
        flow: Mapping[str, Any] | None = None,
        blocks: int = 3,
        **shared: Unpack[Shared],
    ) -> None:
        super().__init__(backbone, joints, window=window, **shared)
        channels = backbone.channels
        self.flow = build("flow", WindowFlow, flow)
        self.frame_cue = self.flow.of_frames
        self.embedding = nn.Sequential(
            nn.Conv2d(channels, channels // 2, 1),
            nn.ReLU(inplace=True),
            nn.Conv2d(channels // 2, channels // 2, 3, padding=1),
            nn.ReLU(inplace=True),
            nn.Conv2d(channels // 2, 2 * channels, 1),
        )
        initialise(self.embedding)
        if self.start == "paper":
            self.blocks = residual_chain(channels, channels, blocks)
            initialise(self.blocks, std=0.001)
            self.add_paper_head()
        else:
            self.blocks = residual_chain(channels, channels, blocks - 1)
            self.last = BasicBlock(channels, channels, zero_last=True)
            initialise(self.blocks)
            initialise(self.last)

    def forward(self, frames: Tensor, offsets: Tensor, cue: Tensor | None = None) -> PoseOutput:
        (features,) = self.features(frames)
        warped, visible = aligned_to_key(features, self.flow(frames, offsets, self.key, cue))
        embedded = self.embedding(warped.flatten(0, 1)).unflatten(0, warped.shape[:2])
        weights = similarity_weights(embedded, self.key, visible)
        x = self.blocks((weights * warped).sum(dim=1))
        if self.start == "paper":
            return PoseOutput(self.output_head(x))
        return PoseOutput(self.head(torch.relu(features[:, self.key] + self.last.residual(x))))


def similarity_weights(embedded: Tensor, key: int, visible: Tensor | None = None) -> Tensor:
    """Weights of the frames at every place, [B, T, 1, h, w], positive and of sum 1 over T.

    `embedded` [B, T, E, h, w]: softmax over T of the cosine with frame `key`. `visible` [B, T, 1,
    h, w], in 0..1 and 1 for the key frame, scales the weights before they are normalised.
    """
    cosine = torch.cosine_similarity(embedded, embedded[:, key : key + 1], dim=2).unsqueeze(2)
    weights = torch.softmax(cosine, dim=1)
    if visible is None:
        return weights
    weights = weights * visible
    return weights / weights.sum(dim=1, keepdim=True)
