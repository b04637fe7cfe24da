"""The residual steps block (Cai et al., ECCV 2020) as the released DCPose code uses it."""

from __future__ import annotations

from functools import partial
from typing import cast

import torch
from torch import Tensor, nn

from tdmi.models.layers import conv_norm

BRANCHES = 4

_layer = partial(conv_norm, relu=True, bias=True)
"""The convolution's bias is superfluous before a norm, but released."""


class ResidualStepsBlock(nn.Module):
    """[B, inplanes, h, w] -> [B, planes, h, w]: four branches of one to four 3x3 convolutions.

    A branch is 26 / 64 as wide as the input (rounded down). Step s of a branch also receives step
    s of the branch before it, so receptive fields grow in small steps. `projection` gives the
    shortcut a 1x1 convolution with norm. `zero_last` starts the last norm's weight at zero.
    """

    def __init__(
        self, inplanes: int, planes: int, *, projection: bool, zero_last: bool = False
    ) -> None:
        super().__init__()
        width = inplanes * 26 // 64
        self.enter = _layer(inplanes, BRANCHES * width, 1)
        self.steps = nn.ModuleList(
            nn.ModuleList(_layer(width, width, 3) for _ in range(branch + 1))
            for branch in range(BRANCHES)
        )
        self.leave = _layer(BRANCHES * width, planes, 1, relu=False)
        self.shortcut = _layer(inplanes, planes, 1, relu=False) if projection else None
        if zero_last:
            nn.init.zeros_(cast(nn.BatchNorm2d, self.leave[1]).weight)

    def residual(self, x: Tensor) -> Tensor:
        """The block without shortcut and last ReLU."""
        ends: list[Tensor] = []
        before: list[Tensor] = []
        for part, steps in zip(self.enter(x).chunk(BRANCHES, dim=1), self.steps, strict=True):
            current: list[Tensor] = []
            for i, step in enumerate(cast(nn.ModuleList, steps)):
                part = step(part + before[i] if i < len(before) else part)
                current.append(part)
            ends.append(part)
            before = current
        return self.leave(torch.cat(ends, dim=1))

    def forward(self, x: Tensor) -> Tensor:
        shortcut = x if self.shortcut is None else self.shortcut(x)
        return torch.relu(self.residual(x) + shortcut)


def residual_steps_chain(inplanes: int, planes: int, blocks: int) -> nn.Sequential:
    """Blocks in a row, the first with a projection shortcut."""
    return nn.Sequential(
        ResidualStepsBlock(inplanes, planes, projection=True),
        *(ResidualStepsBlock(planes, planes, projection=False) for _ in range(blocks - 1)),
    )
