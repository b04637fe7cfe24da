"""One writer at a time for a file or folder, also where a killed workflow left jobs running."""

from __future__ import annotations

import os
import re
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from tdmi.files import in_one_line, remove_leftovers


@contextmanager
def alone(path: Path | str) -> Iterator[None]:
    """Be the only process that writes `path`; wait, and say so, while another one is.

    The lock is a hidden file beside `path` that stays there. It is free again as soon as its
    process ends, however that ends. What killed writers left beside `path`, under its name or that
    of its record, and directly in it, is removed. Raises UserError, naming `path`, if the disk is
    full.
    """
    path = Path(path).absolute()
    if int(os.environ.get("LOCAL_RANK", 0)):  # of a run on several devices: the first one holds it
        yield
        return
    with in_one_line(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        lock = FileLock(path.with_name(f".{path.name}.lock"))
        try:
            lock.acquire(timeout=0)
        except Timeout:
            print(f"{path}: another process is writing it; waiting for its end", file=sys.stderr)
            lock.acquire()
        try:
            _remove_leftovers(path)
            yield
        finally:
            lock.release()


def _remove_leftovers(path: Path) -> None:
    names = f"{re.escape(path.name)}|{re.escape(path.stem)}"
    left = re.compile(rf"\.({names})(\.provenance)?\.\d+\.(part|former)(\..*)?")
    for found in path.parent.iterdir():
        if left.fullmatch(found.name):
            shutil.rmtree(found) if found.is_dir() else found.unlink()
    if path.is_dir():
        remove_leftovers(path)
