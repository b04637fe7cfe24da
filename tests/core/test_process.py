"""The process on its machine; its GPUs are made up, the locks are real."""

import os
import subprocess
import sys

import pytest

from tdmi.core import process
from tdmi.core.errors import UserError

JOB = (
    "import os, sys, time; from tdmi.core.process import claim_gpus; claim_gpus(int(sys.argv[1]));"
    "print(os.environ.get('CUDA_VISIBLE_DEVICES'), os.environ.get('TDMI_DEVICES'), flush=True);"
    "time.sleep(600)"
)


@pytest.fixture
def start(tmp_path):
    """Start a process that claims GPUs; its first line says which."""
    jobs = []

    def started(count: int = 1, pool: str = "3,5") -> subprocess.Popen:
        job = subprocess.Popen(
            [sys.executable, "-c", JOB, str(count)],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=os.environ | {"TDMI_DEVICES": pool, "TMPDIR": str(tmp_path)},
        )
        jobs.append(job)
        return job

    yield started
    for job in jobs:
        job.kill()
        job.communicate()


def test_each_job_has_its_own_gpu_and_a_killed_job_frees_it(start):
    first, second = start(), start()
    # A job hides the pool from the processes that it starts.
    claimed = {job: job.stdout.readline().split() for job in (first, second)}
    assert sorted(claimed.values()) == [["3", "None"], ["5", "None"]]
    third = start()
    assert "waiting for 1 of the GPUs 3, 5" in third.stderr.readline()
    first.kill()
    assert third.stdout.readline().split()[0] == claimed[first][0]


def test_job_of_two_gpus_waits_until_both_are_free(start):
    one = start()
    one.stdout.readline()
    both = start(2)
    both.stderr.readline()
    # It holds no GPU while it waits.
    other = start()
    assert other.stdout.readline().startswith("5")
    one.kill()
    other.kill()
    assert both.stdout.readline().startswith("3,5")


def test_more_gpus_than_the_machine_has_is_an_error(monkeypatch):
    monkeypatch.setenv("TDMI_DEVICES", "0")
    with pytest.raises(UserError, match=r"recipe\.devices: found 2, expected at most 1"):
        process.claim_gpus(2)


def test_without_a_pool_nothing_is_claimed(monkeypatch):
    monkeypatch.delenv("TDMI_DEVICES", raising=False)
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "4")
    process.claim_gpus()
    assert os.environ["CUDA_VISIBLE_DEVICES"] == "4"


@pytest.mark.parametrize(("shown", "found"), [("2, 0", ["2", "0"]), ("", []), ("-1", [])])
def test_visible_gpus_are_those_of_the_environment(monkeypatch, shown, found):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", shown)
    assert process.visible_gpus() == found


def test_machine_without_driver_has_no_gpus(monkeypatch, tmp_path):
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert process.visible_gpus() == []


def test_process_claims_its_gpus_before_torch_is_imported(tmp_path):
    check = (
        "import sys; from tdmi.core import process; claim = process.claim_gpus;"
        "process.claim_gpus = lambda n: (print(n, 'torch' in sys.modules), claim(n));"
        "process.prepare_process(3, 2);"
        "import os, torch, cv2;"
        "print(os.environ['CUDA_VISIBLE_DEVICES'], torch.get_num_threads(), cv2.getNumThreads())"
    )
    done = subprocess.run(
        [sys.executable, "-c", check],
        env=os.environ | {"TDMI_DEVICES": "3,5", "TMPDIR": str(tmp_path)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.splitlines() == ["2 False", "3,5 3 3"]
