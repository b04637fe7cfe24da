"""Say what a suite will take before it runs: runs, arithmetic, memory, disk, hours.

Arithmetic and memory are counted on the models themselves. Time is that of real steps on random
input, measured here (on a CUDA device if there is one, else as processor time of one core), or with
--gpu NAME an assumed share of that device's peak. The data set is read if it is prepared; else
published numbers stand in, and the plan says so. With --compare the plan is put beside what runs
have taken: provenance.json, timing.json and Snakemake's train.benchmark.tsv of each.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from tdmi.cli.suite_options import add_protocol, add_trial, key_of

DEVICES = ("h100", "a100", "rtx4090", "cpu")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("suite", metavar="SUITE", help="workflow/config/SUITE.yaml")
    parser.add_argument("--gpu", choices=DEVICES, help="device to plan for (default: what is here)")
    parser.add_argument(
        "--efficiency", type=float, metavar="X", help="share of a device's peak, 0 to 1"
    )
    parser.add_argument(
        "--compare", type=Path, metavar="RUNS", help="put the plan beside the runs in this folder"
    )
    parser.add_argument(
        "--out", type=Path, metavar="DIR", help="also write tables (csv, md, tex) and a figure"
    )
    add_protocol(parser)
    add_trial(parser)


def run(args: argparse.Namespace) -> None:
    from tdmi.config.suites import load_suites
    from tdmi.core.errors import UserError

    if args.efficiency is not None and not 0 < args.efficiency <= 1:
        raise UserError(f"--efficiency: found {args.efficiency}, expected more than 0, at most 1")
    if args.efficiency is not None and args.gpu in (None, "cpu"):
        raise UserError("--efficiency goes with --gpu h100, a100 or rtx4090; leave it out")
    if args.compare and not args.compare.is_dir():
        raise UserError(
            f"{args.compare}: no such folder, expected that of the runs, e.g. --compare runs"
        )
    suites = load_suites(key_of(args))

    from tdmi.core.threads import use_threads

    use_threads(1)
    from tdmi.experiments.plan.compare import compare
    from tdmi.experiments.plan.devices import EFFICIENCY
    from tdmi.experiments.plan.plan import make_plan

    plan = make_plan(suites, args.gpu, args.efficiency or EFFICIENCY)
    # Not before: the plan takes the memory of this process for that of a training.
    from tdmi.experiments.plan import presentation
    from tdmi.reporting.figures import style
    from tdmi.reporting.tables import tables

    if args.compare:
        data, name = compare(plan, suites, args.compare), "plan_comparison_time"
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
