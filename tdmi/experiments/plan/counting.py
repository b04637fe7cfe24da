"""Arithmetic and memory of a training step and a prediction, counted without computing them.

The step runs on torch's meta device, whose tensors have a shape and no content, so that paper scale
takes seconds and no memory. Methods that look at their input (optical flow) cannot run there: they
are counted on one random sample and multiplied.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

import torch
from torch import Tensor
from torch.autograd.graph import saved_tensors_hooks
from torch.nn.modules.module import register_module_forward_hook
from torch.utils.flop_counter import FlopCounterMode

from tdmi.config.settings import Settings
from tdmi.config.suite import Suite
from tdmi.experiments.build import build_method
from tdmi.models.method import PoseMethod
from tdmi.models.output import Target

T = TypeVar("T")


@dataclass(frozen=True)
class Job:
    """One method of a suite, with the settings of its first run; `runs`: names of all."""

    suite: str
    method: str
    runs: list[str]
    settings: Settings

    @property
    def batch(self) -> int:
        """Windows of one step; 1 where nothing is trained and no size is given."""
        return self.settings.recipe.batch_size or 1

    @property
    def mixed(self) -> bool:
        """Whether training computes in mixed precision."""
        return "mixed" in self.settings.recipe.precision


def jobs_of(suite: Suite) -> list[Job]:
    """Return the jobs of a suite, in its order."""
    return [
        Job(
            suite.name,
            method,
            [suite.run_name(method, seed) for seed in suite.seeds_of(method)],
            suite.settings(method, suite.seeds_of(method)[0]),
        )
        for method in suite.methods
    ]


@dataclass(frozen=True)
class Counted:
    """One training step of a run, and the prediction of one key frame.

    `step_gflops`: forward and backward pass of the whole batch. The backward pass of a convolution
    costs twice the forward one, once if only one of its two gradients is wanted, and nothing where
    all is frozen. `predict_gflops`: one key frame, without flip. Units as of `tdmi.models.cost`.
    `memory_bytes`: estimated peak of training, from weights, gradients, Adam's two means, the
    batch, what the forward pass keeps for the backward pass, and the largest module's input and
    output. Work space of operations and the allocator's reserve are left out.
    `state_bytes`: parameters and buffers.
    """

    step_gflops: float
    predict_gflops: float
    memory_bytes: int
    state_bytes: int


def count(job: Job) -> Counted:
    """Count for one run; see `Counted`."""
    batch, predicted = job.batch, job.settings.inference.batch_size
    try:
        with torch.device("meta"):
            method = build_method(job.settings)
        operations, working = _step(method, job, batch)
        predict_operations, predict_bytes = _prediction(method, job, predicted)
    except (NotImplementedError, RuntimeError):  # the content of its input is needed
        method = build_method(job.settings)
        operations, working = (batch * value for value in _step(method, job, 1))
        predict_operations, predict_bytes = (
            predicted * value for value in _prediction(method, job, 1)
        )
    state = sum(x.nbytes for x in (*method.parameters(), *method.buffers()))
    trainable = sum(p.nbytes for p in method.parameters() if p.requires_grad)
    return Counted(
        step_gflops=operations / 1e9,
        predict_gflops=predict_operations / predicted / 1e9,
        memory_bytes=state + 3 * trainable + max(working, predict_bytes),  # it also validates
        state_bytes=state,
    )


def random_batch(method: PoseMethod, job: Job, batch: int) -> tuple[Tensor, Tensor, Target]:
    """Make random frames with offsets and targets, on the method's device."""
    device = next(method.parameters()).device
    height, width = job.settings.crop.size
    frames = torch.randn(batch, len(method.window), 3, height, width, device=device)
    offsets = torch.tensor([method.window] * batch).to(device)
    maps = torch.rand(batch, method.joints, height // 4, width // 4, device=device)
    return frames, offsets, Target(maps, torch.ones(batch, method.joints, device=device))


def total_loss(
    method: PoseMethod, frames: Tensor, offsets: Tensor, target: Target, *auxiliary: Tensor
) -> Tensor:
    """Return the sum of the loss terms, as training computes it."""
    losses = method.loss(method(frames, offsets, *auxiliary), target)
    return torch.stack(list(losses.values())).sum()


def memory_of(forward: Callable[[], T]) -> tuple[T, int]:
    """Run a forward pass; return its result and the bytes that it takes.

    These are the tensors kept for the backward pass, each memory once and parameters left out, and
    the input and output of the largest module.
    """
    kept: set[torch.UntypedStorage] = set()
    largest = 0

    def keep(tensor: Tensor) -> Tensor:
        if not isinstance(tensor, torch.nn.Parameter):
            kept.add(tensor.untyped_storage())
        return tensor

    def compare(module: object, inputs: tuple[object, ...], output: object) -> None:
        nonlocal largest
        tensors = [x for x in (*inputs, output) if isinstance(x, Tensor)]
        largest = max(largest, sum(x.nbytes for x in tensors))

    hook = register_module_forward_hook(compare)
    try:
        with saved_tensors_hooks(keep, lambda tensor: tensor):
            result = forward()
    finally:
        hook.remove()
    return result, largest + sum(storage.nbytes() for storage in kept)


def _step(method: PoseMethod, job: Job, batch: int) -> tuple[int, int]:
    """Return operations and bytes of a step; drop its gradients again."""
    method.train()
    inputs = random_batch(method, job, batch)
    with FlopCounterMode(display=False) as counter:
        loss, memory = memory_of(lambda: total_loss(method, *inputs))
        loss.backward()
    method.zero_grad(set_to_none=True)
    # The meta device knows no mixed precision, in which activations take half of the bytes.
    memory = memory // 2 if job.mixed else memory
    return counter.get_total_flops(), inputs[0].nbytes + memory


def _prediction(method: PoseMethod, job: Job, batch: int) -> tuple[int, int]:
    """Return operations and bytes of the forward pass of `batch` key frames."""
    method.eval()
    frames, offsets, _ = random_batch(method, job, batch)
    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        _, memory = memory_of(lambda: method(frames, offsets))
    return counter.get_total_flops(), frames.nbytes + memory
