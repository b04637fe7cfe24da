"""Locks between processes. They end with their process, so nobody ever has to remove one."""

from __future__ import annotations

import errno
import logging
import os
import re
import shutil
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path

from filelock import BaseFileLock, FileLock, Timeout

from tdmi.core.errors import UserError
from tdmi.core.files import disk_full_as_user_error, remove_leftovers, write_text

WORKFLOW = "TDMI_WORKFLOW"
"""Environment variable of a workflow's jobs: the workflow's owner line, and its lock's path."""
_NO_LOCKS = (errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP, errno.EINVAL)
"""Errors of file systems that have no locks."""
_logger = logging.getLogger(__name__)


def try_lock(path: Path) -> BaseFileLock | None:
    """Lock `path` and return the lock; None if it is held already.

    The lock ends with its `release` or with the process. The file stays, empty. On a file system
    without locks every lock counts as free.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    # Not soft locks: they are files whose mere existence counts, which a killed process leaves.
    lock = FileLock(path, thread_local=False, fallback_to_soft=False)
    try:
        lock.acquire(blocking=False)
    except Timeout:
        return None
    except OSError as error:
        if error.errno not in _NO_LOCKS:
            raise
    return lock


def write_owner(lock: BaseFileLock) -> str:
    """Write who holds a lock beside it, for `read_owner`, and return that line."""
    now = datetime.now().isoformat(sep=" ", timespec="microseconds")
    name = f"process {os.getpid()} on {socket.gethostname()} since {now}"
    write_text(_owner_file(Path(lock.lock_file)), name)
    return name


def read_owner(path: Path) -> str | None:
    """Return who holds or held the lock at `path`, ``process 123 on host since ...``, if known."""
    try:
        return _owner_file(path).read_text(encoding="utf-8")
    except FileNotFoundError:
        return None


def _owner_file(path: Path) -> Path:
    """A file of its own: some systems let nobody else read a locked file."""
    return path.with_suffix(".owner")


def register_workflow(lock: BaseFileLock) -> None:
    """Make this process the owner of a workflow's lock and tell the jobs that it starts."""
    os.environ[WORKFLOW] = f"{write_owner(lock)};{Path(lock.lock_file).absolute()}"


def check_workflow_current(path: Path) -> None:
    """Raise UserError in a job whose workflow has been replaced by another one in its folder.

    The other workflow makes `path` itself, and reads it as soon as its own job has written it.
    """
    name, _, lock = os.environ.get(WORKFLOW, "").partition(";")
    if name and read_owner(Path(lock)) not in (name, None):
        raise UserError(
            f"{path}: not written: the workflow that this job belongs to has ended and another "
            f"one was started ({lock})"
        )


@contextmanager
def exclusive_writer(path: Path | str, shown: Path | str | None = None) -> Iterator[None]:
    """Be the only process that writes `path`; wait, and say so, while another one writes it.

    A killed workflow may leave jobs running, and the next workflow then starts a second writer.
    The lock is a hidden file beside `path` that stays there. Temporary files that killed writers
    left are removed: beside `path`, under its name or that of its record, and directly in it.
    Messages name `shown`, by default `path`.

    Raises UserError if the disk is full, and as `check_workflow_current` does.
    """
    path = Path(path).absolute()
    shown = shown or path
    if int(os.environ.get("LOCAL_RANK", 0)):  # the first process of a multi-device run holds it
        yield
        return
    with disk_full_as_user_error(shown):
        lock_file = path.with_name(f".{path.name}.lock")
        lock = try_lock(lock_file)
        if lock is None:
            _logger.warning("%s: another process is writing it; waiting for its end", shown)
        while lock is None:
            time.sleep(0.2)
            lock = try_lock(lock_file)
        try:
            check_workflow_current(path)
            _remove_leftovers(path)
            yield
        finally:
            lock.release()  # also on behalf of forked workers that have not ended yet


def _remove_leftovers(path: Path) -> None:
    names = f"{re.escape(path.name)}|{re.escape(path.stem)}"
    left = re.compile(rf"\.({names})(\.provenance)?\.\d+\.(part|former)(\..*)?")
    for found in path.parent.iterdir():
        if left.fullmatch(found.name):
            shutil.rmtree(found) if found.is_dir() else found.unlink()
    if path.is_dir():
        remove_leftovers(path)
