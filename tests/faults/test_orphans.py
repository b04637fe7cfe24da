"""A job that outlives its killed workflow beside the same job of the next workflow."""

import subprocess
import sys
import time
from pathlib import Path

import pytest

from tdmi.experiments.verify import verify
from tests.support import tiny_dataset
from tests.support.paths import ROOT

RUN = "tiny/single_frame/seed3"
TRAIN = f"""
import pathlib, sys, time
sys.path.insert(0, {str(ROOT)!r})
import torch
from tests.support import tiny_dataset
from tdmi.training.loop import Loop
torch.set_num_threads(1)
folder, rate, go = pathlib.Path(sys.argv[1]), float(sys.argv[2]), pathlib.Path(sys.argv[3])
update = Loop.update
def paused(loop, parts):
    if loop.step == 4:
        print("in the middle", flush=True)
        while not go.exists():
            time.sleep(0.05)
    return update(loop, parts)
Loop.update = paused
settings = tiny_dataset.settings(folder / "data", learning_rate=rate)
tiny_dataset.train(settings, folder / "runs", {RUN!r}, restart=True)
"""


@pytest.fixture
def train(tmp_path):
    started = []

    def start(rate: float, go: Path, **pipes) -> subprocess.Popen:
        command = [sys.executable, "-c", TRAIN, *map(str, (tmp_path, rate, go))]
        started.append(subprocess.Popen(command, text=True, **pipes))
        return started[-1]

    yield start
    for process in started:
        process.kill()
        process.wait()


def test_orphan_with_older_settings_does_not_overwrite_the_run(train, tmp_path):
    """The orphan, in the middle of its training, continues while the new job waits."""
    tiny_dataset.write(tmp_path / "data")
    orphan = train(0.001, tmp_path / "go", stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    assert orphan.stdout.readline() == "in the middle\n"
    new = train(0.003, tmp_path, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    for line in new.stderr:
        if "another process is writing it; waiting for its end" in line:
            break
    time.sleep(0.5)
    assert new.poll() is None
    (tmp_path / "go").touch()
    assert orphan.wait() == 0
    assert new.communicate() and new.returncode == 0
    tiny_dataset.train(
        tiny_dataset.settings(tmp_path / "data", learning_rate=0.003), tmp_path / "alone", RUN
    )
    run, alone = tmp_path / "runs" / RUN, tmp_path / "alone" / RUN
    for file in ("checkpoint.pt", "history.csv", "config.yaml"):
        assert (run / file).read_bytes() == (alone / file).read_bytes()
    verify(run)
