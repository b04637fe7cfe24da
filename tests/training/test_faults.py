import math

import pandas as pd
import pytest
import torch

from tdmi.core.errors import UserError
from tdmi.core.process import out_of_memory
from tdmi.training.faults import collapsed, not_finite, smaller_batch
from tdmi.training.loop import Loop
from tests.support import tiny_dataset

RUN = "tiny/single_frame/seed3"


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    root = tmp_path_factory.mktemp("dots")
    tiny_dataset.write(root)
    return root


def allocate_too_much(*_, **__):
    return torch.empty(2**60, dtype=torch.uint8)


def test_processor_memory_that_runs_out_is_recognised():
    with pytest.raises(RuntimeError) as error:
        allocate_too_much()
    assert out_of_memory(error.value)
    assert out_of_memory(torch.OutOfMemoryError("CUDA out of memory"))
    assert not out_of_memory(RuntimeError("mat1 and mat2 shapes cannot be multiplied"))


def test_out_of_memory_names_the_batch_to_try(root, tmp_path, monkeypatch):
    monkeypatch.setattr(Loop, "backward", allocate_too_much)
    message = r"with 4 windows at a time; set accumulate: 2 in the recipe, which takes 2 at a time"
    with pytest.raises(UserError, match=message):
        tiny_dataset.train(tiny_dataset.settings(root), tmp_path, RUN)


@pytest.mark.parametrize(
    ("windows", "parts", "advice"),
    [
        (12, 2, "set accumulate: 4 in the recipe, which takes 6 at a time"),
        (9, 1, "set accumulate: 3 in the recipe, which takes 3 at a time"),
        (7, 1, "set accumulate: 7 in the recipe, which takes 1 at a time"),
        (1, 24, "smaller crop or backbone"),
    ],
)
def test_smaller_batches_divide_the_batch(tmp_path, windows, parts, advice):
    assert advice in str(smaller_batch(tmp_path, torch.device("cpu"), windows, parts))


def test_gradient_that_is_not_finite_stops_before_it_reaches_the_weights(
    root, tmp_path, monkeypatch
):
    def infinite(method):
        return {"gradient_norm_backbone": math.inf}

    monkeypatch.setattr("tdmi.training.loop.gradient_norms", infinite)
    with pytest.raises(UserError, match=r"gradient_norm_backbone is inf at step 0"):
        tiny_dataset.train(tiny_dataset.settings(root), tmp_path, RUN)
    kept = torch.load(tmp_path / RUN / "nan_batch.pt", weights_only=True)
    assert all(value.isfinite().all() for value in kept["model"].values())


def test_first_value_that_is_not_finite_is_found():
    assert not_finite({"loss": 1.0, "heatmap_peak": math.nan}) is None
    assert not_finite({"loss": 1.0, "gradient_norm_new": math.inf}) == "gradient_norm_new"


@pytest.mark.parametrize(
    ("peaks", "expected"),
    [
        ([0.001, 0.002], False),  # nothing learnt yet
        ([0.5, 0.8, 0.7], False),
        ([0.5, 0.8, 0.07], True),
        ([0.5, 0.8, 0.07, 0.06], False),  # said before
        ([0.5, math.nan, 0.04], True),
        ([math.nan], False),
    ],
)
def test_collapse_is_noticed_once(peaks, expected):
    assert collapsed([{"heatmap_peak": peak} for peak in peaks]) is expected


def test_collapse_is_told_and_its_batch_kept(root, tmp_path, monkeypatch, capsys):
    backward = Loop.backward

    def fading(loop, batch, share):
        return backward(loop, batch, share) | {"heatmap_peak": 0.9 if loop.step < 4 else 0.01}

    monkeypatch.setattr(Loop, "backward", fading)
    tiny_dataset.train(tiny_dataset.settings(root), tmp_path, RUN)
    told = capsys.readouterr().err
    assert told.count("may have collapsed") == 1
    assert "fell to 0.01 by step 6" in told
    assert torch.load(tmp_path / RUN / "collapse_batch.pt", weights_only=True)["step"] == 6
    assert len(pd.read_csv(tmp_path / RUN / "history.csv")) == 4
