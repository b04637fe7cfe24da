"""TDMI: temporal differences, disentangled by mutual information (Feng et al., CVPR 2023).

    features of all frames, several depths --TemporalDifferenceEncoder--> motion M
    M --Disentanglement--> useful M_u, noisy M_n          (M_n serves only the loss)
    M_u + visual feature of the key frame --Fusion--> fused --head--> heatmaps

This is the published variant "TDMI", whose visual feature is the key frame's deepest one; for
"TDMI-ST" see `tdmi.models.tdmi_st`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Unpack

import torch
from torch import Tensor

from tdmi.core.checks import build, mapping
from tdmi.core.errors import UserError
from tdmi.losses.mutual_information import MutualInformation
from tdmi.models.disentanglement import Disentanglement
from tdmi.models.fusion import Fusion
from tdmi.models.hrnet import HRNet
from tdmi.models.method import PoseMethod, Shared
from tdmi.models.output import PoseOutput, Target
from tdmi.models.temporal_difference import TemporalDifferenceEncoder

FEATURES = ("motion", "useful", "noisy", "visual", "fused")


class TDMI(PoseMethod):
    """Heatmaps of the key frame from its feature and the useful part of the motion around it.

    Args:
        backbone, joints, shared: see `PoseMethod`. With start="single_frame" the heatmaps equal the
            single-frame model's until the first step; with "paper" a 3x3 head of its own reads the
            fused feature (`PoseMethod.add_paper_head`).
        window: frame offsets; (-2, ..., 2) in the paper.
        encoder: options of `TemporalDifferenceEncoder`; `depths` defaults to all of the backbone's.
        disentanglement: options of `Disentanglement`.
        mutual_information: options of `MutualInformation`.
        fusion_blocks: residual blocks of the fusion (review-time code: 3).

    UserError: an unknown option, or options that do not fit together.
    """

    def __init__(
        self,
        backbone: HRNet,
        joints: int = 17,
        *,
        window: Sequence[int] = (-2, -1, 0, 1, 2),
        encoder: Mapping[str, Any] | None = None,
        disentanglement: Mapping[str, Any] | None = None,
        mutual_information: Mapping[str, Any] | None = None,
        fusion_blocks: int = 3,
        **shared: Unpack[Shared],
    ) -> None:
        super().__init__(backbone, joints, window=window, **shared)
        if not isinstance(backbone, HRNet):
            raise UserError(
                f"option backbone: found {type(backbone).__name__}, expected an HRNet, whose "
                "features of all depths have one size"
            )
        channels = backbone.channels
        self.encoder = build(
            "encoder",
            TemporalDifferenceEncoder,
            {"depths": backbone.depths, **mapping("encoder", encoder)},
            channels=channels,
            frames=len(self.window),
            key=self.key,
            start=self.start,
            stem_channels=backbone.stem_channels,
        )
        if self.encoder.depths[-1] > backbone.depths[-1]:
            raise UserError(
                f"option encoder.depths: found {self.encoder.depths}, expected a part of the "
                f"backbone's {backbone.depths}"
            )
        self.disentanglement = build(
            "disentanglement", Disentanglement, disentanglement, channels=channels
        )
        self.fusion = Fusion(channels, channels, fusion_blocks, self.start)
        self.add_paper_head("fused_head")
        self.mutual_information = build(
            "mutual_information",
            MutualInformation,
            mutual_information,
            channels=channels,
            joints=joints,
        )
        if "primary" not in self.mutual_information.weights:
            self.disentanglement.freeze_noisy_gate()
        elif self.disentanglement.gate == "none":
            raise UserError(
                "option disentanglement.gate: found none with the primary term of "
                "mutual_information, expected a gate that gives a noisy part; set the weight of "
                "primary to 0 or the estimator to none"
            )

    @property
    def feature_depths(self) -> tuple[int, ...]:
        return tuple(sorted({*self.encoder.backbone_depths, self.backbone.depths[-1]}))

    def aggregate(self, features: Sequence[Tensor], offsets: Tensor) -> PoseOutput:
        """`offsets` [B, T] plays no part.

        `terms`: motion, useful, noisy, visual, fused [B, C, H/4, W/4], and the gates' masks
        useful_mask, noisy_mask in 0..1. Under `torch.inference_mode` the noisy part, which the
        loss alone reads, is not computed and its two terms are missing.
        """
        last = features[-1]
        key = last[:, self.key]
        visual = self.visual_feature(last, key)
        motion = self.encoder(features[: len(self.encoder.backbone_depths)], key)
        parts = self.disentanglement(motion, noisy=not torch.is_inference_mode_enabled())
        fused = self.fusion(parts.useful, visual)
        masked = {name: value for name, value in parts._asdict().items() if value is not None}
        terms = {"motion": motion, "visual": visual, "fused": fused, **masked}
        return PoseOutput(self.output_head(fused), terms)

    def visual_feature(self, deepest: Tensor, key: Tensor) -> Tensor:
        """The feature [B, C, h, w] to fuse with the motion, from the window's `deepest`
        [B, T, C, h, w] and the `key` frame's [B, C, h, w]: here the key frame's."""
        return key

    def loss(self, output: PoseOutput, target: Target) -> dict[str, Tensor]:
        """The heatmap error and one scalar `mi_<term>` per mutual-information term."""
        features = {name: output.terms[name] for name in FEATURES}
        penalties = self.mutual_information(
            features, output.heatmaps, target.heatmaps, target.weight, self.head
        )
        return super().loss(output, target) | penalties

    def monitor(self, output: PoseOutput) -> dict[str, float]:
        """Signs of collapse, from the gates' masks (in 0..1) and the features.

        Per gate: the mask's mean; its spread over channels (0 = a gate that no longer chooses);
        the share of it that is saturated, within 0.05 of 0 or 1. Then the mean distance of the two
        masks (0 = both choose the same), and the useful motion's root mean square over that of the
        visual feature (0 = the method has fallen back to a single frame).
        """
        terms = {name: value.detach().float() for name, value in output.terms.items()}
        values = {}
        for part in ("useful", "noisy"):
            mask = terms[f"{part}_mask"]
            over_space = mask.mean(dim=(2, 3))
            values[f"mask_{part}_mean"] = float(over_space.mean())
            values[f"mask_{part}_spread"] = float(over_space.std(dim=1, correction=0).mean())
            saturated = (mask < 0.05) | (mask > 0.95)
            values[f"mask_{part}_saturated"] = float(saturated.float().mean())
        distance = (terms["useful_mask"] - terms["noisy_mask"]).abs().mean()
        useful, visual = (terms[name].square().mean().sqrt() for name in ("useful", "visual"))
        return values | {
            "mask_distance": float(distance),
            "useful_over_visual": float(useful / visual.clamp(min=1e-12)),
        }
