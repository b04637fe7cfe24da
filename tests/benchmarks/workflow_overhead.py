"""Overhead of Snakemake and of imports beside the work itself, in processor and wall seconds.

    python tests/benchmarks/workflow_overhead.py

Measured in a copy of the tracked files: `tdmi --help`; the plan of all grids at full scale; a job
of the workflow that does nothing (the difference between many and one, by the number more); and
what a prediction and a training import before they begin, beside a bare program that imports torch,
and one that takes one step of Adam with it, without which nothing can be predicted or trained.
Processor time counts children and holds on a busy machine, wall time on a quiet one alone.
"""

from __future__ import annotations

import argparse
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from tests.support.checkouts import checkout
from tests.support.scheduler_stand_ins import environment, stand_in_tdmi

STEP = "import torch; p = torch.ones(1, requires_grad=True); p.sum().backward()"
PROGRAMS = {
    "torch alone": "import torch",
    "imports of a prediction": "import tdmi.experiments.predict, scipy.optimize",
    "torch alone, one step of Adam": f"{STEP}; torch.optim.Adam([p]).step()",
    "imports of a training, and such a step": (
        f"import tdmi.experiments.train; {STEP}; torch.optim.Adam([p]).step()"
    ),
}
REPEATS = 3
SNAKEMAKE = [sys.executable, "-m", "snakemake", "--quiet", "all"]


def measured(command: list[str], folder: Path, env: dict[str, str]) -> tuple[float, float]:
    """Return the processor seconds of a command with its children, and its wall seconds."""
    before, begin = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    subprocess.run(command, cwd=folder, env=env, check=True, capture_output=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    used = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return used, time.perf_counter() - begin


def show(what: str, seconds: tuple[float, float]) -> None:
    print(f"{what:58} {seconds[0]:7.2f} s processor {seconds[1]:7.2f} s wall", flush=True)


def main() -> None:
    argparse.ArgumentParser(description=__doc__.splitlines()[0]).parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        clone, commands = checkout(folder / "clone"), folder / "commands"
        python = [sys.executable, "-m", "tdmi.cli.main"]
        show("tdmi --help", measured([*python, "--help"], clone, dict(os.environ)))
        times = {name: [] for name in PROGRAMS}
        for _ in range(REPEATS):
            for name, code in PROGRAMS.items():
                times[name].append(measured([sys.executable, "-c", code], clone, dict(os.environ)))
        for name, found in times.items():
            show(name, min(found))

        stand_in_tdmi(commands)
        env = environment(commands)
        grids = [*SNAKEMAKE, "-n", "--config", "suite=posetrack17", "grid=all"]
        show("snakemake -n, posetrack17, every grid", measured(grids, clone, env))

        run = [*SNAKEMAKE, "--cores", "1", "--config", "suite=smoke", "grid=mi_terms", "--"]
        first = "runs/smoke/{}/seed0/checkpoint.pt"
        measured([*run, first.format("single_frame")], clone, env)
        one = measured([*run, first.format("tdmi")], clone, env)
        made = len(list(clone.glob("runs/*/*/*/checkpoint.pt")))
        many = measured([*run, "all_runs"], clone, env)
        jobs = len(list(clone.glob("runs/*/*/*/checkpoint.pt"))) - made
        each = tuple((b - a) / (jobs - 1) for a, b in zip(one, many, strict=True))
        show(f"a job that does nothing ({jobs} jobs)", each)


if __name__ == "__main__":
    main()
