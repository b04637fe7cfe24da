"""Golden vectors of reference models: weights and inputs by formula, comparison of tensors.

tests/golden/models/<name>/ holds the reference's state-dictionary keys (keys.json.gz), outputs and
intermediates (golden.json) and one training step (train_step.json), all computed by the reference
implementation in float64 and float32 with weights and inputs that follow from the formulas below.
"""

from __future__ import annotations

import gzip
import json
import zlib
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

FOLDER = Path(__file__).parent / "golden" / "models"


def read(name: str, file: str = "golden.json") -> dict:
    return json.loads((FOLDER / name / file).read_text())


def reference_state(name: str) -> dict[str, Tensor]:
    """The reference's state dictionary, in float32, under the reference's own names."""
    golden = read(name)
    with gzip.open(FOLDER / name / "keys.json.gz", "rt") as file:
        keys = json.load(file)
    state = {}
    for key, shape, _ in keys:
        gain = golden["base_gain"]
        gain *= next((factor for text, factor in golden["gain_overrides"] if text in key), 1)
        state[key] = _fill(key, shape, gain, golden["seed_offset"])
    for key, first in golden["fill_check"].items():
        assert torch.allclose(state[key].flatten()[:3], torch.tensor(first), atol=1e-7), key
    return state


def _fill(key: str, shape: list[int], gain: float, seed_offset: int) -> Tensor:
    leaf = key.rsplit(".", 1)[-1]
    if leaf == "num_batches_tracked":
        return torch.tensor(0)
    seed = (zlib.crc32(key.encode()) + seed_offset) % 2**32
    z = np.random.Generator(np.random.PCG64(seed)).standard_normal(int(np.prod(shape)))
    if leaf == "running_var":
        value = 1 + 0.1 * np.abs(z)
    elif leaf == "weight" and len(shape) == 1:
        value = 1 + 0.1 * z
    elif leaf == "weight":
        value = z * gain * np.sqrt(2 / np.prod(shape[1:]))
    else:
        value = 0.1 * z
    return torch.from_numpy(value.astype(np.float32).reshape(shape))


def formula_input(shape: tuple[int, int, int, int], seed: int) -> Tensor:
    b, c, h, w = shape
    generator = np.random.Generator(np.random.PCG64(seed))
    coarse = generator.standard_normal((b, c, h // 32, w // 32))
    fine = generator.standard_normal((b, c, h, w))
    blocks = coarse.repeat(32, 2).repeat(32, 3)
    return torch.from_numpy((1.5 * blocks + 0.5 * fine).astype(np.float32))


def normal(shape: tuple[int, ...], seed: int) -> Tensor:
    values = np.random.Generator(np.random.PCG64(seed)).standard_normal(int(np.prod(shape)))
    return torch.from_numpy(values.astype(np.float32).reshape(shape))


def training_target(step: dict) -> tuple[Tensor, Tensor]:
    """Heatmaps [B, 17, h/4, w/4] and weight [B, 17] of a train_step.json."""
    recipe = step["input"]
    shape = (recipe["batch"], 17, recipe["h"] // 4, recipe["w"] // 4)
    k = torch.arange(shape[0] * 17).reshape(shape[0], 17)
    return normal(shape, recipe["seed"] + 10).clamp_min(0), (k % 4 != 0).float()


class Recorder:
    """Keeps what modules return: `recorder[name][i]` is the i-th call's output."""

    def __init__(self, modules: dict[str, nn.Module]) -> None:
        self.calls: dict[str, list[Tensor]] = {name: [] for name in modules}
        for name, module in modules.items():
            module.register_forward_hook(lambda *args, name=name: self._keep(name, args[-1]))

    def _keep(self, name: str, output: Tensor | list[Tensor]) -> None:
        self.calls[name].append((output[0] if isinstance(output, list) else output).detach())


def assert_equals_golden(actual: Tensor, golden: dict) -> None:
    """float64: 1e-9 of the reference's deviation; float32: ten times the reference's own error."""
    assert list(actual.shape) == golden["shape"]
    sampled = actual.flatten()[golden["index"]]
    wanted = torch.tensor(golden["value_f64"], dtype=torch.float64)
    if actual.dtype == torch.float64:
        tolerance = 1e-9 * golden["f64"]["std"]
        assert abs(float(actual.abs().sum()) / golden["f64"]["abs_sum"] - 1) < 1e-9
    else:
        tolerance = 10 * golden["max_abs_f32_minus_f64"]
        assert abs(float(actual.abs().double().sum()) / golden["f64"]["abs_sum"] - 1) < 1e-4
    assert float((sampled.double() - wanted).abs().max()) <= tolerance
    if "argmax_flat_hw_f64" in golden:
        assert actual.flatten(2).argmax(-1).tolist() == golden["argmax_flat_hw_f64"]


def assert_step_equals_golden(
    step: dict,
    loss: Tensor,
    grads: dict[str, Tensor],
    buffers: dict[str, Tensor],
) -> None:
    """Compare loss, gradients and running statistics with train_step.json (reference names)."""
    double = loss.dtype == torch.float64
    golden = step["float64" if double else "float32"]
    relative = 1e-9 if double else 1e-5
    np.testing.assert_allclose(loss.item(), golden["loss"], rtol=relative)
    scale = max(entry[0] for entry in golden["grads"].values())
    for name, (abs_sum, first, last) in golden["grads"].items():
        grad = grads[name].flatten()
        actual = [float(grad.abs().sum()), float(grad[0]), float(grad[-1])]
        # Gradients of biases before a batch norm are zero up to rounding: hence the floor. In
        # float32 the reference itself is this far from its own float64.
        own = np.abs(np.subtract([abs_sum, first, last], step["float64"]["grads"][name])).max()
        tolerance = 1e-8 * abs_sum if double else 0.05 * abs_sum + 10 * own
        tolerance += (1e-14 if double else 1e-6) * scale
        assert np.abs(np.subtract(actual, [abs_sum, first, last])).max() <= tolerance, name
    for name, sums in golden["running_after"].items():
        stem = name.removesuffix("running_mean")
        actual = [float(buffers[stem + s].abs().sum()) for s in ("running_mean", "running_var")]
        np.testing.assert_allclose(actual, sums, rtol=1e-9 if double else 1e-5)
