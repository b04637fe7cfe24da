"""Weights that are not finite are refused where they are read, with the first tensor's name."""

from __future__ import annotations

import pytest
import torch

from tdmi.checkpoints.own import load_checkpoint
from tdmi.checkpoints.reading import read_published
from tdmi.cli.main import main
from tdmi.core.errors import UserError
from tdmi.training.faults import remedy

BAD = [float("nan"), float("inf"), -float("inf")]


def weights(value):
    state = {"a.weight": torch.ones(2, 3), "b.weight": torch.ones(4), "c": torch.ones(2).half()}
    state["steps"] = torch.tensor(3)
    state["b.weight"][1] = value
    state["c"][0] = value
    return state


@pytest.mark.parametrize("value", BAD)
@pytest.mark.parametrize(
    "container", [lambda s: s, lambda s: {"state_dict": s}, lambda s: {"model": s, "format": 1}]
)
def test_published_weights_are_refused_by_the_first_tensor(tmp_path, value, container):
    torch.save(container(weights(value)), tmp_path / "w.pth")
    with pytest.raises(UserError, match=r"w\.pth: b\.weight holds 1 of 4 values that are NaN or"):
        read_published(tmp_path / "w.pth")
    torch.save(container(weights(1.0)), tmp_path / "w.pth")
    assert len(read_published(tmp_path / "w.pth")) == 4


def test_report_on_weights_ends_with_the_line(tmp_path, capsys):
    torch.save(weights(float("nan")), tmp_path / "w.pth")
    assert main(["data", "weights", str(tmp_path / "w.pth")]) == 2
    assert "w.pth: b.weight holds 1 of 4" in capsys.readouterr().err


@pytest.mark.parametrize("value", BAD)
def test_checkpoints_of_runs_are_refused(tmp_path, value):
    torch.save({"format": 1, "model": weights(value)}, tmp_path / "checkpoint.pt")
    with pytest.raises(UserError, match=r"checkpoint\.pt: b\.weight holds 1 of 4"):
        load_checkpoint(tmp_path / "checkpoint.pt")


def test_a_loss_that_is_nan_before_the_first_step_does_not_blame_the_recipe():
    assert "initial weights" in remedy("loss", 0)
    assert "learning_rate" not in remedy("loss", 0)
    for fault, step in (("loss", 1), ("gradient_norm", 0)):
        assert "learning_rate" in remedy(fault, step)
