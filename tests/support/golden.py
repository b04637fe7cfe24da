"""Read the reference numbers of `tests/golden`, or of the folder that TDMI_GOLDEN names.

`FOLDER` is that folder; what a test finds there, it runs. `OWN` is `tests/golden` itself, for tests
about this project's packed copies.
"""

from __future__ import annotations

import json
import os
from pathlib import Path

import numpy as np

from tests.support.paths import ROOT

OWN = ROOT / "tests" / "golden"
FOLDER = Path(os.environ.get("TDMI_GOLDEN", OWN))
if not FOLDER.is_dir():
    raise FileNotFoundError(f"TDMI_GOLDEN: no folder {FOLDER}")


def processing(name: str) -> dict:
    """Content of `processing/<name>.json`; no cases if the folder has no such file."""
    path = FOLDER / "processing" / f"{name}.json"
    return json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {"cases": []}


def processing_cases(name: str) -> list[dict]:
    return processing(name)["cases"]


def normal(seed: int, shape: tuple[int, ...]) -> np.ndarray:
    """The references' input formula: float32 standard normal numbers of a seed."""
    generator = np.random.Generator(np.random.PCG64(seed))
    return generator.standard_normal(int(np.prod(shape))).astype(np.float32).reshape(shape)
