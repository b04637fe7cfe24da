"""The mutual-information objective of FAMI-Pose: six terms between features and heatmaps.

Terms (names are this project's). z: the key frame's feature; S: the neighbours' features, globally
aligned and merged; F: the fused feature that the head reads; y: the heatmaps.

    fused_label    max I(y; F)   } weight beta: what F tells of the pose beyond the
    fused_key      min I(z; F)   } key frame's own feature should grow
    support_label  min I(y; S)   } nothing that S knows of the pose
    support_fused  max I(S; F)   } is missing from F
    key_label      min I(y; z)   } nothing that z knows of the pose
    key_fused      max I(z; F)   } is missing from F

Source: Liu et al., CVPR 2022, and the released code, whose F is the fused feature although the
terms' names there speak of an aligned neighbour. The estimators are those of `tdmi.losses`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from tdmi.core.checks import build, choose
from tdmi.core.errors import UserError
from tdmi.losses.mutual_information import ESTIMATORS
from tdmi.losses.mutual_information_spatial import finite

TERMS = {
    "fused_label": ("fused", "label", False),
    "fused_key": ("key", "fused", True),
    "support_label": ("support", "label", True),
    "support_fused": ("support", "fused", False),
    "key_label": ("key", "label", True),
    "key_fused": ("key", "fused", False),
}
"""Term -> (first argument, second argument, shrink?), in the order of the released code."""

COMPLEMENTARY = ("fused_label", "fused_key")


class AlignmentInformation(nn.Module):
    """Weighted sum of the six information penalties, one named scalar per term.

    Args:
        channels: of the features; joints: of the heatmaps.
        estimator: "none" (no terms), "legacy" (the released surrogate, flaw included), "vsd" (a
            proper divergence) or another one of `ESTIMATORS`; see `tdmi.losses.mutual_information`.
        alpha: weight of all terms (released: 0.5). beta: of `fused_label` and `fused_key` within
            them (released: 0.1).
        weights: further factor of each term, by name; 0 leaves a term out. Default: 1; but 0 for
            `key_label` except with legacy (choice of this project, as in TDMI's objective: there
            the label is the reference, and the term's only lever is to make the key frame's own
            feature worse at telling the pose).
        scale: multiplies all terms; None = the estimator's own, which brings its unit near the
            heatmap error (1 for legacy).
        label_from: what stands for y: "prediction" (the predicted heatmaps, released code) or
            "ground_truth" (the target heatmaps).
        options: arguments of the estimator, e.g. `temperature`, `cap`.

    Everything is computed in float32 or wider, also under mixed precision. The reference of a term
    carries no gradient: its first argument, as in the released code; but in label terms of all
    estimators except legacy it is the label, so that they reach the feature.

    Raises:
        UserError: unknown estimator, term or option, a negative weight, or a choice that leaves a
            term no gradient.
    """

    def __init__(
        self,
        channels: int,
        joints: int = 17,
        estimator: str = "vsd",
        alpha: float = 0.5,
        beta: float = 0.1,
        weights: Mapping[str, float] | None = None,
        scale: float | None = None,
        label_from: str = "prediction",
        **options: Any,
    ) -> None:
        super().__init__()
        choose("mutual_information.estimator", estimator, ["none", *ESTIMATORS])
        self.label_from = choose(
            "mutual_information.label_from", label_from, ["prediction", "ground_truth"]
        )
        alpha, beta = _not_negative("alpha", alpha), _not_negative("beta", beta)
        for term, weight in (weights or {}).items():
            choose("mutual_information.weights", term, list(TERMS))
            _not_negative(f"weights.{term}", weight)
        self.weights: dict[str, float] = {}
        if estimator == "none":
            build("mutual_information", lambda: None, options)
            return
        kind = ESTIMATORS[estimator]
        factors = {"key_label": 0.0} if kind.label_is_reference else {}
        factors |= weights or {}
        scale = kind.default_scale if scale is None else _not_negative("scale", scale)
        for term in TERMS:
            share = beta if term in COMPLEMENTARY else 1.0
            if weight := scale * alpha * share * factors.get(term, 1.0):
                self.weights[term] = weight
        sizes = self._vector_sizes(channels, joints) if kind.learns else ()
        self.estimator = build("mutual_information", kind, options, *sizes)
        labels = any(TERMS[term][1] == "label" for term in self.weights)
        if labels and label_from == "ground_truth" and not kind.label_is_reference:
            raise UserError(
                "option mutual_information: found label terms of the legacy estimator with "
                "label_from ground_truth, expected terms that have a gradient; set label_from "
                "prediction, or the weights of fused_label, support_label and key_label to 0"
            )

    def forward(
        self,
        features: Mapping[str, Tensor],
        heatmaps: Tensor,
        target: Tensor,
        target_weight: Tensor,
        head: nn.Conv2d,
    ) -> dict[str, Tensor]:
        """Return `{"mi_<term>": scalar}`, weights applied, to be minimised.

        Args:
            features: key, support and fused, each `[B, C, h, w]`.
            heatmaps: predicted `[B, J, h, w]`, peak near one.
            target: true heatmaps `[B, J, h, w]`.
            target_weight: `[B, J]`, 0 for unlabelled joints.
            head: the single-frame 1x1 head, which projects a feature to J maps in the label
                terms. It is used as it stands: no term trains it.
        """
        label = heatmaps if self.label_from == "prediction" else target
        penalties = {}
        with torch.autocast(heatmaps.device.type, enabled=False):
            for term, weight in self.weights.items():
                first, second, shrink = TERMS[term]
                if second != "label":
                    reference = features[first].detach()
                    penalty = self.estimator.feature_penalty(
                        term, reference, features[second], shrink
                    )
                else:
                    projected, y = _projected(head, features[first]), label
                    if self.estimator.label_is_reference:
                        y = y.detach()
                    else:
                        projected = projected.detach()
                    penalty = self.estimator.label_penalty(
                        term, projected, y, target_weight, shrink
                    )
                penalties[f"mi_{term}"] = weight * penalty
        return penalties

    def _vector_sizes(self, channels: int, joints: int) -> tuple[dict[str, int], dict[str, int]]:
        """Vector length of every term that takes part: those to shrink, those to grow."""
        shrink, grow = {}, {}
        for term in self.weights:
            _, second, down = TERMS[term]
            (shrink if down else grow)[term] = 2 * joints if second == "label" else channels
        return shrink, grow


def _projected(head: nn.Conv2d, feature: Tensor) -> Tensor:
    """[B, C, h, w] -> [B, J, h, w] by `head` as it stands, in the precision of its weights."""
    bias = None if head.bias is None else head.bias.detach()
    weight = head.weight.detach()
    return torch.nn.functional.conv2d(feature.to(weight.dtype), weight, bias)


def _not_negative(name: str, value: float) -> float:
    if finite(name, value) < 0:
        raise UserError(f"option mutual_information.{name}: found {value}, expected 0 or more")
    return float(value)
