"""How many cores a process works on, for every library that would take all of them."""

from __future__ import annotations

import cv2
import torch


def use_threads(count: int) -> None:
    """Let torch and OpenCV work with so many threads; loading workers have one each."""
    torch.set_num_threads(count)
    cv2.setNumThreads(count)
