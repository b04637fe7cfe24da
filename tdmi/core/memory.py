"""Recognise that memory ran out, on the device or on the machine."""

from __future__ import annotations

import torch


def out_of_memory(error: BaseException) -> bool:
    """Whether a computation asked for more memory than the device, or the machine, has."""
    return isinstance(error, torch.OutOfMemoryError) or "DefaultCPUAllocator" in str(error)
