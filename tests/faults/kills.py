"""Kill the workflow of the smoke suite at random moments; its results must not change.

    python tests/faults/kills.py --kills 25 --seed 0

Two checkouts are made: one runs undisturbed (or is given with `--reference`), the other is struck.
A strike hits the main process alone (its jobs live on), one job, or all of them, with SIGTERM or
SIGKILL, some seconds after a job was seen at work. The same command is given again after each
strike. A workflow that ends before the last strike begins again without its runs. In the end the
files of the runs must have the same bytes, with no process and no half-written file left.
"""

from __future__ import annotations

import argparse
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from tests.support.checkouts import ROOT, checkout, copy_sources

SAME = ("metrics.json", "tracking.json", "checkpoint.pt", "history.csv", "cost.json", "config.yaml")
BOXES = ("ground_truth_boxes", "detected_boxes")
TARGETS = ("main", "job", "group")
PATIENCE = 1800
"""Seconds after which a workflow that does not end counts as stuck."""


@dataclass(frozen=True)
class Strike:
    target: str
    signal: signal.Signals
    after: float
    """Seconds since a job was seen."""


def draw(random_: random.Random, within: tuple[float, float]) -> Strike:
    kind = random_.choice((signal.SIGTERM, signal.SIGKILL))
    return Strike(random_.choice(TARGETS), kind, random_.uniform(*within))


def members(groups: Sequence[int]) -> dict[int, str]:
    """Return the command lines of the living processes of some process groups, by process."""
    found = {}
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            state, _, group = (folder / "stat").read_text().rpartition(")")[2].split()[:3]
            command = (folder / "cmdline").read_bytes().replace(b"\0", b" ").decode()
        except OSError:  # ended meanwhile
            continue
        if int(group) in groups and state != "Z":
            found[int(folder.name)] = command
    return found


def jobs(groups: Sequence[int]) -> dict[int, str]:
    """Return the sub-commands of the jobs of some process groups, e.g. ``train``, by process."""
    work = {}
    for pid, command in members(groups).items():
        words = command.split()
        if len(words) > 2 and words[1].endswith("/tdmi"):
            work[pid] = words[2]
    return work


class Workflow:
    """A checkout in which the same command is run again and again."""

    def __init__(self, folder: Path, targets: Sequence[str], cores: int = 2) -> None:
        self.folder = folder
        self.command = ["snakemake", "--cores", str(cores), *targets, "--config", "suite=smoke"]
        self.groups: list[int] = []
        self.process: subprocess.Popen | None = None

    @property
    def running(self) -> bool:
        return self.process is not None and self.process.poll() is None

    def start(self) -> None:
        environment = os.environ | {"OMP_NUM_THREADS": "1", "PYTHONPATH": str(self.folder)}
        with open(self.folder / "workflow.out", "ab") as out:
            self.process = subprocess.Popen(
                self.command,
                cwd=self.folder,
                stdout=out,
                stderr=out,
                env=environment,
                start_new_session=True,
            )
        self.groups.append(self.process.pid)

    def wait(self) -> int:
        return self.process.wait(PATIENCE)

    def strike(self, strike: Strike, random_: random.Random) -> list[str] | None:
        """Strike; return the sub-commands at work then, or None if the workflow ended before."""
        group = self.process.pid
        while self.running and not jobs([group]):
            time.sleep(0.2)
        end = time.monotonic() + strike.after
        while self.running and time.monotonic() < end:
            time.sleep(0.05)
        if not self.running:
            return None
        working = jobs([group])
        if strike.target == "job":
            if working:
                _kill(os.kill, random_.choice(sorted(working)), strike.signal)
        else:
            _kill(os.killpg if strike.target == "group" else os.kill, group, strike.signal)
            self.wait()
        return sorted(working.values())

    def last_words(self, lines: int = 60) -> str:
        """Return the end of all logs, for messages: the folder may be temporary."""
        files = [self.folder / "workflow.out", *self.folder.glob("runs/**/*.log")]
        texts = [path.read_text(errors="replace").splitlines()[-lines:] for path in files]
        return "\n".join(f"{f}:\n" + "\n".join(t) for f, t in zip(files, texts, strict=True))

    def forget_runs(self) -> None:
        for name in ("runs", "results/smoke"):
            shutil.rmtree(self.folder / name, ignore_errors=True)


def _kill(how: Callable[[int, int], None], which: int, with_: signal.Signals) -> None:
    with suppress(ProcessLookupError):
        how(which, with_)


def targets_of(methods: Sequence[str]) -> list[str]:
    """Return the files to ask the workflow for: none, which means all, without a method."""
    return [
        f"runs/smoke/{method}/seed0/{boxes}/{file}.json"
        for method in methods
        for boxes in BOXES
        for file in ("metrics", "tracking")
    ]


