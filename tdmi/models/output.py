"""The output of a pose model and its target: two plain containers of tensors."""

from __future__ import annotations

from dataclasses import dataclass, field

from torch import Tensor


@dataclass
class PoseOutput:
    """Result of one forward pass.

    `heatmaps` [B, J, H/4, W/4]: one map per joint for the key frame, peak about 1, no activation.
    `terms`: further tensors, by name, that the method's own `loss` needs; empty for most methods.
    """

    heatmaps: Tensor
    terms: dict[str, Tensor] = field(default_factory=dict)


@dataclass
class Target:
    """True heatmaps of the key frame.

    `heatmaps` [B, J, h, w] in 0..1; `weight` [B, J], 0 for a joint that is not labelled, else 1
    (other values scale the joint's error).
    """

    heatmaps: Tensor
    weight: Tensor
