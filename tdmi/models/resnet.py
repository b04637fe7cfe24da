"""The trunk of SimpleBaseline: a ResNet and three transposed convolutions (Xiao et al., ECCV 2018).

Parameter names are those of the official code without its last 1x1 layer, which is every method's
`head`.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from tdmi.core.errors import UserError
from tdmi.models.layers import Bottleneck, initialise

BLOCKS = {50: (3, 4, 6, 3), 101: (3, 4, 23, 3), 152: (3, 8, 36, 3)}


class PoseResNet(nn.Module):
    """[B, 3, H, W] -> features [B, 4 * width, H/4, W/4] (rounded up).

    `layers`: 50, 101 or 152, the ResNet. `width`: 64 as published, any other for small trunks;
    channels of the stem, of the first stage's bottlenecks, and a quarter of what each transposed
    convolution gives.

    H and W need not be divisible by 32 (choice of this project): the last stage's map is rounded
    up, and what the transposed convolutions then give beyond H/4 and W/4 on the right and below is
    cut off.
    """

    depths = (1,)
    memory_format = torch.channels_last

    def __init__(self, layers: int = 50, width: int = 64) -> None:
        super().__init__()
        if layers not in BLOCKS:
            expected = ", ".join(map(str, BLOCKS))
            raise UserError(f"option layers: found {layers!r}, expected one of {expected}")
        self.channels = 4 * width
        self.conv1 = nn.Conv2d(3, width, 7, stride=2, padding=3, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.relu = nn.ReLU(inplace=True)
        self.maxpool = nn.MaxPool2d(3, stride=2, padding=1)
        inplanes = width
        for stage, count in enumerate(BLOCKS[layers]):
            planes = width * 2**stage
            first = Bottleneck(inplanes, planes, stride=1 if stage == 0 else 2)
            inplanes = planes * Bottleneck.expansion
            rest = (Bottleneck(inplanes, planes) for _ in range(count - 1))
            self.add_module(f"layer{stage + 1}", nn.Sequential(first, *rest))
        self.deconv_layers = nn.Sequential()
        for _ in range(3):
            upsampling = nn.ConvTranspose2d(
                inplanes, self.channels, 4, stride=2, padding=1, bias=False
            )
            nn.init.normal_(upsampling.weight, std=0.001)
            self.deconv_layers.extend(
                [upsampling, nn.BatchNorm2d(self.channels), nn.ReLU(inplace=True)]
            )
            inplanes = self.channels
        initialise(self)

    def forward(self, x: Tensor, depths: Sequence[int] | None = None) -> list[Tensor]:
        """Features [B, 4 * width, H/4, W/4], once for each of `depths`; there is only depth 1."""
        wanted = self.depths if depths is None else tuple(depths)
        if not set(wanted) <= set(self.depths):
            raise ValueError(f"depths {wanted} asked for, this trunk has {self.depths}")
        height, width = (-(-size // 4) for size in x.shape[-2:])
        x = x.contiguous(memory_format=self.memory_format)
        x = self.maxpool(self.relu(self.bn1(self.conv1(x))))
        for stage in range(1, 5):
            x = self.get_submodule(f"layer{stage}")(x)
        x = self.deconv_layers(x)[..., :height, :width]
        return [x for _ in wanted]
