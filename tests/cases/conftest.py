"""A run whose model finds something anywhere, and the demo on it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from tdmi.cli.main import main
from tdmi.core.files import write_json
from tdmi.experiments.build import build_method
from tests.support import tiny_dataset

CASES = Path(__file__).parent


@pytest.fixture(scope="session")
def run(tmp_path_factory) -> Path:
    root = tmp_path_factory.mktemp("run")
    settings = tiny_dataset.settings(root)
    torch.manual_seed(0)
    method = build_method(tiny_dataset.typed(settings))
    nn.init.normal_(method.head.weight)
    write_json(root / "config.yaml", settings)  # JSON is YAML
    torch.save({"model": method.state_dict()}, root / "checkpoint.pt")
    return root


@pytest.fixture
def demo(run, tmp_path):
    """Status of the demo on a video; it writes to the folder ``out``."""

    def called(video: Path | str, *options: str, out: Path = tmp_path / "out") -> int:
        command = ["demo", str(video), "--run", str(run), "--out", str(out), "--threads", "1"]
        return main([*command, *options])

    return called


def smooth_picture(height: int = 120, width: int = 160) -> np.ndarray:
    """[H, W, 3] uint8, brighter to the right (red) and downwards (green)."""
    y, x = np.mgrid[:height, :width]
    return np.stack([x * 255 // width, y * 255 // height, 0 * x], axis=2).astype(np.uint8)
