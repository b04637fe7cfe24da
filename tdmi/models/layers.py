"""Residual blocks that HRNet, TDMI and the baselines are built from.

Names of sub-modules are those of the official HRNet code, so that its checkpoints fit.
"""

from __future__ import annotations

from typing import Literal

from torch import Tensor, nn

Shortcut = Literal["identity", "projection"]


def conv3x3(inplanes: int, planes: int, *, dilation: int = 1, bias: bool = True) -> nn.Conv2d:
    """Return a 3x3 convolution that keeps the map's size."""
    return nn.Conv2d(inplanes, planes, 3, padding=dilation, dilation=dilation, bias=bias)


def conv_norm(
    inplanes: int,
    planes: int,
    kernel: int,
    *,
    stride: int = 1,
    relu: bool = False,
    bias: bool = False,
) -> nn.Sequential:
    """Return a convolution (padding kernel // 2), a batch norm, and with `relu` a ReLU."""
    layers: list[nn.Module] = [
        nn.Conv2d(inplanes, planes, kernel, stride=stride, padding=kernel // 2, bias=bias),
        nn.BatchNorm2d(planes),
    ]
    if relu:
        layers.append(nn.ReLU(inplace=True))
    return nn.Sequential(*layers)


class BasicBlock(nn.Module):
    """Two 3x3 convolutions with batch norm, a shortcut, and a ReLU (He et al. 2016).

    [B, inplanes, h, w] -> [B, planes, h, w]. The shortcut is the input itself or a 1x1 convolution
    with batch norm. `zero_last` sets the weight of the second norm to zero, so that at the
    beginning the block passes its shortcut on unchanged.
    """

    def __init__(
        self,
        inplanes: int,
        planes: int,
        shortcut: Shortcut = "identity",
        zero_last: bool = False,
    ) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(inplanes, planes, 3, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(planes)
        self.relu = nn.ReLU(inplace=True)
        self.conv2 = nn.Conv2d(planes, planes, 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(planes)
        self.downsample = conv_norm(inplanes, planes, 1) if shortcut == "projection" else None
        if zero_last:
            nn.init.zeros_(self.bn2.weight)

    def residual(self, x: Tensor) -> Tensor:
        """The block without shortcut and last ReLU: [B, inplanes, h, w] -> [B, planes, h, w]."""
        x = self.relu(self.bn1(self.conv1(x)))
        return self.bn2(self.conv2(x))

    def forward(self, x: Tensor) -> Tensor:
        shortcut = x if self.downsample is None else self.downsample(x)
        return self.relu(self.residual(x).add_(shortcut))


class Bottleneck(nn.Module):
    """1x1, 3x3, 1x1 convolutions with batch norm; output has 4 x `planes` channels.

    A `stride` is that of the 3x3 convolution and of the shortcut, as in the official code.
    """

    expansion = 4

    def __init__(self, inplanes: int, planes: int, stride: int = 1) -> None:
        super().__init__()
        outplanes = planes * self.expansion
        self.conv1 = nn.Conv2d(inplanes, planes, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(planes)
        self.conv2 = nn.Conv2d(planes, planes, 3, stride=stride, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(planes)
        self.conv3 = nn.Conv2d(planes, outplanes, 1, bias=False)
        self.bn3 = nn.BatchNorm2d(outplanes)
        self.relu = nn.ReLU(inplace=True)
        same = stride == 1 and inplanes == outplanes
        self.downsample = None if same else conv_norm(inplanes, outplanes, 1, stride=stride)

    def forward(self, x: Tensor) -> Tensor:
        shortcut = x if self.downsample is None else self.downsample(x)
        x = self.relu(self.bn1(self.conv1(x)))
        x = self.relu(self.bn2(self.conv2(x)))
        return self.relu(self.bn3(self.conv3(x)).add_(shortcut))


def residual_chain(inplanes: int, planes: int, blocks: int) -> nn.Sequential:
    """Return `blocks` basic blocks in a row: [B, inplanes, h, w] -> [B, planes, h, w].

    The first one has a projection shortcut even where the channel counts agree, as in the TDMI
    authors' code.
    """
    return nn.Sequential(
        *(
            BasicBlock(inplanes, planes, "projection") if i == 0 else BasicBlock(planes, planes)
            for i in range(blocks)
        )
    )


def initialise(module: nn.Module, std: float | None = None) -> None:
    """Draw all convolution weights anew from torch's generator; biases become zero.

    `std` None: He's normal initialisation by fan-out. A number: normal with that deviation;
    0.001 is what HRNet, DCPose and the TDMI authors' code use. Batch norms are left alone.
    """
    for child in module.modules():
        if not isinstance(child, nn.Conv2d):
            continue
        if std is None:
            nn.init.kaiming_normal_(child.weight, mode="fan_out", nonlinearity="relu")
        else:
            nn.init.normal_(child.weight, std=std)
        fill_bias(child, 0)


def fill_bias(layer: nn.Module, value: float) -> None:
    """Set every element of the layer's bias to `value`, if it has one."""
    if isinstance(layer.bias, Tensor):
        nn.init.constant_(layer.bias, value)
