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
    from dataclasses import replace

    from tdmi.core.files import check_writable, write_json
    from tdmi.experiments.evaluate import evaluate_and_record
    from tdmi.experiments.folder import evaluated_folder
    from tdmi.experiments.reproduce import compare_runs, evaluations, repeat

    check_writable(args.out / "reproduction.json", "--out")
    wanted = evaluations(args.folder)
    folder = repeat(args.folder, args.out, args.runs)
    for path, request in wanted:
        again = replace(request, predictions=evaluated_folder(folder / path))
        evaluate_and_record(again, folder / path)
    found = compare_runs(args.folder, folder, [path for path, _ in wanted])
    print("\n".join(found.lines()))
    write_json(folder / "reproduction.json", found.as_json())
    if any(one.differing for one in found.comparisons):
        sys.exit(1)
