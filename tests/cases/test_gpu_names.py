"""CUDA_VISIBLE_DEVICES as CUDA reads it, and whatever nvidia-smi answers."""

from __future__ import annotations

import pytest
import torch

from tdmi.core.process import claim_gpus, visible_gpus

FORMS = {
    "NoDevFiles": [], "0,-1,1": ["0"], "none": [], "": [], "-1": [], " ": [], "void": [], "all": [],
    "0, 1": ["0", "1"], " 2 ,0": ["2", "0"], "0,,1": ["0"], "0,1,": ["0", "1"], "0,1,0": [],
    "0,x,1": ["0"], "+1": ["1"], "1gpu2,2ampere": ["1", "2"], "00": ["0"], "0,00": [],
    "GPU-1a,GPU-2b": ["GPU-1a", "GPU-2b"], "GPU-1a,0": ["GPU-1a"], "0,GPU-1a": ["0"],
    "MIG-1a/0/1": ["MIG-1a/0/1"], "GPU-1a,GPU-1a": [], "GPU-1a,MIG-2": ["GPU-1a"],
}  # fmt: skip


def machine(tmp_path, monkeypatch, answer, status=0):
    """An nvidia-smi that answers this; without an answer there is none."""
    if answer is not None:
        script = tmp_path / "nvidia-smi"
        script.write_text(f"#!/bin/sh\nprintf '{answer}'\nexit {status}\n")
        script.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))


@pytest.mark.parametrize("value", FORMS)
def test_value_is_read_like_cuda_and_torch(tmp_path, monkeypatch, value):
    machine(tmp_path, monkeypatch, None)
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", value)
    assert visible_gpus() == FORMS[value]
    assert [str(name) for name in torch.cuda._parse_visible_devices()] == FORMS[value]


def test_list_ends_before_an_index_that_the_machine_lacks(tmp_path, monkeypatch):
    machine(tmp_path, monkeypatch, r"0\n1\n")
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "1,2,0")
    assert visible_gpus() == ["1"]
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "GPU-1a")
    assert visible_gpus() == ["GPU-1a"]
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES")
    assert visible_gpus() == ["0", "1"]


@pytest.mark.parametrize(
    ("answer", "status"),
    [("No devices were found\\n", 0), ("No devices were found\\n", 6), ("", 0), ("failed\\n", 9)],
)
def test_answers_of_nvidia_smi_that_are_no_indices_are_no_gpus(
    tmp_path, monkeypatch, answer, status
):
    machine(tmp_path, monkeypatch, answer, status)
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    assert visible_gpus() == []


def test_a_pool_without_gpus_claims_nothing(monkeypatch):
    monkeypatch.setenv("TDMI_DEVICES", "NoDevFiles")
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    claim_gpus(1)
    assert visible_gpus() == []
