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

from tdmi.core.checks import build, choose, mapping
from tdmi.core.errors import UserError
from tdmi.losses.heatmap import heatmap_loss
from tdmi.losses.mutual_information_similarity import CosineEstimator, HSICEstimator
from tdmi.losses.mutual_information_spatial import (
    DivergenceEstimator,
    LegacyEstimator,
    finite,
    widened,
)
from tdmi.losses.mutual_information_variational import VariationalEstimator

ESTIMATORS = {
    "legacy": LegacyEstimator,
    "vsd": DivergenceEstimator,
    "vclub": VariationalEstimator,
    "cos": CosineEstimator,
    "hsic": HSICEstimator,
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

    Everything is computed in float32 (or wider, if the features are), also under mixed precision.

    Args:
        channels: of the features; joints: of the heatmaps.
        estimator: "none" (no terms); "legacy" (the review-time code's surrogate, flaw included) or
            "vsd" (a proper divergence), both in `mutual_information_spatial`; "vclub" (learned
            bounds: vCLUB to shrink, InfoNCE to grow; `mutual_information_variational`); "cos" or
            "hsic" (similarities that are no information; `mutual_information_similarity`).
        weights: overrides of the estimator's `default_weights`, by term name; 0 leaves a term out.
        scale: multiplies all terms; None = the estimator's `default_scale`, which brings its unit
            near the heatmap error (legacy is a mean over positions and needs none; in the others a
            nat, or the whole way from unlike to alike, is weighed as a mean squared error of
            0.001).
        label_from: what stands for y: "prediction" (the predicted heatmaps, as in the review-time
            code) or "ground_truth" (the target heatmaps).
        label_head: what projects a feature to joint maps in the label terms: "single_frame", the
            1x1 head that is given to `forward`, or "own", a 3x3 head per term that learns to tell
            the label from the feature. Either is held fixed where it prices the feature.
        stop_gradient: "reference", "symmetric" or "none". The reference of a pair carries no
            gradient, except in `primary`, whose two sides both learn (review-time code). The
            reference is the first argument; in a label term it is the projected feature for legacy
            (so that the term reaches only the heatmaps) and the label for the others (so that it
            reaches the feature). "symmetric": the mean of both orders of the pair, each with its
            own reference held; not for vclub, whose networks read one order.
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
        label_head: str = "single_frame",
        stop_gradient: str = "reference",
        **options: Any,
    ):
        super().__init__()
        choose("mutual_information.estimator", estimator, ["none", *ESTIMATORS])
        self.label_from = choose(
            "mutual_information.label_from", label_from, ["prediction", "ground_truth"]
        )
        choose("mutual_information.label_head", label_head, ["single_frame", "own"])
        self.stop_gradient = choose(
            "mutual_information.stop_gradient", stop_gradient, ["reference", "symmetric", "none"]
        )
        self.weights: dict[str, float] = {}
        self.label_heads = nn.ModuleDict()
        if estimator == "none":
            build("mutual_information", lambda: None, options)
            return
        kind = ESTIMATORS[estimator]
        scale = kind.default_scale if scale is None else finite("scale", scale)
        self.weights = _weights(kind.default_weights, weights, scale)
        if kind.learns and min(self.weights.values(), default=0) < 0:
            raise UserError(
                f"option mutual_information.weights: found a negative one for {estimator}, "
                "expected 0 or more, since the weight also scales what its networks learn from"
            )
        sizes = _vector_sizes(self.weights, channels, joints) if kind.learns else ()
        self.estimator = build("mutual_information", kind, options, *sizes)
        if label_head == "own":
            for term in [term for term in LABEL_TERMS if term in self.weights]:
                self.label_heads[term] = nn.Conv2d(channels, joints, 3, padding=1)
        self._refuse_terms_without_gradient()
        if stop_gradient == "symmetric" and kind.learns:
            raise UserError(
                f"option mutual_information.stop_gradient: found symmetric for {estimator}, "
                "expected reference or none, since its networks read a pair in one order"
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
            features: motion, useful, noisy, visual and fused, each `[B, C, h, w]`.
            heatmaps: predicted `[B, J, h, w]`, peak near one.
            target: true heatmaps `[B, J, h, w]`.
            target_weight: `[B, J]`, 0 for unlabelled joints.
            head: projects a feature to J maps in the label terms. It is used as it stands: no
                label term trains it (review-time code: the single-frame 1x1 head, detached).
        """
        features = {name: widened(feature) for name, feature in features.items()}
        label = heatmaps if self.label_from == "prediction" else target
        device = next(iter(features.values())).device.type
        heads = dict.fromkeys(LABEL_TERMS, head) | dict(self.label_heads)
        penalties = {}
        if self.weights and self.estimator.learns:
            self.estimator.advance()
        device = device if torch.amp.is_autocast_available(device) else "cpu"  # meta has none
        with torch.autocast(device, enabled=False):
            for term, weight in self.weights.items():
                if term in FEATURE_TERMS:
                    first, second, shrink = FEATURE_TERMS[term]
                    penalty = self._feature_term(term, features[first], features[second], shrink)
                else:
                    feature, y = features[LABEL_TERMS[term]], widened(label)
                    projected = _projected(heads[term], feature)
                    penalty = self._label_term(term, projected, y, target_weight)
                penalties[f"mi_{term}"] = weight * penalty
                if term in self.label_heads:
                    penalties[f"mi_{term}"] += self._fit(term, feature, y, target_weight)
        return penalties

    def _feature_term(self, term: str, first: Tensor, second: Tensor, shrink: bool) -> Tensor:
        if self.stop_gradient == "symmetric":
            orders = [(first.detach(), second), (second.detach(), first)]
        elif self.stop_gradient == "reference" and term != "primary":
            orders = [(first.detach(), second)]
        else:
            orders = [(first, second)]
        values = [self.estimator.feature_penalty(term, *order, shrink) for order in orders]
        return sum(values) / len(values)

    def _label_term(self, term: str, projected: Tensor, label: Tensor, weight: Tensor) -> Tensor:
        orders = [(projected, label)]
        if self.stop_gradient == "symmetric":
            orders.append((label, projected))
        if self.stop_gradient != "none":
            second_is_reference = self.estimator.label_is_reference
            orders = [
                (first, second.detach()) if second_is_reference else (first.detach(), second)
                for first, second in orders
            ]
        values = [self.estimator.label_penalty(term, *order, weight) for order in orders]
        return sum(values) / len(values)

    def _fit(self, term: str, feature: Tensor, label: Tensor, weight: Tensor) -> Tensor:
        """Zero, with the gradient that teaches this term's own head to tell the label."""
        error = heatmap_loss(self.label_heads[term](feature.detach()), label.detach(), weight)
        return error - error.detach()

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


def _projected(head: nn.Conv2d, feature: Tensor) -> Tensor:
    """`[B, C, h, w]` -> `[B, J, h, w]` by `head` as it stands, in the feature's precision."""
    weight = head.weight.detach().to(feature.dtype)
    bias = None if head.bias is None else head.bias.detach().to(feature.dtype)
    return torch.nn.functional.conv2d(feature, weight, bias, padding=head.padding)


def _weights(
    defaults: Mapping[str, float], overrides: Mapping[str, float] | None, scale: float
) -> dict[str, float]:
    """Scaled weight of every term that takes part, in the order of `defaults`."""
    overrides = mapping("mutual_information.weights", overrides)
    for term, weight in overrides.items():
        choose("mutual_information.weights", term, list(defaults))
        finite(f"weights.{term}", weight)
    merged = {**defaults, **overrides}
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
