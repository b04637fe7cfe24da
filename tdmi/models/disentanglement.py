"""Split a motion feature into a useful and a noisy part by gates (TDMI's RDM)."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn

from tdmi.core.checks import at_least, choose


class Disentangled(NamedTuple):
    """Parts `[B, C, h, w]` and the masks in 0..1 that made them, `[B, C, 1, 1]` or full size.

    The noisy ones are None where they were not asked for.
    """

    useful: Tensor
    useful_mask: Tensor
    noisy: Tensor | None = None
    noisy_mask: Tensor | None = None


class Disentanglement(nn.Module):
    """M -> M_u = mask_u * M and M_n = mask_n * M (TDMI, representation disentanglement module).

    Args:
        channels: of the motion feature.
        gate:
            "channel": two independent masks per channel, mask = sigmoid(MLP(mean of M over
            space)), as published. Nothing but the loss keeps them apart: their parts are two
            rescalings of the same M and need not sum to it.
            "complementary": mask_n = 1 - mask_u, so M_n = M - M_u (choice of this project).
            "softmax": the two MLPs' outputs go through a softmax over the two gates instead of a
            sigmoid each, so that they compete and the masks sum to 1 (choice of this project).
            "spatial": as "channel", but each MLP sees every position by itself and gives a mask
            of M's size; the authors' notes plan such a variant.
            "none": no split, M_u = M and M_n = 0; for ablations without a gate.
        hidden: width of each MLP, C -> hidden -> C with a ReLU between (review-time code: 128).
    """

    def __init__(self, channels: int, gate: str = "channel", hidden: int = 128):
        super().__init__()
        gates = ("channel", "complementary", "softmax", "spatial", "none")
        self.gate = choose("disentanglement.gate", gate, gates)
        at_least("disentanglement.hidden", hidden, 1)
        if gate != "none":
            self.useful_gate = _perceptron(channels, hidden)
        if gate in ("channel", "softmax", "spatial"):
            self.noisy_gate = _perceptron(channels, hidden)

    def freeze_noisy_gate(self) -> None:
        """Freeze the noisy part's own gate, for a loss that does not read that part.

        A softmax gate keeps learning, because the useful mask depends on both gates.
        """
        if self.gate in ("channel", "spatial"):
            self.noisy_gate.requires_grad_(False)

    def forward(self, motion: Tensor, noisy: bool = True) -> Disentangled:
        """[B, C, h, w] -> `Disentangled`; its noisy half, which only the loss reads, if `noisy`."""
        useful_mask, noisy_mask = self._masks(motion, noisy)
        useful = motion if self.gate == "none" else useful_mask * motion
        if not noisy or noisy_mask is None:
            return Disentangled(useful, useful_mask)
        return Disentangled(useful, useful_mask, noisy_mask * motion, noisy_mask)

    def _masks(self, motion: Tensor, noisy: bool) -> tuple[Tensor, Tensor | None]:
        if self.gate == "none":
            ones = motion.new_ones(*motion.shape[:2], 1, 1)
            return ones, torch.zeros_like(ones)
        seen = motion if self.gate == "spatial" else motion.mean(dim=(2, 3), keepdim=True)
        if self.gate == "softmax":
            both = torch.stack([self.useful_gate(seen), self.noisy_gate(seen)])
            useful_mask, noisy_mask = torch.softmax(both, dim=0)
            return useful_mask, noisy_mask
        useful_mask = torch.sigmoid(self.useful_gate(seen))
        if self.gate == "complementary":
            return useful_mask, 1 - useful_mask
        return useful_mask, torch.sigmoid(self.noisy_gate(seen)) if noisy else None


def _perceptron(channels: int, hidden: int) -> nn.Sequential:
    """The MLP as 1x1 convolutions: the same numbers on a pooled vector, and usable per pixel."""
    return nn.Sequential(
        nn.Conv2d(channels, hidden, 1), nn.ReLU(inplace=True), nn.Conv2d(hidden, channels, 1)
    )
