"""Train every method for two steps on two processes, and compare with one process.

    python tests/support/two_processes.py FOLDER

Lightning Fabric starts the second process, as in `tdmi.training.loop`. Each process writes
``FOLDER/rank<k>.json``: case -> the largest difference to one process that computes the same batch
in two parts, or the error. Norms are in evaluation mode, because a batch's statistics depend on
its size; estimators that contrast samples see the same parts in both ways.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import torch
from lightning_fabric import Fabric

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from tests.support.methods import Case, clip, every_case, move_weights, target

PROCESSES, PART, STEPS, SIZE = 2, 2, 2, (32, 32)
STEEPEST = 10.0
"""Norm to which longer gradients are scaled. Without a bound on its masks a deformable convolution
multiplies any rounding: for some seeds of TDMI at review time the loss reaches 1e15 in one step."""


def prepared(case: Case) -> tuple[torch.nn.Module, torch.optim.Optimizer]:
    method = case.build()
    move_weights(method, 0.01)
    method.train()
    for module in method.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            module.eval()
    # Not Adam, which enlarges rounding where gradients are almost zero.
    return method, torch.optim.SGD([p for p in method.parameters() if p.requires_grad], 0.01)


def part_loss(called, method, step: int, rank: int) -> torch.Tensor:
    """Loss of one process's part of a step's batch; what a method draws depends on both alone."""
    frames, offsets = clip(method, PROCESSES * PART, seed=step, size=SIZE)
    offsets[0] = offsets[0].clamp_max(0)
    wanted = target(PROCESSES * PART, seed=step, size=SIZE)
    mine = slice(rank * PART, (rank + 1) * PART)
    torch.manual_seed(1000 * step + rank)
    output = called(frames[mine], offsets[mine])
    wanted.heatmaps, wanted.weight = wanted.heatmaps[mine], wanted.weight[mine]
    return torch.stack(list(method.loss(output, wanted).values())).sum()


def together(case: Case, fabric: Fabric) -> dict[str, torch.Tensor]:
    method, optimiser = prepared(case)
    wrapped, optimiser = fabric.setup(method, optimiser)
    for step in range(STEPS):
        optimiser.zero_grad()
        fabric.backward(part_loss(wrapped, method, step, fabric.global_rank))
        torch.nn.utils.clip_grad_norm_(method.parameters(), STEEPEST)
        optimiser.step()
    return method.state_dict()


def one_process(case: Case) -> dict[str, torch.Tensor]:
    method, optimiser = prepared(case)
    for step in range(STEPS):
        optimiser.zero_grad()
        for rank in range(PROCESSES):
            (part_loss(method, method, step, rank) / PROCESSES).backward()
        torch.nn.utils.clip_grad_norm_(method.parameters(), STEEPEST)
        optimiser.step()
    return method.state_dict()


def main(folder: Path) -> None:
    torch.set_num_threads(1)
    fabric = Fabric(accelerator="cpu", devices=PROCESSES, strategy="ddp")
    fabric.launch()
    found: dict[str, float | str] = {}
    for number, case in enumerate(every_case().values()):
        try:
            trained = together(case, fabric)
        except RuntimeError as error:
            found[case.name] = str(error).splitlines()[0]
            continue
        if number % PROCESSES == fabric.global_rank:  # the processes share the comparisons
            start = prepared(case)[0].state_dict()
            single = one_process(case)
            if all(torch.equal(trained[name], value) for name, value in start.items()):
                found[case.name] = "nothing was learnt"
                continue
            if not all(value.isfinite().all() for value in [*single.values(), *trained.values()]):
                found[case.name] = "a weight is not finite"
                continue
            found[case.name] = max(
                float((trained[name].double() - value.double()).abs().max())
                for name, value in single.items()
            )
    (folder / f"rank{fabric.global_rank}.json").write_text(json.dumps(found, indent=1))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
