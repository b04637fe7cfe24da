"""Every trainable weight of every method of the workflow learns, on one process and on two."""

import json
import subprocess
import sys

import pytest
import torch

from tdmi.core.errors import UserError
from tests.support.methods import (
    METHODS,
    build,
    clip,
    every_case,
    move_weights,
    target,
    total,
    without_gradient,
)
from tests.support.paths import ROOT

CASES = every_case()
SIZE = (32, 32)


def test_every_method_file_is_among_the_cases():
    found = {(case.cls, case.resnet) for case in CASES.values()}
    assert {(case.cls, case.resnet) for case in METHODS.values()} == found
    for word in ("published", "shared", "paper", "single_frame", "estimator", "gate", "stages"):
        assert any(word in name.split() for name in CASES), word


@pytest.mark.parametrize("name", CASES)
def test_gradients_reach_every_trainable_parameter(name):
    """In evaluation mode, because batch statistics cancel biases before a norm. A narrow layer may
    be dead for some weights (ReLU): gradients are gathered over several."""
    method = CASES[name].build().eval()
    fresh = {key: value.clone() for key, value in method.state_dict().items()}
    for seed in range(8):
        torch.manual_seed(seed)
        method.load_state_dict(fresh)
        move_weights(method, 0.1)
        total(method, *clip(method, 3, seed=seed, size=SIZE), target(3, size=SIZE)).backward()
        if not without_gradient(method):
            break
    assert without_gradient(method) == []


@pytest.fixture(scope="module")
def trained_by_two(tmp_path_factory):
    """Case -> largest difference to one process, or the error. One pair of processes for all."""
    folder = tmp_path_factory.mktemp("two")
    script = ROOT / "tests" / "support" / "two_processes.py"
    done = subprocess.run([sys.executable, script, folder], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-3000:]
    ranks = [json.loads((folder / f"rank{rank}.json").read_text()) for rank in (0, 1)]
    return ranks[0] | ranks[1]


@pytest.mark.parametrize("name", CASES)
def test_two_processes_learn_the_same_as_one(trained_by_two, name):
    found = trained_by_two[name]
    assert not isinstance(found, str), found
    assert found <= 1e-6


@pytest.mark.parametrize("name", ["fami_pose", "tdmi"])
def test_turns_of_learned_bounds_need_one_process(name, monkeypatch):
    """The side whose turn it is not has no gradient."""
    options = {"mutual_information": {"estimator": "vclub", "updates": "alternating"}}
    method = build(name, **options)
    for _ in range(2):  # the networks', then the features'
        total(method, *clip(method, 4), target(4)).backward()
    assert not [n for n in without_gradient(method) if n.startswith("mutual_information")]
    monkeypatch.setattr(torch.distributed, "is_initialized", lambda: True)
    monkeypatch.setattr(torch.distributed, "get_world_size", lambda: 2)
    with pytest.raises(UserError, match="found alternating on 2 processes, expected joint"):
        build(name, **options)
