"""Locks that die with their process, so that nobody ever has to remove one."""

from __future__ import annotations

import fcntl
import os
import re
import shutil
import socket
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import TextIO

from tdmi.core.errors import UserError
from tdmi.core.files import disk_full_as_user_error, remove_leftovers

WORKFLOW = "TDMI_WORKFLOW"
"""Environment variable of a workflow's jobs: who the workflow is, and where that is signed."""


def try_lock(path: Path) -> TextIO | None:
    """Lock `path` for as long as the returned file is open in a process; None if another has it.

    The file stays, empty, when the lock is gone. On a file system that knows no locks every lock is
    free.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    file = path.open("a+", encoding="utf-8")
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        file.close()
        return None
    except OSError:
        pass
    return file


def write_owner(lock: TextIO) -> str:
    """Write into a lock's file who holds it, for `holder`; returns it."""
    now = datetime.now().isoformat(sep=" ", timespec="milliseconds")
    name = f"process {os.getpid()} on {socket.gethostname()} since {now}"
    lock.truncate(0)
    lock.write(name)
    lock.flush()
    os.fsync(lock.fileno())  # to be read on other machines at once
    return name


def read_owner(path: Path) -> str:
    """Who holds a lock or held it last, if it is signed: ``process 123 on host since ...``."""
    return path.read_text(encoding="utf-8")


def register_workflow(lock: TextIO) -> None:
    """Sign the lock of a workflow, and tell the jobs that this process starts whose they are."""
    os.environ[WORKFLOW] = f"{write_owner(lock)};{Path(lock.name).absolute()}"


def check_workflow_current(path: Path) -> None:
    """UserError if this is a job of a workflow and another one was started in its folder since.

    That one makes what is to be made itself, and reads it as soon as its own job has written it.
    """
    name, _, signed = os.environ.get(WORKFLOW, "").partition(";")
    if name and Path(signed).exists() and read_owner(Path(signed)) != name:
        raise UserError(
            f"{path}: not written, for the workflow that this job belongs to has ended and another "
            f"one was started ({signed})"
        )


@contextmanager
def exclusive_writer(path: Path | str) -> Iterator[None]:
    """Be the only process that writes `path`; wait, and say so, while another one is.

    A killed workflow may leave jobs running, so that another one starts a second writer. The lock
    is a hidden file beside `path` that stays there. What killed writers left beside `path`, under
    its name or that of its record, and directly in it, is removed. Raises UserError, naming `path`,
    if the disk is full, and in a job that gets its turn when its workflow has been replaced (see
    `check_workflow_current`).
    """
    path = Path(path).absolute()
    if int(os.environ.get("LOCAL_RANK", 0)):  # of a run on several devices: the first one holds it
        yield
        return
    with disk_full_as_user_error(path):
        lock = path.with_name(f".{path.name}.lock")
        held = try_lock(lock)
        if held is None:
            print(f"{path}: another process is writing it; waiting for its end", file=sys.stderr)
            while held is None:
                time.sleep(0.2)
                held = try_lock(lock)
        with held:
            try:
                check_workflow_current(path)
                _remove_leftovers(path)
                yield
            finally:
                # Closing alone leaves the lock with forked workers that have not ended yet.
                fcntl.flock(held, fcntl.LOCK_UN)


def _remove_leftovers(path: Path) -> None:
    names = f"{re.escape(path.name)}|{re.escape(path.stem)}"
    left = re.compile(rf"\.({names})(\.provenance)?\.\d+\.(part|former)(\..*)?")
    for found in path.parent.iterdir():
        if left.fullmatch(found.name):
            shutil.rmtree(found) if found.is_dir() else found.unlink()
    if path.is_dir():
        remove_leftovers(path)
