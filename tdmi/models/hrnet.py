"""HRNet: a trunk that keeps a high-resolution branch all the way (Sun et al., CVPR 2019).

One class covers the published W32 and W48 (four stages) and the small trunks of the embedded
suite. Parameter names are those of the official code without its last 1x1 layer, which is every
method's `head`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from tdmi.core.errors import UserError
from tdmi.models.layers import BasicBlock, Bottleneck, conv_norm, initialise


class HRNet(nn.Module):
    """[B, 3, H, W] -> highest-resolution features [B, width, H/4, W/4] (rounded up).

    Branch b has `width * 2**b` channels at 1 / 2**b of that resolution.

    `width`: 48 or 32 as published, any other for small trunks. `stages`: number of stages kept,
    2 to 4, equal to the number of branches at the end. `modules`: exchange modules in stages 2, 3,
    4. `blocks`: basic blocks per branch and module. `stem_width`: channels of the two stride-2
    convolutions, whose `stem_blocks` bottlenecks then give four times as many.

    After the last stage only the highest-resolution branch is computed, as published for stage 4;
    for fewer stages this is a choice of this project, because nothing else would be used.
    Sizes need not be divisible by 32: coarser branches are rounded up, and upsampling goes to the
    target's size, which equals the official nearest upsampling by 2**k where sizes are divisible.
    """

    memory_format = torch.channels_last
    """Of all maps: 10 to 35 % less time for a training step on the CPU than with PyTorch's default,
    whose batch statistics are exacter there in float32 (accumulated in double precision)."""

    def __init__(
        self,
        width: int = 48,
        stages: int = 4,
        modules: Sequence[int] = (1, 4, 3),
        blocks: int = 4,
        stem_width: int = 64,
        stem_blocks: int = 4,
    ) -> None:
        super().__init__()
        if not 2 <= stages <= 4 or len(modules) < stages - 1:
            raise UserError(
                f"HRNet: stages is {stages} and modules {tuple(modules)}; give 2 to 4 stages "
                "and one number of modules for each stage from the second on"
            )
        self.channels = width
        self.depths = tuple(range(1, stages + 1))
        self.conv1 = nn.Conv2d(3, stem_width, 3, stride=2, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(stem_width)
        self.conv2 = nn.Conv2d(stem_width, stem_width, 3, stride=2, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(stem_width)
        self.relu = nn.ReLU(inplace=True)
        self.stem_channels = stem_out = stem_width * Bottleneck.expansion
        widths = [stem_width] + [stem_out] * (stem_blocks - 1)
        self.layer1 = nn.Sequential(*(Bottleneck(w, stem_width) for w in widths[:stem_blocks]))
        before = [stem_out]
        for stage in range(2, stages + 1):
            widths = [width * 2**branch for branch in range(stage)]
            self.add_module(f"transition{stage - 1}", _transition(before, widths))
            count = modules[stage - 2]
            last = count - 1 if stage == stages else None
            outputs = (1 if i == last else stage for i in range(count))
            exchanges = (ExchangeModule(widths, blocks, number) for number in outputs)
            self.add_module(f"stage{stage}", nn.Sequential(*exchanges))
            before = widths
        initialise(self)

    def forward(self, x: Tensor, depths: Sequence[int] | None = None) -> list[Tensor]:
        """Features [B, width, H/4, W/4] at the asked depths, in the order asked for.

        Depth 1 is the first transition's output, depth s the output of stage s. Default: the last
        depth alone. Depths must be in `self.depths` (ValueError), or 0: the first layer's output,
        which has `stem_channels` instead of `width` channels.
        """
        wanted = (self.depths[-1],) if depths is None else tuple(depths)
        if not set(wanted) <= {0, *self.depths}:
            raise ValueError(f"depths {wanted} asked for, this trunk has {self.depths}")
        x = x.contiguous(memory_format=self.memory_format)
        x = self.relu(self.bn1(self.conv1(x)))
        x = self.relu(self.bn2(self.conv2(x)))
        found = {0: self.layer1(x)}
        branches = self._extended(1, [found[0]])
        found[1] = branches[0]
        if 0 not in wanted:
            del found[0]  # the widest map of all: free it early
        for stage in range(2, max(wanted) + 1):
            if stage > 2:
                branches = self._extended(stage - 1, branches)
            branches = self.get_submodule(f"stage{stage}")(branches)
            found[stage] = branches[0]
        return [found[depth] for depth in wanted]

    def _extended(self, transition: int, branches: list[Tensor]) -> list[Tensor]:
        """New branches grow from the coarsest one there is."""
        layers = cast(nn.ModuleList, self.get_submodule(f"transition{transition}"))
        return [layer(branches[min(i, len(branches) - 1)]) for i, layer in enumerate(layers)]


class ExchangeModule(nn.Module):
    """Residual blocks on each branch, then every output branch sums all branches.

    Input: list of [B, widths[b], h_b, w_b], finest first; output: the first `outputs` of such a
    list. From coarse to fine: 1x1 convolution, norm, nearest upsampling; from fine to coarse: a
    3x3 stride-2 convolution with norm per halving, ReLU on all but the last.
    """

    def __init__(self, widths: Sequence[int], blocks: int, outputs: int) -> None:
        super().__init__()
        self.branches = nn.ModuleList(
            nn.Sequential(*(BasicBlock(width, width) for _ in range(blocks))) for width in widths
        )
        self.fuse_layers = nn.ModuleList(
            nn.ModuleList(_exchange(widths, source, to) for source in range(len(widths)))
            for to in range(outputs)
        )
        self.relu = nn.ReLU(inplace=True)

    def forward(self, inputs: list[Tensor]) -> list[Tensor]:
        inputs = [branch(x) for branch, x in zip(self.branches, inputs, strict=True)]
        return [self._fuse(inputs, to) for to in range(len(self.fuse_layers))]

    def _fuse(self, inputs: list[Tensor], to: int) -> Tensor:
        total: Tensor | None = None
        for source, layer in enumerate(cast(nn.ModuleList, self.fuse_layers[to])):
            x = layer(inputs[source])
            if source > to:
                x = F.interpolate(x, size=inputs[to].shape[-2:], mode="nearest")
            if total is None:
                total = x
            elif total is inputs[to]:  # which the other outputs still need
                total = total + x
            else:
                total = total.add_(x)
        return self.relu(total)


def _exchange(widths: Sequence[int], source: int, to: int) -> nn.Module:
    if source == to:
        return nn.Identity()
    if source > to:
        return conv_norm(widths[source], widths[to], 1)
    width = widths[source]
    halvings = [conv_norm(width, width, 3, stride=2, relu=True) for _ in range(to - source - 1)]
    return nn.Sequential(*halvings, conv_norm(width, widths[to], 3, stride=2))


def _transition(before: Sequence[int], after: Sequence[int]) -> nn.ModuleList:
    """Layers that lead to a stage: per branch identity, a 3x3 convolution, or a halving one."""
    layers: list[nn.Module] = []
    for branch, width in enumerate(after):
        if branch >= len(before):
            layers.append(nn.Sequential(conv_norm(before[-1], width, 3, stride=2, relu=True)))
        elif before[branch] != width:
            layers.append(conv_norm(before[branch], width, 3, relu=True))
        else:
            layers.append(nn.Identity())
    return nn.ModuleList(layers)
