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

from tdmi.core.checks import choose, mapping
from tdmi.losses.estimator import finite
from tdmi.losses.mutual_information import InformationObjective, Term

TERMS = {
    "fused_label": Term("fused", "label", shrink=False),
    "fused_key": Term("key", "fused", shrink=True),
    "support_label": Term("support", "label", shrink=True),
    "support_fused": Term("support", "fused", shrink=False),
    "key_label": Term("key", "label", shrink=True),
    "key_fused": Term("key", "fused", shrink=False),
}

COMPLEMENTARY = ("fused_label", "fused_key")


class AlignmentInformation(InformationObjective):
    """The objective of FAMI-Pose.

    Args:
        channels, joints, estimator, scale, label_from, options: see
            `tdmi.losses.mutual_information.MutualInformation`. Released: "legacy", "prediction".
        alpha: weight of all terms (released: 0.5). beta: of `fused_label` and `fused_key` within
            them (released: 0.1).
        weights: further factor of each term, by name; 0 leaves a term out. Default: 1; but 0 for
            `key_label` except with legacy (choice of this project, as in TDMI's objective: there
            the label is the reference, and the term's only lever is to make the key frame's own
            feature worse at telling the pose).

    The reference of a term carries no gradient: its first argument, as in the released code; but in
    label terms of all estimators except legacy it is the label, so that they reach the feature.

    UserError: unknown estimator, term or option, a negative weight, or a choice that leaves a
    term no gradient.
    """

    terms = TERMS

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
        super().__init__(estimator, label_from, **options)
        alpha, beta = finite("alpha", alpha, 0), finite("beta", beta, 0)
        weights = mapping("mutual_information.weights", weights)
        for term, weight in weights.items():
            choose("mutual_information.weights", term, list(self.terms))
            finite(f"weights.{term}", weight, 0)
        if self.kind is not None:
            factors = {"key_label": 0.0} if self.kind.label_is_reference else {}
            factors |= weights
            scale = self.kind.default_scale if scale is None else finite("scale", scale, 0)
            for term in self.terms:
                share = beta if term in COMPLEMENTARY else 1.0
                if weight := scale * alpha * share * factors.get(term, 1.0):
                    self.weights[term] = weight
        self.build_estimator(channels, joints)
