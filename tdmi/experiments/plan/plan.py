"""The plan of a suite: one row per method, from counts, sizes and throughput."""

from __future__ import annotations

import json
import resource
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import pandas as pd
import torch
from tqdm import tqdm

from tdmi.config.settings import Settings
from tdmi.config.suite import Suite
from tdmi.experiments.plan import throughput
from tdmi.experiments.plan.counting import Counted, count
from tdmi.experiments.plan.devices import DEVICES, EFFICIENCY
from tdmi.experiments.plan.sizes import Sizes, sizes
from tdmi.experiments.plan.throughput import Throughput

PERSON_BYTES = 1230
"""One predicted person in a prediction file: 17 joints with coordinates and scores in full digits.
The mean of both kinds of files (predictions 1,363 bytes, tracked 1,084) of TDMI on the embedded
suite, their frames and videos included."""
NAN = float("nan")


@dataclass(frozen=True)
class Plan:
    """`rows`: see `row`. `notes`: where the numbers are from. `device`: what it is planned for.
    `data_bytes`: the data sets on disk, None if one is not known."""

    rows: pd.DataFrame
    device: str
    notes: list[str]
    data_bytes: int | None


def make_plan(suites: dict[str, Suite], gpu: str | None, efficiency: float = EFFICIENCY) -> Plan:
    """Plan every run of the suites; `gpu` is a name of DEVICES, "cpu", or None: what is here."""
    device = torch.device("cuda" if gpu is None and torch.cuda.is_available() else "cpu")
    base = 0
    if gpu in DEVICES:
        known = DEVICES[gpu]
        title = known.title
        notes = [
            f"Time: {efficiency:.0%} of the dense peak, an assumption; peaks: {known.source}. "
            "Loading of the data is not in it."
        ]
    elif device.type == "cuda":
        title = torch.cuda.get_device_name()
        notes = ["Time: steps and predictions with random input, timed here."]
    else:
        title = "one CPU core"
        base = 1024 * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        notes = [
            "Time: processor time of one core here, with random input; runs that stand side by "
            "side on several cores take that many times less in all.",
            f"Memory: with the {base / 1e6:.0f} MB that the process itself takes here, and the "
            "decoded frames that it keeps.",
        ]
    remembered: dict[str, tuple[Counted, Throughput]] = {}

    def speed(settings: Settings) -> tuple[Counted, Throughput]:
        keys = ("method", "crop", "backbone", "recipe", "dataset", "augmentation")
        content = settings.to_dict()
        identity = json.dumps([content[key] for key in keys], sort_keys=True)
        if identity not in remembered:
            counted = count(settings)
            if gpu in DEVICES:
                rate = throughput.from_peak(
                    counted, DEVICES[gpu], efficiency, settings.recipe.precision
                )
            else:
                rate = throughput.timed(settings, counted, device)
                rate = replace(rate, load=throughput.loading(settings))
            remembered[identity] = counted, rate
        return remembered[identity]

    rows: list[dict[str, Any]] = []
    data_bytes: int | None = 0
    found = {name: sizes(suite) for name, suite in suites.items()}
    jobs = [(suite, method) for suite in suites.values() for method in suite.methods]
    for suite, method in tqdm(jobs, desc="plan", unit="method", disable=None):
        size = found[suite.name]
        rows.append(row(suite, method, size, speed, base + size.cache_bytes if base else 0))
    for size in found.values():
        notes += [f"People: {size.source}.", f"Data on disk: {size.data_source}."]
        known_bytes = data_bytes is not None and size.data_bytes is not None
        data_bytes = data_bytes + size.data_bytes if known_bytes else None
    frame = pd.DataFrame(rows)
    notes += _estimated(frame)
    if gpu in DEVICES:
        notes += _too_large(frame, DEVICES[gpu].memory_gb)
    return Plan(frame, title, list(dict.fromkeys(notes)), data_bytes)


def row(
    suite: Suite,
    method: str,
    size: Sizes,
    speed: Callable[[Settings], tuple[Counted, Throughput]],
    base_bytes: int,
) -> dict[str, Any]:
    """Numbers of one method over all its runs; NaN for what is not known.

    suite, method, label, family, runs; steps, samples (windows drawn) of one run; step_gflops of
    one step, pflops (10**15 operations) of all runs, validation and prediction included;
    step_seconds; predict_seconds of one person, flip included; memory_bytes of one training;
    disk_bytes of all runs; train_hours, predict_hours, hours of all runs; source of the times.
    """
    seeds = suite.seeds_of(method)
    settings = suite.settings(method, seeds[0])
    counted, rate = speed(settings)
    batch = counted.batch
    recipe = settings.recipe.in_steps(size.train) if size.train else settings.recipe
    steps = NAN if recipe.steps is None else recipe.steps
    passes = 2 if settings.inference.flip else 1
    people = _total(size.boxes.values())
    every = recipe.validate_every
    validated = _validations(steps, every) * (NAN if size.validation is None else size.validation)
    validated = validated if every else 0
    load = rate.load or 0.0
    if workers := recipe.workers:
        step_seconds = max(rate.step, load * batch / workers)
    else:
        step_seconds = rate.step + load * batch
    predict_seconds = passes * rate.predict + load
    train = steps * step_seconds + validated * predict_seconds
    operations = steps * counted.step_gflops + passes * counted.predict_gflops * (
        validated + people
    )
    runs = len(seeds)
    return {
        "suite": suite.name,
        "method": method,
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
        "source": rate.source,
    }


def _validations(steps: float, every: int | None) -> float:
    """How often a training validates: every so many steps and at its end."""
    return -(-steps // every) if every else 0


def _total(numbers) -> float:
    numbers = list(numbers)
    return NAN if None in numbers else sum(numbers)


def _estimated(frame: pd.DataFrame) -> list[str]:
    """Which methods were too large for a timed step."""
    large = frame[frame.source.str.startswith("a prediction")]
    names = ", ".join(f"{one.label} ({one.suite})" for one in large.itertuples())
    text = "a step is too long to be tried here; its speed is that of a timed forward pass"
    return [f"{names}: {text}."] if names else []


def _too_large(frame: pd.DataFrame, memory_gb: float) -> list[str]:
    large = frame[frame.memory_bytes > memory_gb * 1e9]
    return [
        f"{one.label} ({one.suite}) does not fit: {one.memory_bytes / 1e9:.0f} GB of "
        f"{memory_gb:.0f} GB for a batch of {one.batch}; take several devices or a smaller batch."
        for one in large.itertuples()
    ]
