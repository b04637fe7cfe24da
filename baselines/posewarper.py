"""PoseWarper: neighbours' heatmaps warped to the key frame (Bertasius et al., NeurIPS 2019)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Unpack

import torch
from torch import Tensor, nn

from tdmi.models.deformable import DeformableConv2d
from tdmi.models.layers import conv3x3, initialise, residual_chain
from tdmi.models.method import Backbone, PoseMethod, Shared
from tdmi.models.output import PoseOutput, Target

AGGREGATION = {0: 0.3, 1: 0.25, 2: 0.1}
"""Weight of a warped frame by its distance from the key frame (released code)."""


class PoseWarper(PoseMethod):
    """Every frame's heatmaps, warped by deformable convolutions, then summed with a weight each.

    The difference of the key frame's heatmaps to a neighbour's steers how the neighbour's are
    warped (`Warper`). Defaults are the released code: 20 residual blocks of 128 channels, dilations
    3 to 24. In the window of five frames the key frame is warped as well, by a zero difference.

    start="paper": training sees pairs, the key frame and one frame drawn for each sample from the
    whole window (the key frame included), and the output is that one frame's warped heatmaps; in
    evaluation the five warped frames are summed with the fixed weights `AGGREGATION`. New layers
    begin as released: convolutions with deviation 0.001, offsets at zero, kernels the identity.

    start="single_frame" (choice of this project): the weights are learned and begin at 1 for the
    key frame and 0 for the others, so that the heatmaps are the key frame's own. Training warps the
    whole window; beside the error of the sum it has the mean error of the warped frames, which is
    what the published pairs give on average.

    `freeze_backbone` freezes the head as well (7,558,605 trainable weights with start="paper").
    If it is off, the key frame's own heatmaps get an equal loss; the released code always freezes.
    """

    def __init__(
        self,
        backbone: Backbone,
        joints: int = 17,
        *,
        channels: int = 128,
        blocks: int = 20,
        dilations: Sequence[int] = (3, 6, 12, 18, 24),
        **shared: Unpack[Shared],
    ) -> None:
        super().__init__(backbone, joints, window=(-2, -1, 0, 1, 2), **shared)
        self.warper = Warper(joints, channels, blocks, dilations)
        if self.start == "single_frame":
            first = torch.tensor([float(offset == 0) for offset in self.window])
            self.weights = nn.Parameter(first)
        if self.freeze_backbone:
            self.head.requires_grad_(False)

    def forward(self, frames: Tensor, offsets: Tensor) -> PoseOutput:
        """`offsets` [B, 5] plays no part.

        `terms`: "single_frame" [B, J, h, w], the key frame's own heatmaps; with
        start="single_frame" also "warped" [B, 5, J, h, w], every frame's warped ones.
        """
        if self.training and self.start == "paper":
            key, drawn = self.heatmaps(*self.features(self._pairs(frames))).unbind(dim=1)
            return PoseOutput(self.warper(drawn, key - drawn), {"single_frame": key})
        heatmaps = self.heatmaps(*self.features(frames))
        key = heatmaps[:, self.key]
        warped = self._warped(heatmaps)
        if self.start == "paper":
            weights = warped.new_tensor([AGGREGATION[abs(offset)] for offset in self.window])
            terms = {"single_frame": key}
        else:
            weights, terms = self.weights, {"single_frame": key, "warped": warped}
        return PoseOutput(torch.einsum("btjhw,t->bjhw", warped, weights), terms)

    def loss(self, output: PoseOutput, target: Target) -> dict[str, Tensor]:
        losses = super().loss(output, target)
        if "warped" in output.terms:
            warped = output.terms["warped"].unbind(dim=1)
            losses["warped"] = torch.stack([self.heatmap_loss(w, target) for w in warped]).mean()
        if not self.freeze_backbone:
            losses["single_frame"] = self.heatmap_loss(output.terms["single_frame"], target)
        return losses

    def _warped(self, heatmaps: Tensor) -> Tensor:
        """[B, 5, J, h, w], each frame's own -> the same, warped to the key frame.

        The key frame's difference is zero, whatever the sample: in evaluation, where no batch
        statistics depend on it, its offsets are shared.
        """
        key = heatmaps[:, self.key : self.key + 1]
        if self.training:
            return self._warp_each(heatmaps, key - heatmaps)
        others = self.neighbours(heatmaps)
        others = self._warp_each(others, key - others)
        still = [o.expand(len(key), -1, -1, -1) for o in self.warper.offsets_of_zero(key[:1, 0])]
        warped_key = self.warper.warp(key[:, 0], still)
        return torch.cat([others[:, : self.key], warped_key[:, None], others[:, self.key :]], dim=1)

    def _warp_each(self, maps: Tensor, differences: Tensor) -> Tensor:
        """[B, N, J, h, w] both -> [B, N, J, h, w]."""
        warped = self.warper(maps.flatten(0, 1), differences.flatten(0, 1))
        return warped.unflatten(0, differences.shape[:2])

    def _pairs(self, frames: Tensor) -> Tensor:
        """[B, 5, 3, H, W] -> [B, 2, 3, H, W]: the key frame and one drawn from the five.

        Drawn on the CPU, whose generator is the one that a resumed training restores.
        """
        batch, length = frames.shape[:2]
        drawn = torch.randint(length, (batch,)).to(frames.device)
        rows = torch.arange(batch, device=frames.device)
        return torch.stack([frames[:, self.key], frames[rows, drawn]], dim=1)


class Warper(nn.Module):
    """(maps [N, J, h, w], difference [N, J, h, w]) -> maps warped [N, J, h, w].

    A chain of residual blocks turns the difference into `channels` features; for each dilation a
    3x3 convolution of them gives the offsets of a deformable convolution of the maps (one offset
    group per joint, no masks). The result is the mean over dilations. It begins as the identity.
    """

    def __init__(self, joints: int, channels: int, blocks: int, dilations: Sequence[int]) -> None:
        super().__init__()
        self._kept: tuple[tuple, list[Tensor]] | None = None
        self.guide = residual_chain(joints, channels, blocks)
        initialise(self.guide, std=0.001)
        self.offsets, self.warps = nn.ModuleList(), nn.ModuleList()
        for d in dilations:
            offset = conv3x3(channels, 2 * 9 * joints, dilation=d, bias=False)
            nn.init.zeros_(offset.weight)
            self.offsets.append(offset)
            warp = DeformableConv2d(joints, joints, dilation=d, bias=False)
            self.warps.append(warp.identity_())

    def forward(self, maps: Tensor, difference: Tensor) -> Tensor:
        return self.warp(maps, self.offsets_of(difference))

    def offsets_of(self, difference: Tensor) -> list[Tensor]:
        """Offsets [N, 18 J, h, w], one tensor for each dilation."""
        guide = self.guide(difference)
        return [offset(guide) for offset in self.offsets]

    def warp(self, maps: Tensor, offsets: list[Tensor]) -> Tensor:
        """Mean over dilations of `maps` [N, J, h, w], deformed by `offsets`."""
        warped = [warp(maps, o) for warp, o in zip(self.warps, offsets, strict=True)]
        return torch.stack(warped).mean(dim=0)

    def offsets_of_zero(self, like: Tensor) -> list[Tensor]:
        """`offsets_of` a zero difference of the size of `like` [1, J, h, w], in evaluation mode.

        Nothing but the weights decides them. Without gradients they are kept until a weight changes
        or the mode is set: an eighth of the arithmetic for a single person.
        """
        if torch.is_grad_enabled():
            return self.offsets_of(torch.zeros_like(like))
        weights = ((w.data_ptr(), w._version) for w in self.state_dict().values())
        state = (like.shape, like.dtype, like.device, *weights)
        if self._kept is None or self._kept[0] != state:
            self._kept = state, self.offsets_of(torch.zeros_like(like))
        return self._kept[1]

    def train(self, mode: bool = True) -> Warper:
        self._kept = None
        return super().train(mode)
