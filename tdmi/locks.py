"""Locks that die with their process, so that nobody ever has to remove one."""

from __future__ import annotations

import fcntl
import os
import socket
from pathlib import Path
from typing import TextIO


def take(path: Path) -> TextIO | None:
    """Lock `path` for as long as the returned file is open in a process; None if another has it.

    The file says who holds the lock, see `holder`. It stays when the lock is gone. On a file system
    that knows no locks every lock is free.
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
    file.truncate(0)
    file.write(f"process {os.getpid()} on {socket.gethostname()}")
    file.flush()
    return file


def holder(path: Path) -> str:
    """Who holds a lock: ``process 123 on host``."""
    return path.read_text(encoding="utf-8")
