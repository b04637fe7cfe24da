"""GPUs shared out among processes; the devices are made up, the locks are real."""

import os
import subprocess
import sys
import time

import pytest

from tdmi.core import devices
from tdmi.core.errors import UserError
from tdmi.core.locks import read_owner, try_lock, write_owner

JOB = (
    "import os, sys, time; from tdmi.core.devices import claim; claim(int(sys.argv[1]));"
    "print(os.environ.get('CUDA_VISIBLE_DEVICES'), os.environ.get('TDMI_DEVICES'), flush=True);"
    "time.sleep(600)"
)


@pytest.fixture
def start(tmp_path):
    """Start a process that claims devices; its first line says which."""
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


def test_each_job_has_a_device_of_its_own_and_a_killed_one_frees_it(start):
    first, second = start(), start()
    # What is started below a job takes nothing more.
    claimed = {job: job.stdout.readline().split() for job in (first, second)}
    assert sorted(claimed.values()) == [["3", "None"], ["5", "None"]]
    third = start()
    assert "waiting for 1 of the GPUs 3, 5" in third.stderr.readline()
    first.kill()
    assert third.stdout.readline().split()[0] == claimed[first][0]


def test_job_of_two_devices_waits_until_both_are_free(start):
    one = start()
    one.stdout.readline()
    both = start(2)
    both.stderr.readline()
    # It holds none of them while it waits.
    other = start()
    assert other.stdout.readline().startswith("5")
    one.kill()
    other.kill()
    assert both.stdout.readline().startswith("3,5")


def test_more_devices_than_there_are_is_refused(monkeypatch):
    monkeypatch.setenv("TDMI_DEVICES", "0")
    with pytest.raises(UserError, match=r"recipe\.devices: found 2, expected at most 1"):
        devices.claim(2)


def test_without_a_pool_nothing_is_taken(monkeypatch):
    monkeypatch.delenv("TDMI_DEVICES", raising=False)
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "4")
    devices.claim()
    assert os.environ["CUDA_VISIBLE_DEVICES"] == "4"


@pytest.mark.parametrize(("shown", "found"), [("2, 0", ["2", "0"]), ("", []), ("-1", [])])
def test_visible_devices_are_those_that_the_surroundings_show(monkeypatch, shown, found):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", shown)
    assert devices.visible_devices() == found


def test_machine_without_driver_has_no_devices(monkeypatch, tmp_path):
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert devices.visible_devices() == []


def test_lock_names_its_holder_and_is_free_when_closed(tmp_path):
    path = tmp_path / "folder" / "lock"
    held = try_lock(path)
    assert try_lock(path) is None
    write_owner(held)
    assert read_owner(path).startswith(f"process {os.getpid()} on ")
    held.close()
    begin = time.monotonic()
    assert try_lock(path) is not None and time.monotonic() - begin < 60
