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

from tdmi.models.layers import fill_bias


def deformable_convolution(
    x: Tensor,
    offset: Tensor,
    mask: Tensor | None,
    weight: Tensor,
    bias: Tensor | None = None,
    *,
    dilation: int = 1,
) -> Tensor:
    """Convolve `x` [B, C, H, W] at shifted places, each sample multiplied by its mask.

    `weight` [O, C, k, k], k odd; `offset` [B, 2 * G * k * k, H, W] in pixels of `x`: for offset
    group g and tap t = i * k + j the vertical shift is channel 2 * (g * k * k + t) and the
    horizontal one the next; `mask` [B, G * k * k, H, W], any value, or None for ones. Offset groups
    are contiguous blocks of C / G input channels. Samples are bilinear; whatever lies outside `x`
    is zero. Returns [B, O, H, W].
    """
    kernel = weight.shape[-1]
    padding = dilation * (kernel // 2)
    if x.is_cuda:
        return deform_conv2d(x, offset, weight, bias, 1, padding, dilation, mask)
    batch, _, height, width = x.shape
    taps, places = kernel * kernel, height * width
    samples = batch * (offset.shape[1] // (2 * taps))

    # The image is transposed so that (dy, dx) is the order that grid_sample expects: no flip.
    places_grid = torch.addcmul(
        _regular_grid(x, kernel, padding, dilation),
        offset.reshape(samples, taps, 2, places),
        x.new_tensor([2 / height, 2 / width]).view(2, 1),
    )
    columns = F.grid_sample(
        x.reshape(samples, -1, height, width).transpose(2, 3),
        places_grid.transpose(2, 3),
        align_corners=False,
    )
    if mask is not None:
        columns = columns * mask.reshape(samples, 1, taps, places)
    kernels = weight.reshape(1, len(weight), -1)
    out = torch.matmul(kernels, columns.reshape(batch, 1, -1, places))
    out = out.reshape(batch, -1, height, width)
    return out if bias is None else out + bias[:, None, None]


def _regular_grid(x: Tensor, kernel: int, padding: int, dilation: int) -> Tensor:
    """Places of undeformed taps: [k * k, 2, H * W], (y, x) in grid_sample's -1..1 units.

    Pixel p of n lies at (2 p + 1) / n - 1 (`align_corners=False`).
    """

    def axis(length: int) -> Tensor:
        tap = torch.arange(kernel, device=x.device) * dilation - padding
        place = torch.arange(length, device=x.device)
        return (2 * (tap[:, None] + place) + 1).to(x.dtype) / length - 1

    rows, columns = axis(x.shape[2])[:, None, :, None], axis(x.shape[3])[None, :, None, :]
    return torch.stack(torch.broadcast_tensors(rows, columns), dim=2).reshape(
        kernel * kernel, 2, -1
    )


class DeformableConv2d(nn.Module):
    """Weights of a modulated deformable 3x3 convolution; offsets and masks come with each call.

    `forward(x, offset, mask)`: see `deformable_convolution`. The number of offset groups follows
    from the offsets' channels. Weights begin as in `torch.nn.Conv2d`; `identity_()` makes the
    convolution pass its input on.
    """

    def __init__(
        self, in_channels: int, out_channels: int, *, dilation: int = 1, bias: bool = True
    ) -> None:
        super().__init__()
        self.dilation = dilation
        like = nn.Conv2d(in_channels, out_channels, 3, bias=bias)
        self.weight, self.bias = like.weight, like.bias

    def identity_(self) -> DeformableConv2d:
        """Centre tap i -> i, all else zero: with zero offsets and unit masks, output = input."""
        nn.init.dirac_(self.weight)
        fill_bias(self, 0)
        return self

    def forward(self, x: Tensor, offset: Tensor, mask: Tensor | None = None) -> Tensor:
        weights = (self.weight, self.bias)
        return deformable_convolution(x, offset, mask, *weights, dilation=self.dilation)
