"""Arithmetic of displacement fields: resize, warp along them, find what is hidden."""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

CONSISTENCY = (0.01, 0.5)
"""Bounds of the forward-backward check (Sundaram, Brox, Keutzer, ECCV 2010): 1 % of the squared
lengths plus 0.5 px²."""


def resize_field(field: Tensor, size: Sequence[int]) -> Tensor:
    """[N, C, H, W] -> [N, C, h, w] by averaging areas.

    Heatmap pixel i covers crop pixels 4 i to 4 i + 3, so a four times smaller map needs no further
    shift.
    """
    return F.interpolate(field, size=list(size), mode="area")


def resize_flow(flow: Tensor, size: Sequence[int]) -> Tensor:
    """Flow [N, 2, H, W] in its own pixels -> [N, 2, h, w] in those of a smaller map of `size`."""
    height, width = flow.shape[-2:]
    scale = flow.new_tensor([size[1] / width, size[0] / height]).view(2, 1, 1)
    return resize_field(flow, size) * scale


def landing_points(flow: Tensor) -> tuple[Tensor, Tensor]:
    """x and y, [N, H, W] px each, of where every pixel of flow [N, 2, H, W] goes."""
    height, width = flow.shape[-2:]
    x = torch.arange(width, device=flow.device) + flow[:, 0]
    y = torch.arange(height, device=flow.device)[:, None] + flow[:, 1]
    return x, y


def warp(maps: Tensor, flow: Tensor) -> Tensor:
    """Sample `maps` [N, C, h, w] at p + flow(p), bilinear, zeros outside; flow [N, 2, h, w] px."""
    height, width = maps.shape[-2:]
    x, y = landing_points(flow)
    grid = torch.stack([(2 * x + 1) / width - 1, (2 * y + 1) / height - 1], dim=-1)
    return F.grid_sample(maps, grid, align_corners=False)


def visible_pixels(forward: Tensor, backward: Tensor) -> Tensor:
    """Mark the first image's pixels that are seen in the second: forward-backward check.

    `forward` [N, 2, H, W] is the flow from the first image to the second, `backward` the flow back,
    both in px. A pixel counts as seen if it lands inside the second image and the flow back from
    there returns to it within `CONSISTENCY`. Returns [N, 1, H, W], 1 or 0.
    """
    relative, absolute = CONSISTENCY
    height, width = forward.shape[-2:]
    returned = warp(backward, forward)
    error = (forward + returned).square().sum(dim=1)
    lengths = forward.square().sum(dim=1) + returned.square().sum(dim=1)
    x, y = landing_points(forward)
    inside = (x >= 0) & (x <= width - 1) & (y >= 0) & (y <= height - 1)
    seen = inside & (error <= relative * lengths + absolute)
    return seen.unsqueeze(1).to(forward)
