"""One thread for torch and OpenCV: tests run beside other jobs, and their numbers must repeat."""

import cv2
import pytest
import torch

from tdmi.models.hrnet import HRNet
from tdmi.models.resnet import PoseResNet

torch.set_num_threads(1)
cv2.setNumThreads(1)


@pytest.fixture
def reference_layout(monkeypatch: pytest.MonkeyPatch) -> None:
    """Backbones work in PyTorch's default memory layout, as the reference models do."""
    for trunk in (HRNet, PoseResNet):
        monkeypatch.setattr(trunk, "memory_format", torch.contiguous_format)
