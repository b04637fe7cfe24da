"""Multi-stage temporal difference encoder: what moves between frames, gathered over depths.

Source: TDMI (Feng et al., CVPR 2023), section on the temporal difference encoder and its pipeline
figure. "Review-time code" is the authors' partial public upload of November 2022, read for facts.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from tdmi.core.checks import at_least, choose
from tdmi.core.errors import UserError
from tdmi.models.layers import conv_norm, initialise, residual_chain
from tdmi.models.method import Start
from tdmi.models.modulation import SpatialModulation

DIFFERENCES = ("consecutive", "to_key", "none")


def temporal_differences(
    features: Tensor, kind: str = "consecutive", key: int | None = None
) -> Tensor:
    """Difference maps of a feature sequence `[B, T, C, h, w]`, in the order of time.

    kind "consecutive": F[k + 1] - F[k], `[B, T-1, C, h, w]` (paper).
    kind "to_key": F[k] - F[key] for every k but the key frame's index (default: the
    middle one), `[B, T-1, C, h, w]`.
    kind "none": the features themselves, `[B, T, C, h, w]`, to measure what subtraction is worth.

    Optical flow in the place of differences is another method: see the baselines.
    """
    choose("encoder.difference", kind, DIFFERENCES)
    if kind == "consecutive":
        return features[:, 1:] - features[:, :-1]
    if kind == "to_key":
        key = features.shape[1] // 2 if key is None else key
        others = torch.cat([features[:, :key], features[:, key + 1 :]], dim=1)
        return others - features[:, key : key + 1]
    return features


class TemporalDifferenceEncoder(nn.Module):
    """Feature sequences of several depths -> one motion feature of the key frame.

    Per depth j: differences S^j, D^j = residual chain(concatenated S^j), D'^j = spatial
    modulation(D^j). Then from shallow to deep: A^j = merge(A^(j-1) + D'^j); M = the last A.

    Args:
        channels: C of every depth's features. frames: T. key: index of the key frame in 0..T-1.
        start: "paper" draws all convolutions with deviation 0.001 (review-time code);
            "single_frame" uses He's initialisation, since the fusion then holds the motion back.
        stem_channels: channels of the backbone's first layer, for first_stage="layer1".
        depths: the backbone's depths to use, ascending, each 1..4.
        blocks: residual blocks of depths 1, 2, 3, 4 (paper's figure: 3, 3, hidden, 2; the review-
            time code: 2 each).
        first_stage: what depth 1 reads: "transition1" = the first transition's highest-resolution
            branch, or "layer1" = the first layer's output, reduced to C by a 1x1 convolution.
        difference: see `temporal_differences`.
        guidance: what steers offsets and masks: "difference" = D^j (paper), or
            "key_and_difference" = the key frame's deepest feature beside D^j (review-time code).
        guidance_blocks: see `SpatialModulation`; by default as the guidance's source has it,
            "separate" for "difference", "shared" for "key_and_difference".
        offset_groups, mask_activation, offset_dilation: see `SpatialModulation`.
        accumulation: merge = "conv", 3x3 with batch norm and ReLU at every depth (paper's figure),
            or "residual", a residual block from the second depth on (review-time code).

    UserError: a choice that is not one of those, or numbers that do not fit together.
    """

    def __init__(
        self,
        channels: int,
        frames: int,
        key: int,
        start: Start = "single_frame",
        stem_channels: int = 256,
        depths: Sequence[int] = (1, 2, 3, 4),
        blocks: Sequence[int] = (3, 3, 2, 2),
        first_stage: str = "transition1",
        difference: str = "consecutive",
        guidance: str = "difference",
        guidance_blocks: str | None = None,
        offset_groups: int | None = None,
        mask_activation: str = "sigmoid",
        offset_dilation: int = 3,
        accumulation: str = "conv",
    ):
        super().__init__()
        choose("encoder.first_stage", first_stage, ("transition1", "layer1"))
        self.difference = choose("encoder.difference", difference, DIFFERENCES)
        self.guidance = choose("encoder.guidance", guidance, ("difference", "key_and_difference"))
        if guidance_blocks is None:
            guidance_blocks = "separate" if guidance == "difference" else "shared"
        choose("encoder.guidance_blocks", guidance_blocks, ("separate", "shared"))
        choose("encoder.accumulation", accumulation, ("conv", "residual"))
        _check_numbers(frames, depths, blocks)
        if first_stage == "layer1" and depths[0] != 1:
            raise UserError(
                f"option encoder.first_stage: found layer1 for depths {tuple(depths)}, expected "
                "depth 1 among them, the only one that it changes"
            )
        self.key = key
        self.depths = tuple(depths)
        maps = frames if difference == "none" else frames - 1
        self.intra_stage = nn.ModuleList(
            residual_chain(maps * channels, channels, blocks[depth - 1]) for depth in self.depths
        )
        std = 0.001 if start == "paper" else None
        initialise(self, std)
        seen = 2 * channels if guidance == "key_and_difference" else channels
        options = (start, offset_groups, mask_activation, offset_dilation, guidance_blocks)
        self.modulation = nn.ModuleList(
            SpatialModulation("encoder", channels, seen, *options) for _ in self.depths
        )
        self.accumulation = nn.ModuleList(
            _merge(accumulation, channels, first=i == 0) for i in range(len(self.depths))
        )
        initialise(self.accumulation, std)
        self.reduction = None
        if first_stage == "layer1":
            self.reduction = nn.Conv2d(stem_channels, channels, 1, bias=False)
            initialise(self.reduction, std)

    @property
    def backbone_depths(self) -> tuple[int, ...]:
        """The depths to ask of `HRNet.forward`: `depths`, or 0 in place of 1 for "layer1"."""
        return self.depths if self.reduction is None else (0, *self.depths[1:])

    def forward(self, features: Sequence[Tensor], visual: Tensor) -> Tensor:
        """Motion feature M `[B, C, h, w]`.

        Args:
            features: one `[B, T, C, h, w]` per entry of `backbone_depths`, in that order (depth 0:
                `stem_channels` instead of C).
            visual: the key frame's deepest feature `[B, C, h, w]`; read only by the guidance
                "key_and_difference".
        """
        if self.reduction is not None:
            first = features[0]
            reduced = self.reduction(first.flatten(0, 1)).unflatten(0, first.shape[:2])
            features = [reduced, *features[1:]]
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


def _check_numbers(frames: int, depths: Sequence[int], blocks: Sequence[int]) -> None:
    if frames < 2:
        raise UserError(f"option window: found {frames} frame, expected 2 or more for differences")
    for name, values in (("depths", depths), ("blocks", blocks)):
        if not isinstance(values, Sequence) or isinstance(values, str) or not values:
            raise UserError(
                f"option encoder.{name}: found {values!r}, expected a list of whole numbers"
            )
        for value in values:
            at_least(f"encoder.{name}", value, 1)
    if list(depths) != sorted(set(depths)) or depths[-1] > 4:
        raise UserError(
            f"option encoder.depths: found {tuple(depths)}, expected ascending numbers of 1 to 4"
        )
    if depths[-1] > len(blocks):
        raise UserError(
            f"option encoder.blocks: found {tuple(blocks)} for depths {tuple(depths)}, expected "
            "one number for every depth up to the deepest"
        )
