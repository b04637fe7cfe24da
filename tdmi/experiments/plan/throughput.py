"""Time of a step and a prediction: measured on random input, or from a device's peak."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import torch

from tdmi.clips.samples import TrainingSamples
from tdmi.core.errors import UserError
from tdmi.core.files import read_yaml
from tdmi.experiments.build import build_method, training_samples
from tdmi.experiments.plan.counting import Counted, Job, random_batch, total_loss
from tdmi.training.optimiser import make_optimiser

DRY_GFLOPS = 4.0
"""Arithmetic of one timed step or prediction on a CPU, less than a second of it; a choice of this
project. The batch is cut to fit and the time multiplied."""
LOADED = 24
"""Samples that are cut to time loading, as many as one step of the full-scale suites."""
EFFICIENCY = 0.15
"""Assumed share of a device's peak, a guess of this project that is measured nowhere. HRNet is many
small convolutions, norms and additions, which wait for memory more than for arithmetic."""


@dataclass(frozen=True)
class Device:
    """A device of ``devices.yaml``, where the units are stated."""

    title: str
    tf32: float
    bf16: float
    memory_gb: float
    source: str


def read_devices() -> dict[str, Device]:
    content = read_yaml(Path(__file__).with_name("devices.yaml"))
    return {name: Device(**facts) for name, facts in content.items()}


@dataclass(frozen=True)
class Throughput:
    """`step`: seconds of one optimiser step without loading. `predict`: of one key frame without
    flip and loading. `load`: of cutting one training sample, None if the data is not there."""

    step: float
    predict: float
    load: float | None
    source: str


def from_peak(counted: Counted, device: Device, efficiency: float, mixed: bool) -> Throughput:
    """Assume a share of a device's peak; torch lets float32 convolutions of CUDA use TF32."""
    rate = (device.bf16 if mixed else device.tf32) * 1000 * efficiency
    source = f"{efficiency:.0%} of the peak"
    return Throughput(counted.step_gflops / rate, counted.predict_gflops / rate, None, source)


def timed(job: Job, counted: Counted, device: torch.device) -> Throughput:
    """Time a step and a prediction on random input, and the loading of the training samples.

    On the CPU it is processor time of one thread, so that other work on the machine does not count.
    Where one sample alone is more than DRY_GFLOPS there, the step is estimated from the forward
    pass of one key frame, at the same operations a second.
    """
    method = build_method(job.settings).to(device)
    samples: TrainingSamples | None = None
    with suppress(UserError):  # the data set is not there
        samples = training_samples(job.settings, method)
    load = _loading(samples) if samples else None
    batch, crops = job.batch, job.settings.inference.batch_size
    fits = batch
    if device.type == "cpu":
        fits = min(batch, int(DRY_GFLOPS / counted.step_gflops * batch))
        crops = max(1, min(crops, int(DRY_GFLOPS / counted.predict_gflops)))
    method.eval()
    frames, offsets, _ = random_batch(method, job, crops)
    auxiliary = _auxiliary(samples, crops, device)
    with torch.inference_mode():
        predict = _seconds(lambda: method(frames, offsets, *auxiliary), device, fits > 0) / crops
    if fits == 0:
        rate = counted.predict_gflops / predict
        source = f"a prediction timed ({rate:.0f} GFLOP/s), the step by its operations"
        return Throughput(counted.step_gflops / rate, predict, load, source)
    method.train()
    optimiser = make_optimiser(method, job.settings.recipe)
    inputs, auxiliary = random_batch(method, job, fits), _auxiliary(samples, fits, device)

    def step() -> None:
        with torch.autocast(device.type, torch.bfloat16, enabled=job.mixed):
            loss = total_loss(method, *inputs, *auxiliary)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()

    seconds = _seconds(step, device, True) * batch / fits
    return Throughput(seconds, predict, load, f"steps of {fits} and predictions timed")


def _auxiliary(
    samples: TrainingSamples | None, batch: int, device: torch.device
) -> list[torch.Tensor]:
    """Return the auxiliary input of methods that have one, of the first sample, repeated."""
    if not samples or samples.cue is None:
        return []
    one = torch.from_numpy(samples[0].cue).to(device)
    return [one.expand(batch, *one.shape)]


def _loading(samples: TrainingSamples) -> float:
    """Return the processor seconds of cutting one training sample."""
    cpu = torch.device("cpu")
    return _seconds(lambda: [samples[k] for k in range(LOADED)], cpu, warm_up=False) / LOADED


def _seconds(work: Callable[[], object], device: torch.device, warm_up: bool) -> float:
    """Time `work`: processor time on the CPU, wall time on a GPU."""
    on_gpu = device.type == "cuda"
    clock = time.perf_counter if on_gpu else time.process_time
    wait = torch.cuda.synchronize if on_gpu else lambda: None
    if warm_up:
        work()
    wait()
    begin = clock()
    work()
    wait()
    return clock() - begin
