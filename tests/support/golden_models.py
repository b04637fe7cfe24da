"""Golden vectors of reference models: weights and inputs by formula, comparison of tensors.

models/<name>/ in the golden folder (`golden.FOLDER`) holds the reference's state-dictionary keys
(keys.json, packed or not), outputs and intermediates (golden.json) and, for some, one training step
(train_step.json), all computed by the reference implementation in float64 and float32 with weights
and inputs that follow from the formulas below. `runs` and `steps` list what there is, so that tests
follow the folder; the name of a model's folder begins with the family and may go on as it likes.
"""

from __future__ import annotations

import gzip
import json
import zlib

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from tests.support import golden

FOLDER = golden.FOLDER / "models"
DOUBLE, SINGLE = torch.float64, torch.float32


def read(name: str, file: str = "golden.json") -> dict:
    return json.loads((FOLDER / name / file).read_text(encoding="utf-8"))


def reference_keys(name: str) -> list[tuple[str, list[int], str]]:
    """(key, shape, dtype) of the reference's state dictionary, in its order."""
    plain = FOLDER / name / "keys.json"
    if plain.is_file():
        return json.loads(plain.read_text(encoding="utf-8"))
    with gzip.open(plain.with_suffix(".json.gz"), "rt", encoding="utf-8") as file:
        return json.load(file)


def runs(family: str) -> list:
    """(name, run, dtype) of every stored forward pass; those of many pixels are marked slow."""
    found = []
    for name in _names(family, "golden.json"):
        for index, run in enumerate(read(name)["runs"]):
            shapes = run["input"]["shapes"]
            pixels = sum(
                np.prod(shape) / 3
                for key, shape in shapes.items()
                if len(shape) == 4 and not key.startswith("0.1")
            )
            found += _parameters((name, index), pixels, {DOUBLE: 150_000, SINGLE: 100_000})
    return found


def steps(family: str, frames: int = 1) -> list:
    """(name, dtype) of every stored training step; those of many pixels are marked slow."""
    found = []
    for name in _names(family, "train_step.json"):
        recipe = read(name, "train_step.json")["input"]
        pixels = recipe["batch"] * frames * recipe["h"] * recipe["w"]
        found += _parameters((name,), pixels, {DOUBLE: 100_000, SINGLE: 300_000})
    return found


def _names(family: str, file: str) -> list[str]:
    return sorted(path.parent.name for path in FOLDER.glob(f"{family}*/{file}"))


def _parameters(values: tuple, pixels: float, limits: dict[torch.dtype, int]) -> list:
    return [
        pytest.param(*values, dtype, marks=[pytest.mark.slow] if pixels > limit else [])
        for dtype, limit in limits.items()
    ]


def reference_state(name: str) -> dict[str, Tensor]:
    """The reference's state dictionary, in float32, under the reference's own names."""
    content = read(name)
    state = {}
    for key, shape, _ in reference_keys(name):
        gain = content["base_gain"]
        gain *= next((factor for text, factor in content["gain_overrides"] if text in key), 1)
        state[key] = _fill(key, shape, gain, content["seed_offset"])
    for key, first in content["fill_check"].items():
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
    return torch.from_numpy(golden.normal(seed, shape))


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


def assert_equals_golden(actual: Tensor, wanted: dict) -> None:
    """float64: 1e-9 of the reference's deviation; float32: ten times the reference's own error."""
    assert list(actual.shape) == wanted["shape"]
    double = actual.dtype == DOUBLE
    tolerance = 1e-9 * wanted["f64"]["std"] if double else 10 * wanted["max_abs_f32_minus_f64"]
    total = float(actual.abs().double().sum()) / wanted["f64"]["abs_sum"]
    assert abs(total - 1) < (1e-9 if double else 1e-4)
    sampled = actual.flatten()[wanted["index"]].double()
    values = torch.tensor(wanted["value_f64"], dtype=DOUBLE)
    assert float((sampled - values).abs().max()) <= tolerance
    if "argmax_flat_hw_f64" in wanted:
        maps = actual.flatten(2)
        there = maps.gather(2, torch.tensor(wanted["argmax_flat_hw_f64"])[..., None])[..., 0]
        assert float((maps.amax(dim=2) - there).max()) <= 2 * tolerance


def assert_step_equals_golden(
    step: dict,
    loss: Tensor,
    grads: dict[str, Tensor],
    buffers: dict[str, Tensor],
) -> None:
    """Compare loss, gradients and running statistics with train_step.json (reference names).

    float64: 1e-9. float32: ten times the reference's own error, which is known at few places and
    may be small there by chance: so at least that which a quarter of the gradients exceed, and for
    statistics that of the worst one stored. The reference's memory layout is PyTorch's default;
    channels last, ours, takes batch statistics in single precision, up to 90 times as far off.
    """
    double = loss.dtype == DOUBLE
    exact, rough = step["float64"], step["float32"]
    error = 1e-9 if double else 10 * max(abs(rough["loss"] / exact["loss"] - 1), 1e-7)
    assert abs(loss.item() / exact["loss"] - 1) <= error
    scale = max(entry[0] for entry in exact["grads"].values())
    # Gradients of biases before a batch norm are zero up to rounding: hence the floor.
    floor = (1e-14 if double else 1e-8) * scale
    own = {
        name: np.abs(np.subtract(rough["grads"][name], entry)).max() / (entry[0] + floor)
        for name, entry in exact["grads"].items()
    }
    for name, entry in exact["grads"].items():
        grad = grads[name].flatten()
        actual = [float(grad.abs().sum()), float(grad[0]), float(grad[-1])]
        error = 1e-9 if double else 10 * max(own[name], np.quantile(list(own.values()), 0.75))
        assert np.abs(np.subtract(actual, entry)).max() <= error * (entry[0] + floor) + floor, name
    drift = {
        name: np.abs(np.divide(rough["running_after"][name], entry) - 1).max()
        for name, entry in exact["running_after"].items()
    }
    for name, entry in exact["running_after"].items():
        stem = name.removesuffix("running_mean")
        actual = [float(buffers[stem + s].abs().sum()) for s in ("running_mean", "running_var")]
        error = 1e-9 if double else 10 * max(drift.values())
        assert np.abs(np.divide(actual, entry) - 1).max() <= error, name


def step_buffers(step: dict) -> list[str]:
    """The reference's names of the running statistics that a train_step.json has."""
    stems = [name.removesuffix("running_mean") for name in step["float64"]["running_after"]]
    return [stem + leaf for stem in stems for leaf in ("running_mean", "running_var")]
