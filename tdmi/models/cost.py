"""Cost of a method: its parameters and the arithmetic for one key frame."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch.utils.flop_counter import FlopCounterMode

from tdmi.models.method import PoseMethod


@dataclass(frozen=True)
class Cost:
    """`gflops`: 10**9 floating-point operations for one key frame with its whole window.

    A multiply-add counts as 2 operations (papers often print multiply-adds, half as many).
    Counted are convolutions and matrix products, those inside deformable convolutions included;
    norms, activations, sampling, upsampling and OpenCV's optical flow are not. Of RAFT the
    arithmetic counts, its fixed parameters do not.
    """

    parameters: int
    trainable_parameters: int
    gflops: float
    input: tuple[int, int]
    frames: int


def cost(method: PoseMethod, height: int, width: int) -> Cost:
    """Count for one person at input size `height` x `width` px, in evaluation mode.

    The method is left in the mode it was in. It should be on the CPU, where deformable
    convolutions are matrix products that the counter sees.
    """
    reference = next(method.parameters())
    frames = len(method.window)
    crops = torch.zeros(1, frames, 3, height, width).to(reference)
    offsets = torch.tensor([method.window]).to(reference)
    training = method.training
    method.eval()
    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        method(crops, offsets)
    method.train(training)
    return Cost(
        parameters=sum(p.numel() for p in method.parameters()),
        trainable_parameters=sum(p.numel() for p in method.parameters() if p.requires_grad),
        gflops=counter.get_total_flops() / 1e9,
        input=(height, width),
        frames=frames,
    )
