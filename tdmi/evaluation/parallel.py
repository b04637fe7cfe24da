"""The same pure function for every video, in several processes; results in the order of the names.

Results do not depend on the number of processes: each comes from one video alone, and whoever
combines them gets them in order.
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
"""A process more is worth its start for this much of input."""


def usable_cores() -> int:
    """Cores that this process may run on."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def worthwhile_jobs(size: int) -> int:
    """Number of processes for input of `size` bytes: small input is done sooner by one."""
    return max(1, min(usable_cores(), size // BYTES_PER_PROCESS))


def over_videos(
    function: Callable[[str], Result], names: Sequence[str], jobs: int
) -> Iterator[Result]:
    """`function(name)` for each of `names`, in that order, by `jobs` processes.

    `function` and its results must be picklable. The first exception in the order of `names` is
    raised. UserError if a process is killed.
    """
    jobs = min(jobs, len(names))
    if jobs <= 1:
        with _no_search_for_cycles():
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
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent ends us
    gc.disable()  # as `_no_search_for_cycles` does


@contextmanager
def _no_search_for_cycles() -> Iterator[None]:
    """Files make millions of objects and no cycles: to look for them takes a tenth of the time."""
    searching = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if searching:
            gc.enable()
