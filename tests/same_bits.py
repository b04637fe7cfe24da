"""Hash what a checkout makes, to see that a change of its structure changed no result.

    python tests/same_bits.py --write FILE                   # before the change
    python tests/same_bits.py --compare FILE                 # after it: 0 differences, or exit 1
    python tests/same_bits.py --write FILE --tree CHECKOUT   # of another checkout of the project

Made and hashed are the smoke suite with its report, and one seed of three methods of the embedded
suite with a short recipe. A record holds for one machine and one set of library versions: other
processors round differently.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
STEPS = 6
"""Of the embedded suite's recipes, which take thousands."""
EMBEDDED = ("single_frame", "flow_fusion", "tdmi_st")
SMOKE = (
    "single_frame", "single_frame_equal_compute", "key_frame_fusion", "temporal_concatenation",
    "flow_pooling", "dcpose", "tdmi",
)  # fmt: skip
BOXES = ("ground_truth_boxes", "detected_boxes")
RUN_FILES = (
    "config.yaml", "checkpoint.pt", "cost.json", "history.csv", "*/predictions/*.json",
    "*/tracked/*.json", "*/metrics.json", "*/tracking.json",
)  # fmt: skip
"""Not hashed: ``provenance.json``, ``code.json`` and ``predictions.provenance.json`` (source paths
and their hashes, commit, times) and ``timing.json`` (times)."""
REPORT_FILES = ("metrics.json", "tables/*.csv", "tables/*.md", "tables/*.tex")
"""Not hashed: the page and its figures, which tell commits and times."""
REPORT_TIMES = ("tables/timing.", "tables/runs.csv")
"""Tables that hold times or commits."""
DRIVER = """
import json, sys
try:
    from tdmi.cli.main import main
except ModuleNotFoundError:
    from tdmi.cli import main
for arguments in json.load(sys.stdin):
    if status := main(arguments):
        sys.exit(f"tdmi {' '.join(arguments)}: exit {status}")
"""


def data_commands(suite: str) -> list[list[str]]:
    make = ["data", "mocap", "--suite", suite, "--sources", "data/sources", "--split"]
    return [[*make, split] for split in ("train", "val", "test")]


def run_commands(suite: str, options: list[str], method: str, data: str) -> list[list[str]]:
    """Train, predict and evaluate seed 0 of one method, as the workflow's rules do."""
    run = f"runs/{suite}{''.join(options).replace('--', '_')}/{method}/seed0"
    truth = f"{data}/annotations/test"
    train = ["train", "--suite", suite, *options, "--method", method, "--seed", "0"]
    commands = [[*train, "--threads", "1"], ["predict", "--run", run, "--threads", "1"]]
    for boxes in BOXES:
        for folder, out, more in (
            ("predictions", "metrics", ["--curves", "--slices"]),
            ("tracked", "tracking", ["--tracking"]),
        ):
            if out == "metrics":
                more = [*more, "--attributes", f"{data}/attributes/test.csv"]
            paths = ["--gt", truth, "--pred", f"{run}/{boxes}/{folder}"]
            paths += ["--out", f"{run}/{boxes}/{out}.json"]
            commands.append(["evaluate", "--quiet", "--jobs", "1", *more, *paths])
    return commands


def jobs() -> dict[str, list[list[str]]]:
    """Two lists of commands that may run side by side."""
    smoke = data_commands("smoke")
    for method in SMOKE:
        smoke += run_commands("smoke", [], method, "data/mocap_smoke")
    smoke.append(["report", "--suite", "smoke", "--out", "results/smoke"])
    embedded = data_commands("embedded")
    for method in EMBEDDED:
        embedded += run_commands("embedded", ["--steps", str(STEPS)], method, "data/mocap")
    return {"smoke": smoke, "embedded": embedded}


def perform(name: str, commands: list[list[str]], tree: Path, folder: Path) -> None:
    environment = os.environ | {"PYTHONPATH": str(tree), "OMP_NUM_THREADS": "1"}
    with (folder / f"{name}.log").open("w") as log:
        done = subprocess.run(
            [sys.executable, "-c", DRIVER],
            input=json.dumps(commands),
            text=True,
            cwd=folder,
            env=environment,
            stdout=log,
            stderr=subprocess.STDOUT,
        )
    if done.returncode:
        sys.exit(f"{name} failed:\n{(folder / f'{name}.log').read_text()[-3000:]}")


def hashes(folder: Path) -> dict[str, str]:
    found = [
        path for run in folder.glob("runs/*/*/seed0") for g in RUN_FILES for path in run.glob(g)
    ]
    for pattern in REPORT_FILES:
        found += folder.glob(f"results/smoke/{pattern}")
    return {
        name: hashlib.sha256((folder / name).read_bytes()).hexdigest()
        for name in sorted(path.relative_to(folder).as_posix() for path in found)
        if not any(part in name for part in REPORT_TIMES)
    }


def made(tree: Path, folder: Path) -> dict[str, str]:
    """Hashes of the files that the code of `tree` makes in the empty `folder`."""
    (folder / "data").mkdir()
    (folder / "results").mkdir()
    (folder / "data/sources").symlink_to(ROOT / "data/sources")
    (folder / "workflow").symlink_to(tree / "workflow")
    (folder / "results/published.csv").symlink_to(tree / "results/published.csv")
    with ThreadPoolExecutor(2) as pool:
        list(pool.map(lambda job: perform(*job, tree, folder), jobs().items()))
    return hashes(folder)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    action = parser.add_mutually_exclusive_group(required=True)
    action.add_argument("--write", type=Path, metavar="FILE", help="record of hashes to write")
    action.add_argument("--compare", type=Path, metavar="FILE", help="record to compare with")
    parser.add_argument("--tree", type=Path, default=ROOT, metavar="DIR", help="default: this one")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        found = made(arguments.tree.resolve(), Path(name))
    if arguments.write:
        arguments.write.write_text(json.dumps(found, indent=1) + "\n")
        print(f"{len(found)} files hashed")
        return 0
    expected = json.loads(arguments.compare.read_text())
    different = [n for n in sorted(expected | found) if expected.get(n) != found.get(n)]
    print(*different, sep="\n")
    print(f"{len(different)} differences in {len(expected)} files")
    return int(bool(different))


if __name__ == "__main__":
    sys.exit(main())
