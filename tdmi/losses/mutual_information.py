"""The mutual-information objective of TDMI: which pairs share too much, and which too little.

Terms (paper, regularised objective; names are this project's). u, n: useful and noisy motion;
M: motion; F: visual feature; F~: fused feature; y: pose heatmaps.

    primary        min I(u; n)     the two parts should share nothing
    motion         max I(M; u)     ... and the useful part should keep the motion
    useful_label   min I(u; y)   } of I(u; y | F~) ~ I(u; y) - I(u; F~): nothing that the useful
    useful_fused   max I(u; F~)  } part knows of the pose is missing from the fused feature
    visual_label   min I(F; y)   } the same for the visual feature
    visual_fused   max I(F; F~)  }
    useful_visual  min I(u; F)     "multi-modal" term of the authors' review-time code only
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from tdmi.errors import UserError
from tdmi.losses.mutual_information_spatial import DivergenceEstimator, LegacyEstimator
from tdmi.losses.mutual_information_variational import VariationalEstimator
from tdmi.options import build, choose

ESTIMATORS = {
    "legacy": LegacyEstimator,
    "vsd": DivergenceEstimator,
    "vclub": VariationalEstimator,
}

FEATURE_TERMS = {
    "primary": ("useful", "noisy", True),
    "motion": ("motion", "useful", False),
    "useful_fused": ("useful", "fused", False),
    "visual_fused": ("visual", "fused", False),
    "useful_visual": ("useful", "visual", True),
}
"""Term -> (first argument, second argument, shrink?). The first is the reference."""

LABEL_TERMS = {"useful_label": "useful", "visual_label": "visual"}
"""Term -> feature that is projected to joint maps and compared with the label; to shrink."""


class MutualInformation(nn.Module):
    """Weighted sum of information penalties, one named scalar per term.

    Args:
        channels: of the features; joints: of the heatmaps.
        estimator: "none" (no terms), "legacy" (the review-time code's surrogate, flaw included),
            "vsd" (a proper divergence), both in `mutual_information_spatial`, or "vclub" (learned
            bounds: vCLUB to shrink, InfoNCE to grow; `mutual_information_variational`).
        weights: overrides of the estimator's `default_weights`, by term name; 0 leaves a term out.
        scale: multiplies all terms; None = the estimator's `default_scale`, which brings its unit
            near the heatmap error (legacy is a mean over positions and needs none; vsd and vclub
            count nats, and one nat is weighed as a mean squared error of 0.001).
        label_from: what stands for y: "prediction" (the predicted heatmaps, as in the review-time
            code) or "ground_truth" (the target heatmaps).
        stop_gradient: "reference" or "none". The reference of a pair carries no gradient, except
            in `primary`, whose two sides both learn (review-time code). The reference is the
            first argument; in a label term it is the projected feature for legacy (so that the
            term reaches only the heatmaps) and the label for vsd and vclub (so that it reaches the
            feature).
        options: arguments of the estimator, e.g. `temperature`, `cap`.

    Raises:
        UserError: unknown estimator, term or option, or a choice that leaves a term no gradient.
    """

    def __init__(
        self,
        channels: int,
        joints: int = 17,
        estimator: str = "vsd",
        weights: Mapping[str, float] | None = None,
        scale: float | None = None,
        label_from: str = "prediction",
        stop_gradient: str = "reference",
        **options: Any,
    ):
        super().__init__()
        choose("mutual_information.estimator", estimator, ["none", *ESTIMATORS])
        self.label_from = choose(
            "mutual_information.label_from", label_from, ["prediction", "ground_truth"]
        )
        self.stop_gradient = choose(
            "mutual_information.stop_gradient", stop_gradient, ["reference", "none"]
        )
        self.weights: dict[str, float] = {}
        if estimator == "none":
            build("mutual_information", lambda: None, options)
            return
        kind = ESTIMATORS[estimator]
        scale = kind.default_scale if scale is None else scale
        self.weights = _weights(kind.default_weights, weights, scale)
        sizes = _vector_sizes(self.weights, channels, joints) if kind.learns else ()
        self.estimator = build("mutual_information", kind, options, *sizes)
        self._refuse_terms_without_gradient()

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
            features: motion, useful, noisy, visual and fused, each `[B, C, h, w]`.
            heatmaps: predicted `[B, J, h, w]`, peak near one.
            target: true heatmaps `[B, J, h, w]`.
            target_weight: `[B, J]`, 0 for unlabelled joints.
            head: projects a feature to J maps in the label terms. It is used as it stands: no
                label term trains it (review-time code: the single-frame 1x1 head, detached).
        """
        label = heatmaps if self.label_from == "prediction" else target
        penalties = {}
        for term, weight in self.weights.items():
            if term in FEATURE_TERMS:
                penalty = self._feature_term(term, features)
            else:
                feature = features[LABEL_TERMS[term]]
                penalty = self._label_term(term, feature, label, target_weight, head)
            penalties[f"mi_{term}"] = weight * penalty
        return penalties

    def _feature_term(self, term: str, features: Mapping[str, Tensor]) -> Tensor:
        first_name, second_name, shrink = FEATURE_TERMS[term]
        first = features[first_name]
        if self.stop_gradient == "reference" and term != "primary":
            first = first.detach()
        return self.estimator.feature_penalty(term, first, features[second_name], shrink)

    def _label_term(
        self, term: str, feature: Tensor, label: Tensor, weight: Tensor, head: nn.Conv2d
    ) -> Tensor:
        if self.stop_gradient == "reference":
            if self.estimator.label_is_reference:
                label = label.detach()
            else:
                feature = feature.detach()
        bias = None if head.bias is None else head.bias.detach()
        projected = torch.nn.functional.conv2d(
            feature, head.weight.detach(), bias, padding=head.padding
        )
        return self.estimator.label_penalty(term, projected, label, weight)

    def _refuse_terms_without_gradient(self) -> None:
        constant = (
            self.label_from == "ground_truth"
            and self.stop_gradient == "reference"
            and not self.estimator.label_is_reference
        )
        if constant and any(term in LABEL_TERMS for term in self.weights):
            raise UserError(
                "option mutual_information: found label terms of the legacy estimator with "
                "label_from ground_truth and stop_gradient reference, expected a term that has a "
                "gradient; set stop_gradient none, label_from prediction, or the weights of "
                "useful_label and visual_label to 0"
            )


def _weights(
    defaults: Mapping[str, float], overrides: Mapping[str, float] | None, scale: float
) -> dict[str, float]:
    """Scaled weight of every term that takes part, in the order of `defaults`."""
    for term in overrides or {}:
        choose("mutual_information.weights", term, list(defaults))
    merged = {**defaults, **(overrides or {})}
    return {term: scale * weight for term, weight in merged.items() if weight != 0}


def _vector_sizes(
    weights: Mapping[str, float], channels: int, joints: int
) -> tuple[dict[str, int], dict[str, int]]:
    """Vector length of every term that takes part: those to shrink, those to grow."""
    shrink = {term: channels for term, (*_, down) in FEATURE_TERMS.items() if down}
    shrink |= dict.fromkeys(LABEL_TERMS, 2 * joints)
    grow = {term: channels for term, (*_, down) in FEATURE_TERMS.items() if not down}
    return (
        {term: size for term, size in shrink.items() if term in weights},
        {term: size for term, size in grow.items() if term in weights},
    )
