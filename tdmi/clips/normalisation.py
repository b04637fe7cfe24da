"""From 8-bit crops to what the network reads."""

from __future__ import annotations

import numpy as np
import torch

# ImageNet statistics of RGB values in 0..255.
MEAN = (123.675, 116.28, 103.53)
DEVIATION = (58.395, 57.12, 57.375)


def normalise(
    frames: np.ndarray | torch.Tensor, device: torch.device | str = "cpu"
) -> torch.Tensor:
    """uint8 RGB [..., h, w, 3] to normalised float32 [..., 3, h, w] (channels last in memory)."""
    tensor = torch.as_tensor(frames).to(device, non_blocking=True).movedim(-1, -3).float()
    mean = torch.tensor(MEAN, device=tensor.device)[:, None, None]
    deviation = torch.tensor(DEVIATION, device=tensor.device)[:, None, None]
    return (tensor - mean) / deviation
