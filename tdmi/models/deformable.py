"""Modulated deformable convolution (Zhu et al., CVPR 2019), the same numbers on every device.

Where it runs is the only difference: torchvision's kernel on CUDA; elsewhere a formulation with
`grid_sample` and one matrix product, because torchvision's CPU kernel is several times slower in
the backward pass.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torchvision.ops import deform_conv2d


def deformable_convolution(
    x: Tensor,
    offset: Tensor,
    mask: Tensor | None,
    weight: Tensor,
    bias: Tensor | None = None,
    *,
    stride: int = 1,
    padding: int = 0,
    dilation: int = 1,
) -> Tensor:
    """Convolve `x` at shifted places, each sample multiplied by its mask.

    `x` [B, C, H, W]; `weight` [O, C / groups, kh, kw]; `offset` [B, 2 * G * kh * kw, Ho, Wo] in
    pixels of `x`: for offset group g and tap t = i * kw + j the vertical shift is channel
    2 * (g * kh * kw + t) and the horizontal one the next; `mask` [B, G * kh * kw, Ho, Wo], any
    value, or None for ones. Offset groups are contiguous blocks of C / G input channels. Samples
    are bilinear; whatever lies outside `x` is zero. Returns [B, O, Ho, Wo].
    """
    if x.is_cuda:
        return deform_conv2d(x, offset, weight, bias, stride, padding, dilation, mask)
    batch, channels, height, width = x.shape
    out_channels, group_channels, *kernel = weight.shape
    taps = kernel[0] * kernel[1]
    size = offset.shape[-2:]
    places = size[0] * size[1]
    offset_groups = offset.shape[1] // (2 * taps)
    samples = batch * offset_groups

    # The image is transposed so that (dy, dx) is the order that grid_sample expects: no flip.
    places_grid = torch.addcmul(
        _regular_grid(x, kernel, size, stride, padding, dilation),
        offset.reshape(samples, taps, 2, places),
        x.new_tensor([2 / height, 2 / width]).view(2, 1),
    )
    columns = F.grid_sample(
        x.reshape(samples, -1, height, width).transpose(2, 3),
        places_grid.transpose(2, 3),
        mode="bilinear",
        padding_mode="zeros",
        align_corners=False,
    )
    if mask is not None:
        columns = columns * mask.reshape(samples, 1, taps, places)

    groups = channels // group_channels
    columns = columns.reshape(batch, groups, group_channels * taps, places)
    kernels = weight.reshape(groups, out_channels // groups, group_channels * taps)
    out = torch.matmul(kernels, columns).reshape(batch, out_channels, *size)
    return out if bias is None else out + bias[:, None, None]


def _regular_grid(
    x: Tensor, kernel: list[int], size: torch.Size, stride: int, padding: int, dilation: int
) -> Tensor:
    """Where undeformed taps lie: [kh * kw, 2, Ho * Wo], (y, x) in grid_sample's -1..1 units.

    Pixel p of n lies at (2 p + 1) / n - 1 (`align_corners=False`).
    """

    def axis(taps: int, steps: int, length: int) -> Tensor:
        tap = torch.arange(taps, device=x.device) * dilation - padding
        place = torch.arange(steps, device=x.device) * stride
        return (2 * (tap[:, None] + place) + 1).to(x.dtype) / length - 1

    y = axis(kernel[0], size[0], x.shape[2])[:, None, :, None]
    x_ = axis(kernel[1], size[1], x.shape[3])[None, :, None, :]
    y, x_ = torch.broadcast_tensors(y, x_)
    return torch.stack([y, x_], dim=2).reshape(kernel[0] * kernel[1], 2, -1)


class DeformableConv2d(nn.Module):
    """Weights of a modulated deformable convolution; offsets and masks come with each call.

    `forward(x, offset, mask)`: see `deformable_convolution`. `groups` divides the channels as in
    an ordinary convolution; the number of offset groups follows from the offsets' channels.
    Weights begin as in `torch.nn.Conv2d`; `identity_()` makes the convolution pass its input on.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: int = 3,
        *,
        stride: int = 1,
        padding: int = 0,
        dilation: int = 1,
        groups: int = 1,
        bias: bool = True,
    ) -> None:
        super().__init__()
        self.stride, self.padding, self.dilation = stride, padding, dilation
        like = nn.Conv2d(in_channels, out_channels, kernel_size, groups=groups, bias=bias)
        self.weight, self.bias = like.weight, like.bias

    def identity_(self) -> DeformableConv2d:
        """Centre tap i -> i, all else zero: with zero offsets and unit masks, output = input."""
        nn.init.dirac_(self.weight)
        if self.bias is not None:
            nn.init.zeros_(self.bias)
        return self

    def forward(self, x: Tensor, offset: Tensor, mask: Tensor | None = None) -> Tensor:
        return deformable_convolution(
            x,
            offset,
            mask,
            self.weight,
            self.bias,
            stride=self.stride,
            padding=self.padding,
            dilation=self.dilation,
        )
