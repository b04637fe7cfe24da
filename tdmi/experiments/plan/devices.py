"""Peak arithmetic and memory of a few devices, for plans that cannot be measured where one is."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Device:
    """`tf32`, `bf16`: dense peak in 10**12 floating-point operations a second, without sparsity.

    Runs in "32-true" count by `tf32`, because torch lets convolutions of CUDA devices use it;
    mixed ones by `bf16`, which is the same for fp16. `memory_gb`: 10**9 bytes.
    """

    title: str
    tf32: float
    bf16: float
    memory_gb: float
    source: str

    def peak(self, precision: str) -> float:
        return self.tf32 if precision == "32-true" else self.bf16


# Numbers as recalled and seen in public summaries of the documents named, which print the sparse
# figures of the H100 too (twice these).
DEVICES = {
    "h100": Device("NVIDIA H100 SXM", 494.7, 989.4, 80, "NVIDIA H100 Tensor Core GPU data sheet"),
    "a100": Device("NVIDIA A100 SXM 80 GB", 156.0, 312.0, 80, "NVIDIA A100 data sheet"),
    "rtx4090": Device(
        "NVIDIA GeForce RTX 4090", 82.6, 165.2, 24, "NVIDIA Ada GPU architecture, appendix"
    ),
}

EFFICIENCY = 0.15
"""Share of the peak that is assumed, a guess of this project and nowhere measured: HRNet is many
small convolutions, norms and additions, which wait for memory more than for arithmetic."""
