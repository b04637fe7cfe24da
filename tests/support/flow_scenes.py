"""Images whose flow is known."""

import numpy as np
import torch

from baselines.flow.estimators import IMAGENET_MEAN, IMAGENET_STD


def scene(shift=(0.0, 0.0), height=96, width=72, seed=0) -> torch.Tensor:
    """RGB [3, H, W] in 0..1: twelve waves of 8 px and longer, moved by (dx, dy) px.

    A sum of sines can be moved by parts of a pixel without any resampling.
    """
    generator = np.random.default_rng(seed)
    frequency = generator.uniform(-0.09, 0.09, (12, 2))
    phase = generator.uniform(0, 2 * np.pi, (3, 12, 1, 1))
    x, y = np.arange(width) - shift[0], np.arange(height)[:, None] - shift[1]
    waves = 2 * np.pi * (frequency[:, 0, None, None] * x + frequency[:, 1, None, None] * y)
    image = np.sin(waves + 0.3 * phase).mean(axis=1)
    return torch.from_numpy(np.clip(0.5 + image, 0, 1)).float()


def normalised(images: torch.Tensor) -> torch.Tensor:
    """RGB [..., 3, H, W] in 0..1 -> ImageNet-normalised."""
    mean, std = (torch.tensor(v).view(3, 1, 1) for v in (IMAGENET_MEAN, IMAGENET_STD))
    return (images - mean) / std


def known_flow(*shifts):
    """An estimator that answers every pair with the next of `shifts`, everywhere the same."""

    def estimate(first, second):
        flow = torch.tensor(shifts[: len(first)], dtype=torch.float32)
        return flow[:, :, None, None].expand(-1, -1, *first.shape[-2:])

    return estimate
