"""How long a step and a prediction take: timed on random input, or from a device's peak."""

from __future__ import annotations

import time
from dataclasses import dataclass

import torch

from tdmi.config.settings import Settings
from tdmi.core.errors import UserError
from tdmi.experiments.build import build_method, training_samples
from tdmi.experiments.plan.counting import Counted, mixed_precision, random_batch
from tdmi.experiments.plan.devices import Device
from tdmi.training.optimiser import make_optimiser

DRY_GFLOPS = 4.0
"""Arithmetic of one timed step or prediction on a CPU, less than a second of it; a choice of this
project. The batch is cut to fit and the time multiplied."""


@dataclass(frozen=True)
class Throughput:
    """`step`: seconds of one optimiser step without loading; `predict`: of one key frame without
    flip and loading; `load`: of cutting one training sample, None if the data is not there."""

    step: float
    predict: float
    load: float | None
    source: str


def from_peak(counted: Counted, device: Device, efficiency: float, precision: str) -> Throughput:
    rate = device.peak(precision) * 1000 * efficiency
    return Throughput(
        step=counted.step_gflops / rate,
        predict=counted.predict_gflops / rate,
        load=None,
        source=f"{efficiency:.0%} of the peak",
    )


def timed(settings: Settings, counted: Counted, device: torch.device) -> Throughput:
    """A dry run with random input, after one to warm up.

    On the CPU it is processor time of one thread, so that other work on the machine does not count;
    where one sample alone is more than DRY_GFLOPS, the forward pass of one key frame is timed and
    the backward pass taken to run at the same operations a second.
    """
    method = build_method(settings).to(device)
    free = device.type == "cuda"
    fits = counted.batch if free else int(DRY_GFLOPS / counted.step_gflops * counted.batch)
    crops = settings.inference.batch_size
    crops = crops if free else max(1, min(crops, int(DRY_GFLOPS / counted.predict_gflops)))
    method.eval()
    frames, offsets, _ = random_batch(method, settings, crops, device)
    with torch.inference_mode():
        predict = _seconds(lambda: method(frames, offsets), device, fits > 0) / crops
    if fits == 0:
        rate = counted.predict_gflops / predict
        source = f"a prediction timed ({rate:.0f} GFLOP/s), the step by its operations"
        return Throughput(counted.step_gflops / rate, predict, None, source)
    batch = min(fits, counted.batch)
    method.train()
    optimiser = make_optimiser(method, settings.recipe)
    inputs = random_batch(method, settings, batch, device)

    def step() -> None:
        frames, offsets, target = inputs
        with mixed_precision(settings):
            losses = method.loss(method(frames, offsets), target)
        optimiser.zero_grad()
        torch.stack(list(losses.values())).sum().backward()
        optimiser.step()

    seconds = _seconds(step, device, True) * counted.batch / batch
    return Throughput(seconds, predict, None, f"steps of {batch} and predictions timed")


def loading(settings: Settings, count: int = 24) -> float | None:
    """Processor seconds to cut one training sample; None if the data set is not there."""
    method = build_method(settings)
    try:
        samples = training_samples(settings, method)
    except UserError:
        return None
    begin = time.process_time()
    for position in range(count):
        samples[position]
    return (time.process_time() - begin) / count


def _seconds(work, device: torch.device, warm: bool) -> float:
    if warm:
        work()
    if device.type == "cuda":
        torch.cuda.synchronize()
        begin = time.perf_counter()
        work()
        torch.cuda.synchronize()
        return time.perf_counter() - begin
    begin = time.process_time()
    work()
    return time.process_time() - begin
