"""One writer at a time: the lock, what killed writers leave, a full disk."""

import errno
import os
import signal
import subprocess
import sys
import time

import pytest

from tdmi.cli.main import main
from tdmi.core.errors import UserError
from tdmi.core.files import replacing, write_json, write_text
from tdmi.core.locks import WORKFLOW, exclusive_writer, register_workflow, try_lock, write_owner

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


def test_second_writer_waits_and_says_so_once(hold, tmp_path, capsys):
    hold(0.5)
    with exclusive_writer(tmp_path / "out"), open(tmp_path / "out", "a") as file:
        file.write("second")
    assert (tmp_path / "out").read_text() == "first second"
    (line,) = capsys.readouterr().err.splitlines()
    assert line == f"{tmp_path / 'out'}: another process is writing it; waiting for its end"


def test_lock_ends_with_a_killed_process(hold, tmp_path, capsys):
    holder = hold(600)
    holder.send_signal(signal.SIGKILL)
    holder.wait()
    begin = time.monotonic()
    with exclusive_writer(tmp_path / "out"):
        pass
    assert time.monotonic() - begin < 60
    assert capsys.readouterr().err == ""


WAITER = """
import sys
from tdmi.core.locks import exclusive_writer
with exclusive_writer(sys.argv[1]):
    open(sys.argv[1], "a").write(sys.argv[2])
"""


def test_of_two_waiting_jobs_the_one_of_the_last_workflow_writes(hold, tmp_path, monkeypatch):
    """Two workflows were killed one after the other; the job of the second still waits for that of
    the first when the third one's does. If it had its turn at last, it would change the files that
    the third is reading by then."""
    hold(3)
    running = tmp_path / "running.lock"
    monkeypatch.setenv(WORKFLOW, "")
    waiting = []
    for name in ("second ", "third "):
        with try_lock(running) as lock:
            register_workflow(lock)
        command = [sys.executable, "-c", WAITER, str(tmp_path / "out"), name]
        waiting.append(subprocess.Popen(command, stderr=subprocess.PIPE, text=True))
    said = [process.communicate()[1] for process in waiting]
    assert [process.returncode for process in waiting] == [1, 0]
    assert "not written, for the workflow that this job belongs to has ended" in said[0]
    assert (tmp_path / "out").read_text() == "first third "


def test_job_goes_on_as_long_as_no_other_workflow_was_started(tmp_path, monkeypatch):
    running, out = tmp_path / "running.lock", tmp_path / "out"
    monkeypatch.setenv(WORKFLOW, "")
    with try_lock(running) as lock:
        register_workflow(lock)
        with exclusive_writer(out):
            pass
    with exclusive_writer(out):  # the workflow has ended
        pass
    with try_lock(running) as lock:
        write_owner(lock)
        with (
            pytest.raises(UserError, match=f"^{out}: not written, for the workflow"),
            exclusive_writer(out),
        ):
            raise AssertionError("entered")
    running.unlink()
    with exclusive_writer(out):  # and the refused one holds nothing
        pass


def test_files_beside_one_another_do_not_wait(hold, tmp_path, capsys):
    hold(600)
    with exclusive_writer(tmp_path / "out2"):
        pass
    assert capsys.readouterr().err == ""


def test_other_processes_of_the_same_run_do_not_wait_for_the_first(
    hold, tmp_path, monkeypatch, capsys
):
    hold(600)
    monkeypatch.setenv("LOCAL_RANK", "1")
    begin = time.monotonic()
    with exclusive_writer(tmp_path / "out"):
        pass
    assert time.monotonic() - begin < 60
    assert capsys.readouterr().err == ""


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


def full(*_, **__):
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def test_full_disk_is_one_line_and_the_former_file_stays(tmp_path, monkeypatch):
    path = tmp_path / "metrics.json"
    write_json(path, {"ap": 1})
    monkeypatch.setattr("pathlib.Path.write_text", full)
    message = rf"{path}: No space left on device; free some room there and run the same command"
    with pytest.raises(UserError, match=message):
        write_text(path, "new")
    assert path.read_text() == '{\n  "ap": 1\n}\n'
    assert [p.name for p in tmp_path.iterdir()] == ["metrics.json"]


def test_other_errors_of_the_system_pass_through_writing(tmp_path):
    with pytest.raises(PermissionError), replacing(tmp_path / "x"):
        raise PermissionError(errno.EACCES, "Permission denied")


@pytest.mark.parametrize(
    ("error", "line"),
    [
        (OSError(errno.ENOSPC, "No space left on device"), "No space left on device"),
        (PermissionError(errno.EACCES, "Permission denied", "a.jpg"), "a.jpg: Permission denied"),
    ],
)
def test_what_the_system_refuses_is_one_line_of_the_command(monkeypatch, capsys, error, line):
    def refused(*_):
        raise error

    monkeypatch.setattr("tdmi.cli.verify.run", refused)
    assert main(["verify", "runs/x"]) == 2
    expected = f"tdmi verify: {line}; mend that and run the same command again\n"
    assert capsys.readouterr().err == expected
