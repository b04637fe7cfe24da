"""Estimate the cost of a suite: runs, arithmetic, memory, disk, hours.

Arithmetic and memory are counted on the models themselves. Time is measured here with real steps on
random input, on a CUDA device if there is one, else as processor time of one core. With --gpu NAME
it is an assumed share of that device's peak instead. Sizes come from the data set if it is
prepared, else from published numbers, and the plan says so. --compare puts the plan beside the
measured cost of finished runs: their provenance.json, timing.json and train.benchmark.tsv.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from tdmi.cli.options import add_suite_options, key_of, no_gpus

DEVICES = ("h100", "a100", "rtx4090", "cpu")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("suite", metavar="SUITE", help="workflow/config/SUITE.yaml")
    parser.add_argument("--gpu", choices=DEVICES, help="device to plan for (default: this one)")
    parser.add_argument("--efficiency", type=float, metavar="X", help="share of a peak, 0 to 1")
    parser.add_argument("--compare", type=Path, metavar="RUNS", help="folder of finished runs")
    parser.add_argument("--out", type=Path, metavar="DIR", help="also write tables and a figure")
    add_suite_options(parser)
    parser.set_defaults(threads=1, gpus=no_gpus)


def run(args: argparse.Namespace) -> None:
    from tdmi.config.suites import load_suites
    from tdmi.core.errors import UserError
    from tdmi.core.files import check_writable
    from tdmi.experiments.plan.compare import compare
    from tdmi.experiments.plan.plan import make_plan
    from tdmi.experiments.plan.throughput import EFFICIENCY

    if args.efficiency is not None and not 0 < args.efficiency <= 1:
        raise UserError(f"--efficiency: found {args.efficiency}, expected more than 0, at most 1")
    if args.efficiency is not None and args.gpu in (None, "cpu"):
        raise UserError("--efficiency goes with --gpu h100, a100 or rtx4090; leave it out")
    if args.compare and not args.compare.is_dir():
        raise UserError(f"--compare: {args.compare}: no such folder, expected one of runs")
    if args.out:
        check_writable(args.out / "plan_hours.csv", "--out")
    suites = load_suites(key_of(args))
    plan = make_plan(suites, args.gpu, args.efficiency or EFFICIENCY)
    # Imported last: the plan measures the memory of this process as that of a training.
    from tdmi.reporting import plan as presentation
    from tdmi.reporting.figures import style
    from tdmi.reporting.tables import tables

    if args.compare:
        data, name = compare(plan, args.compare), "plan_comparison_time"
        table, figure = (
            presentation.comparison_table(data, plan.device),
            presentation.comparison_figure(data),
        )
    else:
        data, name = plan.rows, "plan_hours"
        table, figure = presentation.plan_table(plan), presentation.plan_figure(plan)
    print(f"# {table.title}\n\n{tables.markdown(table)}", end="")
    if args.out:
        tables.write(table, args.out)
        style.save(figure, data, args.out, name)
