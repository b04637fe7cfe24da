"""Clocks of the benchmarks."""

from __future__ import annotations

import resource
import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")


def spent(work: Callable[[], T]) -> tuple[T, float, float]:
    """Return the result of `work` with its wall time and its processor time, in seconds."""
    wall, processor = time.perf_counter(), time.process_time()
    result = work()
    return result, time.perf_counter() - wall, time.process_time() - processor


def shortest(work: Callable[[], object], repeat: int) -> tuple[float, float]:
    """Return the shortest wall time and the shortest processor time of `repeat` calls."""
    walls, processor = zip(*(spent(work)[1:] for _ in range(repeat)), strict=True)
    return min(walls), min(processor)


def in_turn(ways: dict[str, Callable[[], object]], rounds: int) -> dict[str, list[float]]:
    """Return processor times of each way, called in turn so that a busy machine slows all alike."""
    seconds: dict[str, list[float]] = {way: [] for way in ways}
    for _ in range(rounds):
        for way, call in ways.items():
            seconds[way].append(spent(call)[2])
    return seconds


def peak_bytes() -> int:
    """Return the largest resident set of this process so far."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
