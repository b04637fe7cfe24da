"""Apply a pure function to every video in several processes.

Results do not depend on the number of processes: each comes from one video, and they come in the
order of the names.
"""

from __future__ import annotations

import gc
import multiprocessing
import os
import signal
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from typing import TypeVar

from tdmi.core.errors import UserError

Result = TypeVar("Result")

BYTES_PER_PROCESS = 8 * 2**20
"""Another process is worth its start for this much input."""


def worthwhile_jobs(size: int) -> int:
    """Return the number of processes for input of `size` bytes; one is fastest for small input."""
    own = hasattr(os, "sched_getaffinity")
    cores = len(os.sched_getaffinity(0)) if own else os.cpu_count() or 1
    return max(1, min(cores, size // BYTES_PER_PROCESS))


def over_videos(
    function: Callable[[str], Result], names: Sequence[str], jobs: int
) -> Iterator[Result]:
    """Yield `function(name)` for each of `names`, in that order, by `jobs` processes.

    `function` and its results must be picklable. The first exception in the order of `names` is
    raised. UserError if a process is killed.
    """
    jobs = min(jobs, len(names))
    if jobs <= 1:
        with _without_garbage_collection():
            yield from map(function, names)
        return
    # A forked process has everything imported already.
    method = "fork" if "fork" in multiprocessing.get_all_start_methods() else None
    context = multiprocessing.get_context(method)
    with ProcessPoolExecutor(jobs, context, initializer=_prepare_process) as pool:
        try:
            yield from pool.map(function, names)
        except BrokenProcessPool:
            raise UserError(
                f"one of {jobs} processes was killed, probably for want of memory; expected a few "
                "hundred megabytes for each; try again with --jobs 1"
            ) from None


def _prepare_process() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent ends its processes
    gc.disable()  # as `_without_garbage_collection` does


@contextmanager
def _without_garbage_collection() -> Iterator[None]:
    """Do not search for cycles: reading makes millions of objects and none; it saves a tenth."""
    searching = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if searching:
            gc.enable()