def compare_files(reference: Path, folder: Path, methods: Sequence[str]) -> tuple[int, list[str]]:
    """Return how many files were compared, and which of them differ or are missing."""
    runs = reference / "runs" / "smoke"
    paths = [p for name in SAME for p in runs.rglob(name)]
    paths += [p for kind in ("predictions", "tracked") for p in runs.glob(f"*/*/*/{kind}/9*.json")]
    paths += list((reference / "data").glob("*/dataset-*.json"))
    names = [path.relative_to(reference) for path in paths]
    if methods:
        names = [n for n in names if n.parts[0] == "data" or n.parts[2] in methods]
    different = [
        str(name)
        for name in sorted(names)
        if not (folder / name).is_file()
        or (folder / name).read_bytes() != (reference / name).read_bytes()
    ]
    return len(names), different


def leftovers(folder: Path) -> list[str]:
    """Return half-written files, and states of complete trainings."""
    wrong = [p for pattern in (".*.part*", ".*.former") for p in folder.rglob(pattern)]
    wrong += (folder / "runs").rglob("resume.pt")
    return sorted(str(path.relative_to(folder)) for path in wrong)


def harass(
    workflow: Workflow,
    kills: int,
    random_: random.Random,
    within: tuple[float, float],
    check: Callable[[], None],
) -> Counter:
    """Strike `kills` times and count the strikes by what they hit.

    A workflow that ends before is checked, then begins again without its runs. RuntimeError if a
    workflow fails although none of its jobs was struck.
    """
    hits, count, job_struck = Counter(), 0, False
    while count < kills:
        if not workflow.running:
            workflow.start()
            job_struck = False
        strike = draw(random_, within)
        working = workflow.strike(strike, random_)
        if working is None:
            if workflow.process.returncode == 0:
                check()
                workflow.forget_runs()
            elif not job_struck:
                raise RuntimeError(f"{workflow.folder}: failed by itself:\n{workflow.last_words()}")
            continue
        if strike.target == "job" and not working:
            continue
        count += 1
        job_struck |= strike.target == "job"
        hits[f"{strike.target} {strike.signal.name}"] += 1
        hits.update({f"working: {name}": 1 for name in set(working) or {"no job"}})
        print(
            f"{time.strftime('%H:%M:%S')} kill {count}: {strike.signal.name} to {strike.target} "
            f"{strike.after:.1f} s after work was seen; at work: {', '.join(working) or 'nothing'}",
            flush=True,
        )
    return hits


def finish(workflow: Workflow, attempts: int = 3) -> int:
    """Run the same command until the workflow ends; return how often it was run."""
    for attempt in range(attempts):
        if not workflow.running:
            workflow.start()
        if workflow.wait() == 0:
            return attempt + 1
    sys.exit(f"{workflow.folder}: did not end in {attempts} attempts, see workflow.out there")


def prepare_checkout(folder: Path, sources: Path) -> Path:
    checkout(folder)
    copy_sources(folder, sources)
    return folder


def run(options: argparse.Namespace, folder: Path) -> int:
    targets = targets_of(options.methods)
    reference = options.reference
    if reference is None:
        reference = prepare_checkout(folder / "reference", options.sources)
        finish(Workflow(reference, targets), attempts=1)
    struck = Workflow(prepare_checkout(folder / "struck", options.sources), targets)
    random_ = random.Random(options.seed)
    begin = time.monotonic()
    faults: list[str] = []

    def check() -> None:
        """Check a workflow that has ended."""
        count, different = compare_files(reference, struck.folder, options.methods)
        left, alive = leftovers(struck.folder), members(struck.groups)
        print(f"end of a workflow: {count} files compared, {len(different)} different")
        faults.extend(f"different: {name}" for name in different)
        faults.extend(f"left over: {name}" for name in left)
        faults.extend(f"still alive: {command}" for command in alive.values())

    hits = harass(struck, options.kills, random_, tuple(options.within), check)
    attempts = finish(struck)
    check()
    for name, number in sorted(hits.items()):
        print(f"{name}: {number}")
    print(f"commands after the last kill: {attempts}; seconds: {time.monotonic() - begin:.0f}")
    print("\n".join(faults) or "all files the same, nothing left over, no process alive")
    return 1 if faults else 0


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--kills", type=int, default=25)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--within", type=float, nargs=2, default=(1.0, 15.0), metavar="SECONDS")
    parser.add_argument("--methods", nargs="*", default=(), help="of the smoke suite; default: all")
    parser.add_argument("--reference", type=Path, help="a checkout with an undisturbed run")
    parser.add_argument("--sources", type=Path, default=ROOT / "data" / "sources")
    parser.add_argument("--keep", type=Path, metavar="DIR", help="work in this new folder")
    options = parser.parse_args(arguments)
    if options.keep:
        return run(options, options.keep.absolute())
    with tempfile.TemporaryDirectory() as folder:
        return run(options, Path(folder))


if __name__ == "__main__":
    sys.exit(main())
