"""Arithmetic and memory of one training step, counted without doing it.

The step runs on tensors that have a shape and no content (torch's FakeTensorMode), so that paper
scale takes seconds and no memory. Methods that look into their input (OpenCV's flow) cannot: they
are counted on one random sample and multiplied.
"""

from __future__ import annotations

import warnings
import weakref
from contextlib import nullcontext
from dataclasses import dataclass

import torch
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves
from torch.utils.flop_counter import FlopCounterMode

from tdmi.config.settings import Settings
from tdmi.experiments.build import build_method
from tdmi.models.method import PoseMethod
from tdmi.models.output import Target


@dataclass(frozen=True)
class Counted:
    """One training step of a run, and the prediction of one key frame.

    `step_gflops`: forwards and backwards for the whole batch, by torch's counter on both: of a
    convolution the backward pass costs twice the forward one, once if only one of its two gradients
    is wanted, and nothing where all is frozen. Units as in `tdmi.models.cost.Cost`.
    `forward_gflops`: the forward part of it. `predict_gflops`: one key frame of a batch, without
    flip.
    `working_bytes`: the most that the step's tensors take at one time: the batch, activations,
    intermediate results and gradients as they arise. `state_bytes`: parameters and buffers.
    `trainable_bytes`: parameters that learn. `predict_bytes`: the most that the tensors of one
    batch of predictions take, of as many key frames as `inference.batch_size`.
    """

    batch: int
    window: tuple[int, ...]
    parameters: int
    step_gflops: float
    forward_gflops: float
    predict_gflops: float
    working_bytes: int
    state_bytes: int
    trainable_bytes: int
    predict_bytes: int

    @property
    def memory_bytes(self) -> int:
        """Peak of training: weights, last step's gradients, Adam's two means, and the step itself.

        Not in it: work space inside of operations, the allocator's reserve and what the process
        holds besides. Gradients may count twice, which is little beside the activations.
        """
        working = max(self.working_bytes, self.predict_bytes)  # a training validates, too
        return self.state_bytes + 3 * self.trainable_bytes + working


def count(settings: Settings) -> Counted:
    """Count for the settings of one run; see `Counted`."""
    method = build_method(settings)
    batch = settings.recipe.batch_size
    predicted = settings.inference.batch_size
    try:
        with FakeTensorMode(allow_non_fake_inputs=True), warnings.catch_warnings():
            # A method may tell by its weights' addresses whether they changed: none has one here.
            warnings.filterwarnings("ignore", "Accessing the data pointer of FakeTensor")
            step = _step(method, settings, batch)
            prediction = _prediction(method, settings, predicted)
    except RuntimeError:  # its input's content is needed
        step = [batch * value for value in _step(method, settings, 1)]
        prediction = [predicted * value for value in _prediction(method, settings, 1)]
    forward, total, working = step
    parameters = list(method.parameters())
    return Counted(
        batch=batch,
        window=method.window,
        parameters=sum(p.numel() for p in parameters),
        step_gflops=total / 1e9,
        forward_gflops=forward / 1e9,
        predict_gflops=prediction[0] / predicted / 1e9,
        working_bytes=working,
        state_bytes=sum(p.nbytes for p in (*parameters, *method.buffers())),
        trainable_bytes=sum(p.nbytes for p in parameters if p.requires_grad),
        predict_bytes=prediction[1],
    )


def random_batch(
    method: PoseMethod, settings: Settings, batch: int, device: torch.device | str = "cpu"
) -> tuple[torch.Tensor, torch.Tensor, Target]:
    """Frames of noise with offsets and targets, as `tdmi.training` feeds them to a method."""
    height, width = settings.crop.size
    frames = torch.randn(batch, len(method.window), 3, height, width, device=device)
    offsets = torch.tensor([method.window] * batch, device=device)
    maps = torch.rand(batch, method.joints, height // 4, width // 4, device=device)
    return frames, offsets, Target(maps, torch.ones(batch, method.joints, device=device))


def mixed_precision(settings: Settings):
    """The context of a forward pass in the recipe's precision, on the CPU."""
    mixed = "mixed" in settings.recipe.precision
    return torch.autocast("cpu", torch.bfloat16) if mixed else nullcontext()


class LiveMemory(TorchDispatchMode):
    """Bytes of the tensors that operations in its context have made and that still exist.

    Tensors that share their memory count once; `peak` is the largest sum so far. Works on tensors
    without content, too, whose memory is what they would take.
    """

    def __init__(self) -> None:
        super().__init__()
        self.peak = self._now = 0
        self._known: set[int] = set()

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        given = {_address(x) for x in tree_leaves((args, kwargs)) if isinstance(x, torch.Tensor)}
        result = func(*args, **(kwargs or {}))
        for tensor in tree_leaves(result):
            if isinstance(tensor, torch.Tensor) and _address(tensor) not in self._known | given:
                self._add(tensor.untyped_storage())
        return result

    def _add(self, storage: torch.UntypedStorage) -> None:
        size, address = storage.nbytes(), storage._cdata
        self._known.add(address)
        self._now += size
        self.peak = max(self.peak, self._now)
        weakref.finalize(storage, self._remove, address, size)

    def _remove(self, address: int, size: int) -> None:
        self._known.discard(address)
        self._now -= size


def _address(tensor: torch.Tensor) -> int:
    return tensor.untyped_storage()._cdata


def _step(method: PoseMethod, settings: Settings, batch: int) -> list[int]:
    """[operations forwards, both ways, peak bytes]; gradients are dropped again."""
    method.train()
    with LiveMemory() as memory, FlopCounterMode(display=False) as counter:
        frames, offsets, target = random_batch(method, settings, batch)
        with mixed_precision(settings):
            losses = method.loss(method(frames, offsets), target)
        forward = counter.get_total_flops()
        torch.stack(list(losses.values())).sum().backward()
    method.zero_grad(set_to_none=True)
    return [forward, counter.get_total_flops(), memory.peak]


def _prediction(method: PoseMethod, settings: Settings, batch: int) -> list[int]:
    """[operations, peak bytes] of the forward pass of `batch` key frames."""
    method.eval()
    with torch.no_grad(), LiveMemory() as memory, FlopCounterMode(display=False) as counter:
        frames, offsets, _ = random_batch(method, settings, batch)
        method(frames, offsets)
    return [counter.get_total_flops(), memory.peak]
