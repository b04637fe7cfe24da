"""Repeat a recorded run (training, prediction, evaluation) and compare it with the record.

Everything comes from the run's config.yaml; initial weights are those of the recorded run. On the
same machine with the same code and packages the repeated run is equal to the bit. Elsewhere the
differences are listed, and the exit status is 1 if a metric differs. The comparison is also written
to reproduction.json in the new folder. The same command continues an interrupted repetition.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from tdmi.cli.options import add_recorded_run, add_threads


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_recorded_run(parser)
    parser.add_argument(
        "--out", type=Path, required=True, metavar="DIR", help="folder of runs to repeat it in"
    )
    add_threads(parser)


def run(args: argparse.Namespace) -> None:
    from tdmi.core.files import write_json
    from tdmi.experiments.reproduce import compare_runs, evaluations, repeat

    wanted = evaluations(args.folder)
    folder = repeat(args.folder, args.out, args.runs)
    for path, options in wanted:
        _evaluate(folder / path, options)
    found = compare_runs(args.folder, folder, [path for path, _ in wanted])
    print("\n".join(found.lines()))
    write_json(folder / "reproduction.json", found.as_json())
    if any(one.differing for one in found.comparisons):
        sys.exit(1)


def _evaluate(out: Path, options: list[str]) -> None:
    from tdmi.cli import evaluate
    from tdmi.experiments.verify import judged_folder

    parser = argparse.ArgumentParser()
    evaluate.add_arguments(parser)
    options = [*options, "--pred", str(judged_folder(out)), "--out", str(out), "--quiet"]
    if out.name == "tracking.json":
        options.append("--tracking")
    evaluate.run(parser.parse_args(options))
