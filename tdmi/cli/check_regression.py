"""Measure a small suite and compare it with the committed record: has a change made it worse?

First what is the same every time (data, crops, decoder, evaluator, losses, networks, the first
steps of training), then, unless that differs already, two trainings whose results may vary as far
as they did over the recorded seeds. Whatever differs is listed with its size, the commit of the
record and the part that most likely is at fault; the exit status is then 1. The data set has to be
there: `snakemake --cores all --config suite=NAME` makes it.
"""

from __future__ import annotations

import argparse
import sys

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
    from tdmi.experiments.regression import record
    from tdmi.experiments.regression.judgement import explanation, failures

    if args.update is not None:
        if args.update < 3:
            raise UserError(f"--update: found {args.update}, expected 3 or more seeds")
        print(f"wrote {record.update(args.suite, range(args.update))}")
        return
    known = record.read(args.suite)
    total = len(known["fixed"])
    found = failures(record.fixed_probes(args.suite), known, "fixed")
    if not found:
        total += len(known["trained"])
        found = failures(record.trained_probes(args.suite, args.seed), known, "trained")
    if found:
        print("\n".join(explanation(found, known, total)))
        sys.exit(1)
    print(f"all {total} probes are as in the record of commit {known['commit'][:12]}")
