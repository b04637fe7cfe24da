"""Multi-stage temporal difference encoder: what moves between frames, gathered over depths.

Source: TDMI (Feng et al., CVPR 2023), section on the temporal difference encoder and its pipeline
figure. "Review-time code" is the authors' partial public upload of November 2022, read for facts.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from tdmi.errors import UserError
from tdmi.models.deformable import DeformableConv2d
from tdmi.models.layers import conv_norm, initialise, residual_chain
from tdmi.models.method import Start
from tdmi.options import choose

DIFFERENCES = ("consecutive", "to_key", "none")
GUIDANCES = ("difference", "key_and_difference")
MASK_ACTIVATIONS = ("sigmoid", "none")
ACCUMULATIONS = ("conv", "residual")

OPEN_MASK = 2.0
"""Bias that opens a sigmoid mask to 0.88, where its slope is still a tenth (choice of this project;
a mask begins open so that the first motion features are those of an ordinary convolution)."""


def temporal_differences(
    features: Tensor, kind: str = "consecutive", key: int | None = None
) -> Tensor:
    """Difference maps of a feature sequence `[B, T, C, h, w]`, in the order of time.

    kind "consecutive": F[k + 1] - F[k], `[B, T-1, C, h, w]` (paper).
    kind "to_key": F[k] - F[key] for every k but the key frame's index (default: the
    middle one), `[B, T-1, C, h, w]`.
    kind "none": the features themselves, `[B, T, C, h, w]`, to measure what subtraction is worth.
    """
    choose("encoder.difference", kind, DIFFERENCES)
    if kind == "consecutive":
        return features[:, 1:] - features[:, :-1]
    if kind == "to_key":
        key = features.shape[1] // 2 if key is None else key
        others = torch.cat([features[:, :key], features[:, key + 1 :]], dim=1)
        return others - features[:, key : key + 1]
    return features


class SpatialModulation(nn.Module):
    """Deformable convolution of a stage's motion feature, steered by a guidance feature.

    From the guidance `[B, G, h, w]`, a residual block and a 3x3 convolution give the sampling
    offsets (px of the feature map) and another convolution the modulation masks; the modulated
    deformable convolution (3x3, dilation 1, with bias) then maps `[B, C, h, w]` to the same shape.

    Args:
        channels: C, divisible by `offset_groups`. guidance_channels: G.
        separate: one residual block each for offsets and masks, instead of one shared.
        offset_groups, mask_activation, offset_dilation, start: see `TemporalDifferenceEncoder`.
    """

    def __init__(
        self,
        channels: int,
        guidance_channels: int,
        separate: bool,
        offset_groups: int,
        mask_activation: str,
        offset_dilation: int,
        start: Start,
    ):
        super().__init__()
        self.offset_block = residual_chain(guidance_channels, channels, 1)
        self.mask_block = residual_chain(guidance_channels, channels, 1) if separate else None
        like = {"kernel_size": 3, "padding": offset_dilation, "dilation": offset_dilation}
        self.offset = nn.Conv2d(channels, 2 * 9 * offset_groups, **like)
        self.mask = nn.Conv2d(channels, 9 * offset_groups, **like)
        self.mask_activation = mask_activation
        self.deform = DeformableConv2d(channels, channels, 3, padding=1)
        self._initialise(start)

    def forward(self, motion: Tensor, guidance: Tensor) -> Tensor:
        x = self.offset_block(guidance)
        offset = self.offset(x)
        mask = self.mask(x if self.mask_block is None else self.mask_block(guidance))
        if self.mask_activation == "sigmoid":
            mask = torch.sigmoid(mask)
        return self.deform(motion, offset, mask)

    def _initialise(self, start: Start) -> None:
        """Offsets begin near zero (deviation 0.001, as in the review-time code).

        Without a sigmoid the published masks begin near 0, so that almost nothing passes at first;
        with start="single_frame" they begin near 1.
        """
        initialise(self, std=0.001 if start == "paper" else None)
        for conv in (self.offset, self.mask):
            nn.init.normal_(conv.weight, std=0.001)
        if self.mask_activation == "sigmoid":
            nn.init.constant_(self.mask.bias, OPEN_MASK)
        elif start == "single_frame":
            nn.init.ones_(self.mask.bias)
        nn.init.zeros_(self.deform.bias)


class TemporalDifferenceEncoder(nn.Module):
    """Feature sequences of several depths -> one motion feature of the key frame.

    Per depth j: differences S^j, D^j = residual chain(concatenated S^j), D'^j = spatial
    modulation(D^j). Then from shallow to deep: A^j = merge(A^(j-1) + D'^j); M = the last A.

    Args:
        channels: C of every depth's features. frames: T. key: index of the key frame in 0..T-1.
        start: "paper" draws all convolutions with deviation 0.001 (review-time code);
            "single_frame" uses He's initialisation, since the fusion then holds the motion back.
        depths: the backbone's depths to use, ascending, each 1..4.
        blocks: residual blocks of depths 1, 2, 3, 4 (paper's figure: 3, 3, hidden, 2; the review-
            time code: 2 each).
        difference: see `temporal_differences`.
        guidance: what steers offsets and masks: "difference" = D^j, with separate residual blocks
            for the two (paper), or "key_and_difference" = the key frame's deepest feature beside
            D^j, with one shared block (review-time code).
        offset_groups: groups of channels with their own offsets and masks; by default groups of
            four channels, the review-time code's 12 at 48 channels.
        mask_activation: "sigmoid" (deformable convolution v2) or "none" (review-time code).
        offset_dilation: of the 3x3 convolutions for offsets and masks (review-time code: 3).
        accumulation: merge = "conv", 3x3 with batch norm and ReLU at every depth (paper's figure),
            or "residual", a residual block from the second depth on (review-time code).

    Raises:
        UserError: a choice that is not one of those, or numbers that do not fit together.
    """

    def __init__(
        self,
        channels: int,
        frames: int,
        key: int,
        start: Start = "single_frame",
        depths: Sequence[int] = (1, 2, 3, 4),
        blocks: Sequence[int] = (3, 3, 2, 2),
        difference: str = "consecutive",
        guidance: str = "difference",
        offset_groups: int | None = None,
        mask_activation: str = "sigmoid",
        offset_dilation: int = 3,
        accumulation: str = "conv",
    ):
        super().__init__()
        self.difference = choose("encoder.difference", difference, DIFFERENCES)
        self.guidance = choose("encoder.guidance", guidance, GUIDANCES)
        choose("encoder.mask_activation", mask_activation, MASK_ACTIVATIONS)
        choose("encoder.accumulation", accumulation, ACCUMULATIONS)
        offset_groups = channels // 4 if offset_groups is None else offset_groups
        _check_numbers(channels, frames, depths, blocks, offset_groups)
        self.key = key
        self.depths = tuple(depths)
        maps = frames if difference == "none" else frames - 1
        self.intra_stage = nn.ModuleList(
            residual_chain(maps * channels, channels, blocks[depth - 1]) for depth in self.depths
        )
        initialise(self, std=0.001 if start == "paper" else None)
        guided_by_key = guidance == "key_and_difference"
        self.modulation = nn.ModuleList(
            SpatialModulation(
                channels,
                2 * channels if guided_by_key else channels,
                separate=not guided_by_key,
                offset_groups=offset_groups,
                mask_activation=mask_activation,
                offset_dilation=offset_dilation,
                start=start,
            )
            for _ in self.depths
        )
        self.accumulation = nn.ModuleList(
            _merge(accumulation, channels, first=i == 0) for i in range(len(self.depths))
        )
        initialise(self.accumulation, std=0.001 if start == "paper" else None)

    def forward(self, features: Sequence[Tensor], visual: Tensor) -> Tensor:
        """Motion feature M `[B, C, h, w]`.

        Args:
            features: one `[B, T, C, h, w]` per entry of `depths`, in that order.
            visual: the key frame's deepest feature `[B, C, h, w]`; read only by the guidance
                "key_and_difference".
        """
        total = torch.zeros_like(visual)
        for x, chain, modulate, merge in zip(
            features, self.intra_stage, self.modulation, self.accumulation, strict=True
        ):
            motion = chain(temporal_differences(x, self.difference, self.key).flatten(1, 2))
            guidance = motion
            if self.guidance == "key_and_difference":
                guidance = torch.cat([visual, motion], dim=1)
            total = merge(total + modulate(motion, guidance))
        return total


def _merge(kind: str, channels: int, first: bool) -> nn.Module:
    if kind == "conv":
        return conv_norm(channels, channels, 3, relu=True)
    return nn.Identity() if first else residual_chain(channels, channels, 1)


def _check_numbers(
    channels: int, frames: int, depths: Sequence[int], blocks: Sequence[int], offset_groups: int
) -> None:
    if frames < 2:
        raise UserError(f"option window: found {frames} frame, expected 2 or more for differences")
    if not depths or list(depths) != sorted(set(depths)):
        raise UserError(f"option encoder.depths: found {tuple(depths)}, expected ascending depths")
    if min(depths) < 1 or max(depths) > len(blocks) or min(blocks) < 1:
        raise UserError(
            f"option encoder.blocks: found {tuple(blocks)} for depths {tuple(depths)}, expected "
            "one number of at least 1 for every depth up to the deepest"
        )
    if offset_groups < 1 or channels % offset_groups:
        raise UserError(
            f"option encoder.offset_groups: found {offset_groups}, expected a divisor of the "
            f"backbone's {channels} channels"
        )
