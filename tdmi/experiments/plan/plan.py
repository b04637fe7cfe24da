"""The plan of a suite: one row per method, from counts, sizes and throughput."""

from __future__ import annotations

import math
import resource
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import pandas as pd
import torch
from tqdm import tqdm

from tdmi.config.suite import Suite
from tdmi.experiments.plan.counting import Counted, Job, count, jobs_of
from tdmi.experiments.plan.sizes import Sizes, sizes
from tdmi.experiments.plan.throughput import (
    EFFICIENCY,
    Device,
    Throughput,
    from_peak,
    read_devices,
    timed,
)

PERSON_BYTES = 1230
"""One predicted person in a prediction file: 17 joints with coordinates and scores in full digits.
The mean of both kinds of files (predictions 1,363 bytes, tracked 1,084) of TDMI on the embedded
suite, with their share of frames and videos."""
NAN = float("nan")


@dataclass(frozen=True)
class Plan:
    """`jobs`: one per row of `rows`, see `row`. `device`: what it is planned for. `notes`: sources
    of the numbers. `data_bytes`: the data sets on disk, None if one is not known."""

    jobs: list[Job]
    rows: pd.DataFrame
    device: str
    notes: list[str]
    data_bytes: int | None


def make_plan(
    suites: dict[str, Suite], gpu: str | None, efficiency: float = EFFICIENCY
) -> Plan:
    """Plan every run of the suites.

    Args:
        gpu: a name of ``devices.yaml``, "cpu", or None for the device of this machine.
        efficiency: share of a named device's peak.
    """
    known = read_devices().get(gpu or "")
    device = torch.device("cuda" if gpu is None and torch.cuda.is_available() else "cpu")
    on_cpu = known is None and device.type == "cpu"
    base = 1024 * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss if on_cpu else 0
    found = {name: sizes(suite) for name, suite in suites.items()}
    jobs = [job for suite in suites.values() for job in jobs_of(suite)]
    rows = []
    for job in tqdm(jobs, desc="plan", unit="method", disable=None):
        counted, size = count(job), found[job.suite]
        if known:
            speed = from_peak(counted, known, efficiency, job.mixed)
        else:
            speed = timed(job, counted, device)
        rows.append(row(job, size, counted, speed, base + size.cache_bytes if on_cpu else 0))
    frame = pd.DataFrame(rows)
    if known:
        title = known.title
        notes = [
            f"Time: {efficiency:.0%} of the dense peak, an assumption; peaks: {known.source}. "
            "Loading of the data is not included."
        ]
    elif on_cpu:
        title = "one CPU core"
        notes = [
            "Time: processor time of one core here, with random input; runs side by side on "
            "several cores take that many times less in all.",
            f"Memory: with the {base / 1e6:.0f} MB that the process itself takes here, and the "
            "decoded frames that it keeps.",
        ]
    else:
        title = torch.cuda.get_device_name()
        notes = ["Time: steps and predictions with random input, timed here."]
    for size in found.values():
        notes += [f"People: {size.source}.", f"Data on disk: {size.data_source}."]
    notes += _untimed(frame) + (_too_large(frame, known) if known else [])
    data_bytes = _sum_of(size.data_bytes for size in found.values())
    known_bytes = None if math.isnan(data_bytes) else int(data_bytes)
    return Plan(jobs, frame, title, list(dict.fromkeys(notes)), known_bytes)


def row(
    job: Job, size: Sizes, counted: Counted, speed: Throughput, base_bytes: int
) -> dict[str, Any]:
    """Return the numbers of one method over all its runs; NaN for what is not known.

    suite, method, label, family, runs; steps, samples (windows drawn) of one run, batch;
    step_gflops of one step, pflops (10**15 operations) of all runs with validation and prediction;
    step_seconds; predict_seconds of one person, flip included; memory_bytes of one training;
    disk_bytes of all runs; train_hours, predict_hours, hours of all runs; source of the times.
    """
    settings, batch = job.settings, job.batch
    recipe = settings.recipe.in_steps(size.train) if size.train else settings.recipe
    steps = NAN if recipe.steps is None else recipe.steps
    passes = 2 if settings.inference.flip else 1
    people = _sum_of(size.boxes.values())
    every = recipe.validate_every  # and at the end
    validated = -(-steps // every) * _sum_of([size.validation]) if every else 0
    load = batch * (speed.load or 0.0)
    workers = recipe.workers
    step_seconds = max(speed.step, load / workers) if workers else speed.step + load
    predict_seconds = passes * speed.predict + (speed.load or 0.0)
    train = steps * step_seconds + validated * predict_seconds
    operations = steps * counted.step_gflops
    operations += passes * counted.predict_gflops * (validated + people)
    runs = len(job.runs)
    return {
        "suite": job.suite,
        "method": job.method,
        "label": settings.method.label,
        "family": settings.method.family,
        "runs": runs,
        "steps": steps,
        "samples": steps * batch,
        "batch": batch,
        "step_gflops": counted.step_gflops,
        "pflops": runs * operations / 1e6,
        "step_seconds": step_seconds,
        "predict_seconds": predict_seconds,
        "memory_bytes": base_bytes + counted.memory_bytes,
        "disk_bytes": runs * (counted.state_bytes + 2 * PERSON_BYTES * people),
        "train_hours": runs * train / 3600,
        "predict_hours": runs * people * predict_seconds / 3600,
        "hours": runs * (train + people * predict_seconds) / 3600,
        "source": speed.source,
    }


def _sum_of(numbers: Iterable[int | None]) -> float:
    """Return the sum; NaN if a number is not known."""
    return sum(NAN if number is None else number for number in numbers)


def _untimed(rows: pd.DataFrame) -> list[str]:
    large = rows[rows.source.str.startswith("a prediction")]
    names = ", ".join(f"{one.label} ({one.suite})" for one in large.itertuples())
    text = "a step is too long to be timed here; its speed is that of a timed forward pass"
    return [f"{names}: {text}."] if names else []


def _too_large(rows: pd.DataFrame, device: Device) -> list[str]:
    return [
        f"{one.label} ({one.suite}) does not fit: {one.memory_bytes / 1e9:.0f} GB of "
        f"{device.memory_gb:.0f} GB for a batch of {one.batch}; take several devices or a smaller "
        "batch."
        for one in rows[rows.memory_bytes > device.memory_gb * 1e9].itertuples()
    ]
