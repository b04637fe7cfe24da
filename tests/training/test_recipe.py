"""Ways to compute the same training: parts of a batch, processes, precisions, orders; histories."""

import builtins
import os
import signal
import subprocess
import sys
from contextlib import suppress

import pandas as pd
import pytest
import torch

from tdmi.checkpoints.own import load_checkpoint
from tdmi.core.errors import UserError
from tests.support import tiny_dataset
from tests.support.paths import ROOT

RUN = "tiny/single_frame/seed3"


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    root = tmp_path_factory.mktemp("dots")
    tiny_dataset.write(root)
    return root


def frozen_norms(root, **recipe):
    """Settings in which a window's gradient does not depend on the others beside it."""
    settings = tiny_dataset.settings(root, **recipe)
    settings["method"]["options"] = {"backbone_norm": "frozen"}
    del settings["recipe"]["validate_every"]
    return settings


def trained(settings, runs):
    tiny_dataset.train(settings, runs, RUN)
    return load_checkpoint(runs / RUN / "checkpoint.pt")


@pytest.fixture(scope="module")
def whole(root, tmp_path_factory):
    runs = tmp_path_factory.mktemp("whole")
    return trained(frozen_norms(root), runs), pd.read_csv(runs / RUN / "history.csv")


def assert_same(one, other):
    """Up to the order of summation, which eight steps of Adam enlarge."""
    for name, value in one.items():
        torch.testing.assert_close(other[name], value, atol=1e-4, rtol=1e-3)


@pytest.mark.parametrize("accumulate", [2, 4])
def test_a_batch_in_parts_learns_the_same(root, whole, tmp_path, accumulate):
    assert_same(whole[0], trained(frozen_norms(root, accumulate=accumulate), tmp_path))
    history = pd.read_csv(tmp_path / RUN / "history.csv")
    for column in ("loss", "gradient_norm_backbone", "train_pck", "heatmap_peak"):
        assert history[column].to_numpy() == pytest.approx(whole[1][column].to_numpy(), rel=1e-3)


def test_two_processes_share_a_batch_in_parts_and_learn_the_same(root, whole, tmp_path):
    """Gradients are averaged over processes, so that only the order of summation differs."""
    script = tmp_path / "train.py"
    script.write_text(
        "import sys, pathlib, torch\n"
        f"sys.path.insert(0, {str(ROOT)!r})\n"
        "from tests.training.test_recipe import frozen_norms, trained\n"
        "torch.set_num_threads(1)\n"
        f"settings = frozen_norms(pathlib.Path({str(root)!r}), devices=2, accumulate=2)\n"
        "trained(settings, pathlib.Path(sys.argv[1]))\n"
    )
    done = subprocess.run([sys.executable, script, tmp_path], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-3000:]
    assert_same(whole[0], load_checkpoint(tmp_path / RUN / "checkpoint.pt"))


def test_workers_load_after_opencv_and_torch_have_used_threads(root, tmp_path):
    """Forked after that, a worker that asks OpenCV for anything about threads waits forever."""
    script = tmp_path / "train.py"
    script.write_text(
        "import sys, pathlib, cv2, numpy, torch\n"
        f"sys.path.insert(0, {str(ROOT)!r})\n"
        "from tests.support import tiny_dataset\n"
        "from tdmi.core.process import use_threads\n"
        "use_threads(2)\n"
        "torch.nn.Conv2d(3, 8, 3)(torch.randn(8, 3, 200, 200)).sum().backward()\n"
        "cv2.warpAffine(numpy.zeros((720, 1280, 3), numpy.uint8), numpy.eye(2, 3), (1280, 720))\n"
        f"settings = tiny_dataset.settings(pathlib.Path({str(root)!r}), workers=2, steps=2)\n"
        f"tiny_dataset.train(settings, pathlib.Path(sys.argv[1]), {RUN!r})\n"
    )
    process = subprocess.Popen(
        [sys.executable, script, tmp_path], stderr=subprocess.DEVNULL, start_new_session=True
    )
    try:
        assert process.wait(120) == 0
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)


def test_a_batch_that_cannot_be_shared_is_named(root, tmp_path):
    settings = tiny_dataset.settings(root, accumulate=3)
    with pytest.raises(UserError, match=r"batch_size is 4, expected a multiple of 3"):
        tiny_dataset.train(settings, tmp_path, RUN)


def test_mixed_precision_learns_nearly_the_same(root, whole, tmp_path):
    """In bfloat16: without a GPU, Fabric takes float16 to be bfloat16."""
    settings = frozen_norms(root, precision="bf16-mixed", accumulate=2)
    state = trained(settings, tmp_path)
    assert all(value.isfinite().all() for value in state.values())
    assert all(value.dtype == whole[0][name].dtype for name, value in state.items())
    history = pd.read_csv(tmp_path / RUN / "history.csv")
    for column in ("loss", "gradient_norm_backbone"):
        assert history[column].to_numpy() == pytest.approx(whole[1][column].to_numpy(), rel=0.1)


def test_clip_order_trains_the_same_with_any_number_of_workers(root, whole, tmp_path):
    states = [
        trained(frozen_norms(root, order="clips", lanes=2, workers=n), tmp_path / str(n))
        for n in (0, 2)
    ]
    for name, value in states[0].items():
        assert torch.equal(value, states[1][name])
    assert any(not torch.equal(value, whole[0][name]) for name, value in states[0].items())


def test_history_for_tensorboard_holds_the_rows(root, tmp_path):
    accumulator = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")
    tiny_dataset.train(tiny_dataset.settings(root, tensorboard=True), tmp_path, RUN)
    events = accumulator.EventAccumulator(str(tmp_path / RUN / "tensorboard")).Reload()
    history = pd.read_csv(tmp_path / RUN / "history.csv")
    loss = events.Scalars("loss")
    assert [event.step for event in loss] == history["step"].tolist()
    assert [event.value for event in loss] == pytest.approx(history["loss"].tolist(), rel=1e-6)
    assert len(events.Scalars("val_ap")) == 2


def test_missing_tensorboard_is_named(root, tmp_path, monkeypatch):
    imported = builtins.__import__

    def without(name, *args, **kwargs):
        if name == "torch.utils.tensorboard":
            raise ImportError(name)
        return imported(name, *args, **kwargs)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(UserError, match=r"tensorboard is not installed.*tdmi-bench\[tensorboard\]"):
        tiny_dataset.train(tiny_dataset.settings(root, tensorboard=True), tmp_path, RUN)
