"""Read the stored reference numbers of `tests/golden` (see the README file in each folder)."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np

FOLDER = Path(__file__).parent / "golden"


def processing_cases(name: str) -> list[dict]:
    return json.loads((FOLDER / "processing" / f"{name}.json").read_text())["cases"]


def normal(seed: int, shape: tuple[int, ...]) -> np.ndarray:
    """The references' input formula: float32 standard normal numbers of a seed."""
    generator = np.random.Generator(np.random.PCG64(seed))
    return generator.standard_normal(int(np.prod(shape))).astype(np.float32).reshape(shape)
