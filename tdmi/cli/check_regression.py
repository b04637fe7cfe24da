"""Measure a small suite and compare it with the committed record, to find what a change has broken.

First come numbers that are the same every time: data, crops, decoder, evaluator, losses, networks,
the first steps of training. If none differs, two trainings follow, whose results may vary as far as
they did over the recorded seeds. Every difference is listed with its size, the record's commit and
the part that is most likely at fault; the exit status is then 1. It runs in a checkout of this
project, with the suite's data: `snakemake --cores all --config suite=NAME` makes them.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from tdmi.cli.options import add_threads


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--suite", required=True, metavar="NAME", help="record: workflow/regression/NAME.json"
    )
    parser.add_argument("--seed", type=int, default=0, metavar="K", help="of the two trainings")
    add_threads(parser)
    parser.add_argument(
        "--update",
        type=int,
        nargs="?",
        const=10,
        metavar="N",
        help="instead, measure with N seeds (default 10, at least 3) and write the record",
    )


def run(args: argparse.Namespace) -> None:
    from tdmi.core.errors import UserError

    if not Path("tests/regression/__init__.py").is_file():
        raise UserError(
            "tests/regression: no such folder here; run this in a checkout of the project"
        )
    if args.update is not None and args.update < 3:
        raise UserError(f"--update: found {args.update}, expected 3 or more seeds")
    # In front only while importing: `tdmi` and `baselines` stay those of this process.
    sys.path.insert(0, str(Path.cwd()))
    from tests.regression import comparison, record

    sys.path.remove(str(Path.cwd()))
    if args.update is not None:
        print(f"wrote {record.update(args.suite, range(args.update))}")
        return
    same, report = comparison.check(args.suite, args.seed)
    print(report)
    if not same:
        sys.exit(1)
