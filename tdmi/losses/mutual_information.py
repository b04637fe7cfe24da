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

from collections.abc import Collection, Mapping
from typing import Any, ClassVar, NamedTuple, cast

import torch
from torch import Tensor, nn

from tdmi.core.checks import build, choose, mapping
from tdmi.core.errors import UserError
from tdmi.losses.estimator import Estimator, finite, widened
from tdmi.losses.heatmap import heatmap_loss
from tdmi.losses.mutual_information_similarity import CosineEstimator, HSICEstimator
from tdmi.losses.mutual_information_spatial import DivergenceEstimator, LegacyEstimator
from tdmi.losses.mutual_information_variational import VariationalEstimator

ESTIMATORS: dict[str, type[Estimator]] = {
    "legacy": LegacyEstimator,
    "vsd": DivergenceEstimator,
    "vclub": VariationalEstimator,
    "cos": CosineEstimator,
    "hsic": HSICEstimator,
}


class Term(NamedTuple):
    """Information that should shrink or grow: of two features, or of a feature and the label."""

    first: str
    second: str
    """A feature, or "label": then `first` is projected to joint maps."""
    shrink: bool


class InformationObjective(nn.Module):
    """Base of objectives: a weighted sum of information penalties, one named scalar per term.

    Everything is computed in float32 (or wider, if the features are), also under mixed precision.
    A sub-class names its `terms`, and in its constructor fills `weights` before `build_estimator`.
    `options`: arguments of the estimator.
    """

    terms: ClassVar[Mapping[str, Term]]
    two_sided: ClassVar[Collection[str]] = ()
    """Terms whose sides both learn with stop_gradient="reference"."""

    def __init__(
        self, estimator: str, label_from: str, stop_gradient: str = "reference", **options: Any
    ) -> None:
        super().__init__()
        choose("mutual_information.estimator", estimator, ["none", *ESTIMATORS])
        self.label_from = choose(
            "mutual_information.label_from", label_from, ["prediction", "ground_truth"]
        )
        self.stop_gradient = choose(
            "mutual_information.stop_gradient", stop_gradient, ["reference", "symmetric", "none"]
        )
        self.kind = ESTIMATORS.get(estimator)
        self.options = options
        self.weights: dict[str, float] = {}
        self.label_heads = nn.ModuleDict()

    def build_estimator(self, channels: int, joints: int) -> None:
        """Build the estimator for the terms that have a weight.

        UserError: options that it does not know, or label terms without a gradient.
        """
        if self.kind is None:
            build("mutual_information", lambda: None, self.options)
            return
        labels = [n for n, t in self.terms.items() if n in self.weights and t.second == "label"]
        sizes: dict[str, dict[str, int]] = {"shrink": {}, "grow": {}} if self.kind.learns else {}
        for name, term in self.terms.items():
            if sizes and name in self.weights:
                size = 2 * joints if name in labels else channels
                sizes["shrink" if term.shrink else "grow"][name] = size
        self.estimator = build("mutual_information", self.kind, self.options, **sizes)
        held = self.stop_gradient == "reference" and not self.kind.label_is_reference
        if labels and held and self.label_from == "ground_truth":
            raise UserError(
                "option mutual_information: found label terms of the legacy estimator with "
                "label_from ground_truth and the feature held, expected terms that have a "
                f"gradient; set label_from prediction, or the weights of {', '.join(labels)} to 0"
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
            features: those of the terms by name, each `[B, C, h, w]`.
            heatmaps: predicted `[B, J, h, w]`, peak near one.
            target: true heatmaps `[B, J, h, w]`.
            target_weight: `[B, J]`, 0 for unlabelled joints.
            head: projects a feature to J maps in the label terms. It is used as it stands: no
                label term trains it (review-time code: the single-frame 1x1 head, detached).
        """
        features = {name: widened(feature) for name, feature in features.items()}
        label = heatmaps if self.label_from == "prediction" else target
        device = next(iter(features.values())).device.type
        heads = cast(dict[str, nn.Conv2d], dict(self.label_heads))
        penalties = {}
        if self.weights:
            self.estimator.advance()
        device = device if torch.amp.is_autocast_available(device) else "cpu"  # meta has none
        with torch.autocast(device, enabled=False):
            for name, weight in self.weights.items():
                first, second, shrink = self.terms[name]
                if second != "label":
                    penalty = self._feature_term(name, features[first], features[second], shrink)
                    penalties[f"mi_{name}"] = weight * penalty
                    continue
                y = widened(label)
                own = heads.get(name)
                projected = _projected(own or head, features[first])
                penalty = self._label_term(name, projected, y, target_weight, shrink)
                penalties[f"mi_{name}"] = weight * penalty
                if own is not None:
                    # Zero, with the gradient that teaches the term's own head to tell the label.
                    guess = own(features[first].detach())
                    error = heatmap_loss(guess, y.detach(), target_weight)
                    penalties[f"mi_{name}"] += error - error.detach()
        return penalties

    def _feature_term(self, name: str, first: Tensor, second: Tensor, shrink: bool) -> Tensor:
        if self.stop_gradient == "symmetric":
            orders = [(first.detach(), second), (second.detach(), first)]
        elif self.stop_gradient == "reference" and name not in self.two_sided:
            orders = [(first.detach(), second)]
        else:
            orders = [(first, second)]
        values = [self.estimator.feature_penalty(name, *order, shrink) for order in orders]
        return torch.stack(values).mean()

    def _label_term(
        self, name: str, projected: Tensor, label: Tensor, weight: Tensor, shrink: bool
    ) -> Tensor:
        orders = [(projected, label)]
        if self.stop_gradient == "symmetric":
            orders.append((label, projected))
        if self.stop_gradient != "none":
            second_is_reference = self.estimator.label_is_reference
            orders = [
                (first, second.detach()) if second_is_reference else (first.detach(), second)
                for first, second in orders
            ]
        values = [self.estimator.label_penalty(name, *order, weight, shrink) for order in orders]
        return torch.stack(values).mean()


TERMS = {
    "primary": Term("useful", "noisy", shrink=True),
    "motion": Term("motion", "useful", shrink=False),
    "useful_fused": Term("useful", "fused", shrink=False),
    "visual_fused": Term("visual", "fused", shrink=False),
    "useful_visual": Term("useful", "visual", shrink=True),
    "useful_label": Term("useful", "label", shrink=True),
    "visual_label": Term("visual", "label", shrink=True),
}


class MutualInformation(InformationObjective):
    """The objective of TDMI.

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

    UserError: unknown estimator, term or option, or a choice that leaves a term no gradient.
    """

    terms = TERMS
    two_sided = ("primary",)

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
    ) -> None:
        super().__init__(estimator, label_from, stop_gradient, **options)
        choose("mutual_information.label_head", label_head, ["single_frame", "own"])
        if self.kind is not None:
            scale = self.kind.default_scale if scale is None else finite("scale", scale)
            self.weights = _weights(self.kind.default_weights, weights, scale)
            if self.kind.learns:
                self._check_learned_bounds(estimator)
        self.build_estimator(channels, joints)
        if label_head == "own":
            for name in self.weights:
                if self.terms[name].second == "label":
                    self.label_heads[name] = nn.Conv2d(channels, joints, 3, padding=1)

    def _check_learned_bounds(self, estimator: str) -> None:
        if min(self.weights.values(), default=0) < 0:
            raise UserError(
                f"option mutual_information.weights: found a negative one for {estimator}, "
                "expected 0 or more, since the weight also scales what its networks learn from"
            )
        if self.stop_gradient == "symmetric":
            raise UserError(
                f"option mutual_information.stop_gradient: found symmetric for {estimator}, "
                "expected reference or none, since its networks read a pair in one order"
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
