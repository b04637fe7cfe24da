"""The interface of estimators of information, and the weights and checks that they share."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import ClassVar

import torch
from torch import Tensor, nn

from tdmi.core.checks import number
from tdmi.core.errors import UserError

REVIEW_WEIGHTS = {
    "primary": 2.0,
    "motion": 1.0,
    "useful_label": 1.0,
    "useful_fused": 2.0,
    "visual_label": 1.0,
    "visual_fused": 2.0,
    "useful_visual": 1.0,
}
"""The sum of the review-time code; its two groups share the two `..._fused` terms, hence 2."""

PAPER_WEIGHTS = {
    "primary": 1.0,
    "motion": 1.0,
    "useful_label": 1.0,
    "useful_fused": 1.0,
    "visual_label": 0.0,
    "visual_fused": 1.0,
    "useful_visual": 0.0,
}
"""The paper's terms, less I(F; y): with the label as reference, its only lever would be to make the
key frame's own feature worse at telling the pose. The multi-modal term is only in the code."""


class Estimator(nn.Module):
    """Penalties for what two stacks of maps share, to be minimised.

    `default_weights`: of TDMI's terms. `default_scale`: brings the penalties' unit near the heatmap
    error. `label_is_reference`: in a label term the label, not the feature, carries no gradient.
    `learns`: has networks of its own; the constructor then takes the vector lengths of the terms
    to `shrink` and to `grow`.
    """

    default_weights: ClassVar[Mapping[str, float]] = PAPER_WEIGHTS
    default_scale: ClassVar[float] = 1e-3
    label_is_reference: ClassVar[bool] = True
    learns: ClassVar[bool] = False

    def __init__(self) -> None:
        """Take no options; sub-classes name theirs."""
        super().__init__()

    def advance(self) -> None:
        """Begin a training step."""

    def feature_penalty(self, name: str, first: Tensor, second: Tensor, shrink: bool) -> Tensor:
        """Scalar of the term `name` for two features [B, C, h, w] that should share less (`shrink`)
        or more."""
        raise NotImplementedError

    def label_penalty(
        self, name: str, projected: Tensor, label: Tensor, weight: Tensor, shrink: bool = True
    ) -> Tensor:
        """The same for a feature's projection to joint maps and the label, [B, J, h, w] each.

        `weight` [B, J]: 0 for joints that are not labelled.
        """
        raise NotImplementedError


def widened(x: Tensor) -> Tensor:
    """Return the same numbers in float32, or wider if they were."""
    return x.to(torch.promote_types(x.dtype, torch.float32))


def finite(name: str, value: float, least: float = -math.inf) -> float:
    """Return `value` as a float; UserError if it is not a finite number of at least `least`."""
    return number(f"mutual_information.{name}", value, least)


def positive(name: str, value: float) -> float:
    """Return `value` as a float, or raise UserError if it is not above zero."""
    if finite(name, value) <= 0:
        raise UserError(f"option mutual_information.{name}: found {value}, expected more than 0")
    return float(value)
