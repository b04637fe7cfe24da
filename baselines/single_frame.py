"""Single frame: a backbone with a 1x1 head on the key frame.

With HRNet it is the model of Sun et al. (CVPR 2019), with `PoseResNet` SimpleBaseline (Xiao et al.,
ECCV 2018).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Unpack

from torch import Tensor

from tdmi.models.method import Backbone, BackboneNorm, Common, PoseMethod
from tdmi.models.output import PoseOutput


class SingleFrame(PoseMethod):
    """The model that all temporal methods start from; its window is the key frame.

    `backbone_norm` is "updated" by default, because this is the method that trains the backbone.
    The published loss has `loss_factor=0.5`; here all methods share 1, which with Adam and its
    scale-free step is the same training.
    """

    def __init__(
        self,
        backbone: Backbone,
        joints: int = 17,
        *,
        backbone_norm: BackboneNorm = "updated",
        **shared: Unpack[Common],
    ) -> None:
        super().__init__(backbone, joints, window=(0,), backbone_norm=backbone_norm, **shared)

    def aggregate(self, features: Sequence[Tensor], offsets: Tensor) -> PoseOutput:
        """`offsets` [B, 1] plays no part."""
        (maps,) = features
        return PoseOutput(self.head(maps[:, self.key]))
