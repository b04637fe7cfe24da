"""Cost of TDMI at the size of the paper: memory of a training step, forward time over backbone.

    python tests/benchmarks/tdmi_paper_scale.py OUT [--methods tdmi tdmi_st tdmi_review]

HRNet-W48, crops of 384x288, one person, five frames. Every measurement has a process of its own.
OUT gets `tdmi_paper_scale.csv`, `.svg` and `.png`, a row per method:

- `step_peak_gb`: largest resident set of a process that imports, builds the model and does one
  forward and backward pass of all trainable weights (10**9 bytes); `step_seconds` of processor.
- `over_five_passes`: time of the whole method over that of the five backbone passes of one frame
  each that it needs; `over_batched_pass`: over one backbone pass of the five frames together. The
  three are timed in turn, so that a busy machine slows all alike; ratios of shortest times, without
  gradients. Bars: 8 GB and 1.25.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pandas as pd
import torch
from benchmark_figures import bars, machine
from timing import in_turn, peak_bytes, spent

from tdmi.config.files import read_config
from tdmi.config.suites import load_suite
from tdmi.config.training import Backbone
from tdmi.experiments.build import build_method
from tdmi.models.method import PoseMethod
from tdmi.models.output import Target

HEIGHT, WIDTH, JOINTS = 384, 288, 17
MEMORY_BAR, RATIO_BAR = 8.0, 1.25


def paper_scale(name: str) -> PoseMethod:
    """The method of a method file with the published backbone."""
    _, content = read_config("method", name)
    settings = load_suite("posetrack18").settings(name, 0)
    method = replace(settings.method, options=content.get("options", {}))
    torch.manual_seed(0)
    return build_method(replace(settings, backbone=Backbone(), method=method))


def clip(method: PoseMethod) -> tuple[torch.Tensor, torch.Tensor]:
    frames = torch.randn(1, len(method.window), 3, HEIGHT, WIDTH)
    return frames, torch.tensor([method.window])


def step(name: str) -> dict[str, float]:
    """One forward and backward pass in training mode."""
    method = paper_scale(name).train()
    target = Target(torch.rand(1, JOINTS, HEIGHT // 4, WIDTH // 4), torch.ones(1, JOINTS))

    def both_passes() -> None:
        torch.stack(list(method.loss(method(*clip(method)), target).values())).sum().backward()

    _, _, seconds = spent(both_passes)
    return {"step_peak_gb": peak_bytes() / 1e9, "step_seconds": seconds}


@torch.inference_mode()
def forward(name: str, rounds: int) -> dict[str, float]:
    """Time the method, five backbone passes and one batched pass in turn; shortest of `rounds`."""
    method = paper_scale(name).eval()
    frames, offsets = clip(method)
    ways: dict[str, Callable] = {
        "method": lambda: method(frames, offsets),
        "five_passes": lambda: [method.backbone(frames[:, i]) for i in range(len(method.window))],
        "batched_pass": lambda: method.backbone(frames[0]),
    }
    best = {way: min(found[1:]) for way, found in in_turn(ways, rounds + 1).items()}
    return {f"{way}_seconds": value for way, value in best.items()} | {
        "over_five_passes": best["method"] / best["five_passes"],
        "over_batched_pass": best["method"] / best["batched_pass"],
    }


def measured(job: str, name: str, args: argparse.Namespace) -> dict[str, float]:
    """Return the result of one job in a fresh process."""
    command = [sys.executable, __file__, str(args.out), "--job", job, "--methods", name]
    command += ["--threads", str(args.threads), "--rounds", str(args.rounds)]
    return json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("out", type=Path)
    parser.add_argument("--methods", nargs="+", default=["tdmi", "tdmi_st", "tdmi_review"])
    parser.add_argument(
        "--threads", type=int, default=1, help="1: processor times of a busy machine compare"
    )
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--job", choices=("step", "forward"), help=argparse.SUPPRESS)
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    if args.job:
        name = args.methods[0]
        print(json.dumps(step(name) if args.job == "step" else forward(name, args.rounds)))
        return
    rows = []
    for name in args.methods:
        row = {"method": name, "threads": args.threads, "machine": machine()}
        for job in ("step", "forward"):
            row |= measured(job, name, args)
        print(row)
        rows.append(row)
    table = pd.DataFrame(rows)
    panels = [
        ("step_peak_gb", "Peak memory of a training step (GB)", MEMORY_BAR),
        ("over_five_passes", "Forward time over five backbone passes", RATIO_BAR),
        ("over_batched_pass", "Forward time over one batched pass", None),
    ]
    bars(table, "method", panels, args.out, "tdmi_paper_scale")


if __name__ == "__main__":
    main()
