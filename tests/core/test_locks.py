"""Locks between processes: one writer at a time, and leftovers of killed writers."""

import errno
import os
import shutil
import signal
import subprocess
import sys
import time

import pytest

from tdmi.core.errors import UserError
from tdmi.core.locks import (
    WORKFLOW,
    exclusive_writer,
    read_owner,
    register_workflow,
    try_lock,
    write_owner,
)

HOLDER = """
import sys, time
from tdmi.core.locks import exclusive_writer
with exclusive_writer(sys.argv[1]):
    print("held", flush=True)
    time.sleep(float(sys.argv[2]))
    open(sys.argv[1], "a").write("first ")
"""


@pytest.fixture
def hold(tmp_path):
    """Start a process that holds the lock of ``out`` and then writes it; killed at the end."""
    started = []

    def start(seconds: float) -> subprocess.Popen:
        command = [sys.executable, "-c", HOLDER, str(tmp_path / "out"), str(seconds)]
        started.append(subprocess.Popen(command, stdout=subprocess.PIPE, text=True))
        assert started[-1].stdout.readline() == "held\n"
        return started[-1]

    yield start
    for process in started:
        process.kill()
        process.wait()
        process.stdout.close()


def test_second_writer_waits_and_says_so_once(hold, tmp_path, caplog):
    hold(0.5)
    with exclusive_writer(tmp_path / "out"), open(tmp_path / "out", "a") as file:
        file.write("second")
    assert (tmp_path / "out").read_text() == "first second"
    expected = f"{tmp_path / 'out'}: another process is writing it; waiting for its end"
    assert caplog.messages == [expected]


def test_lock_ends_with_a_killed_process(hold, tmp_path, caplog):
    holder = hold(600)
    holder.send_signal(signal.SIGKILL)
    holder.wait()
    begin = time.monotonic()
    with exclusive_writer(tmp_path / "out"):
        pass
    assert time.monotonic() - begin < 60
    assert caplog.messages == []


WAITER = """
import sys
from tdmi.core.locks import exclusive_writer
with exclusive_writer(sys.argv[1]):
    open(sys.argv[1], "a").write(sys.argv[2])
"""


def test_of_two_waiting_jobs_the_one_of_the_last_workflow_writes(hold, tmp_path, monkeypatch):
    """Two workflows were killed one after the other. The job of the second one still waits for that
    of the first when the job of the third one waits. If it had its turn last, it would change the
    files that the third workflow reads by then."""
    hold(3)
    running = tmp_path / "running.lock"
    monkeypatch.setenv(WORKFLOW, "")
    waiting = []
    for name in ("second ", "third "):
        lock = try_lock(running)
        register_workflow(lock)
        lock.release()
        command = [sys.executable, "-c", WAITER, str(tmp_path / "out"), name]
        waiting.append(subprocess.Popen(command, stderr=subprocess.PIPE, text=True))
    said = [process.communicate()[1] for process in waiting]
    assert [process.returncode for process in waiting] == [1, 0]
    assert "not written: the workflow that this job belongs to has ended" in said[0]
    assert (tmp_path / "out").read_text() == "first third "


def test_job_goes_on_as_long_as_no_other_workflow_was_started(tmp_path, monkeypatch):
    running, out = tmp_path / "workflow" / "running.lock", tmp_path / "out"
    monkeypatch.setenv(WORKFLOW, "")
    lock = try_lock(running)
    register_workflow(lock)
    with exclusive_writer(out):
        pass
    lock.release()
    with exclusive_writer(out):  # the workflow has ended
        pass
    write_owner(try_lock(running))
    with (
        pytest.raises(UserError, match=f"^{out}: not written: the workflow"),
        exclusive_writer(out),
    ):
        raise AssertionError("entered")
    shutil.rmtree(running.parent)
    with exclusive_writer(out):  # the refused writer holds nothing
        pass


def test_files_beside_one_another_do_not_wait(hold, tmp_path, caplog):
    hold(600)
    with exclusive_writer(tmp_path / "out2"):
        pass
    assert caplog.messages == []


def test_other_processes_of_the_same_run_do_not_wait_for_the_first(
    hold, tmp_path, monkeypatch, caplog
):
    hold(600)
    monkeypatch.setenv("LOCAL_RANK", "1")
    begin = time.monotonic()
    with exclusive_writer(tmp_path / "out"):
        pass
    assert time.monotonic() - begin < 60
    assert caplog.messages == []


def test_what_killed_writers_left_is_removed_and_nothing_else(tmp_path):
    left = [".metrics.7.part.json", ".metrics.provenance.7.part.json", ".metrics.json.8.former"]
    kept = [".metric.7.part.json", ".metrics2.7.part.json", ".metrics.part.json", "metrics.7.json"]
    for name in left + kept:
        (tmp_path / name).touch()
    with exclusive_writer(tmp_path / "metrics.json"):
        pass
    assert {p.name for p in tmp_path.iterdir()} == {*kept, ".metrics.json.lock"}


def test_left_folders_and_what_is_left_in_the_folder_itself_are_removed(tmp_path):
    (tmp_path / ".run.7.part" / "deep").mkdir(parents=True)
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / ".resume.7.part.pt").touch()
    (tmp_path / "run" / "resume.pt").touch()
    with exclusive_writer(tmp_path / "run"):
        pass
    assert {p.name for p in tmp_path.iterdir()} == {"run", ".run.lock"}
    assert [p.name for p in (tmp_path / "run").iterdir()] == ["resume.pt"]


def test_lock_names_its_owner_and_is_free_when_released(tmp_path):
    path = tmp_path / "folder" / "lock"
    held = try_lock(path)
    assert try_lock(path) is None
    assert read_owner(path) is None
    write_owner(held)
    assert read_owner(path).startswith(f"process {os.getpid()} on ")
    held.release()
    assert try_lock(path) is not None


FORKER = """
import os, sys, time
from tdmi.core.locks import exclusive_writer
with exclusive_writer(sys.argv[1]):
    if not os.fork():
        time.sleep(600)
        os._exit(0)
print("released", flush=True)
time.sleep(600)
"""


def test_forked_worker_does_not_keep_the_lock(tmp_path):
    """Loading workers may live a little longer than the writer that started them."""
    command = [sys.executable, "-c", FORKER, str(tmp_path / "out")]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, start_new_session=True)
    try:
        assert process.stdout.readline() == "released\n"
        lock = try_lock(tmp_path / ".out.lock")
        assert lock is not None
        lock.release()
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        process.stdout.close()


@pytest.mark.parametrize("code", [errno.ENOSYS, errno.ENOLCK])
def test_file_system_without_locks_counts_as_free(tmp_path, monkeypatch, code):
    def no_locks(*_):
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr("fcntl.flock", no_locks)
    with exclusive_writer(tmp_path / "out"), exclusive_writer(tmp_path / "out"):
        pass
    assert (tmp_path / ".out.lock").stat().st_size == 0


def test_folder_that_may_not_be_written_is_an_error_and_not_a_free_lock(tmp_path, monkeypatch):
    def refuse(*_, **__):
        raise PermissionError(errno.EACCES, "Permission denied", "x")

    monkeypatch.setattr("os.open", refuse)
    with pytest.raises(PermissionError):
        try_lock(tmp_path / "lock")
