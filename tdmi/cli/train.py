"""Train one method of a suite, or continue its interrupted training."""

from __future__ import annotations

import argparse
from pathlib import Path

from tdmi.cli.options import add_suite_options, add_threads, key_of


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--suite", required=True, metavar="NAME", help="workflow/config/NAME.yaml")
    task = parser.add_mutually_exclusive_group(required=True)
    task.add_argument("--method", metavar="NAME", help="a method of the suite or grid")
    task.add_argument(
        "--check", action="store_true", help="train nothing; check that every method can be built"
    )
    parser.add_argument("--seed", type=int, default=0, metavar="K")
    parser.add_argument("--runs", type=Path, default=Path("runs"), metavar="DIR")
    add_threads(parser, gpus=_gpus)
    add_suite_options(parser)
    again = parser.add_mutually_exclusive_group()
    again.add_argument("--fresh", action="store_true", help="start again instead of resuming")
    again.add_argument(
        "--restart-if-changed",
        action="store_true",
        help="start again, instead of refusing, where the state belongs to other settings or data",
    )


def _gpus(args: argparse.Namespace) -> int:
    """Return how many GPUs the method's recipe trains on; none for ``--check``."""
    from tdmi.config.suites import load_suite

    if args.check:
        return 0
    return load_suite(key_of(args)).settings(args.method, args.seed).recipe.devices


def run(args: argparse.Namespace) -> None:
    from tdmi.config.suites import load_suite
    from tdmi.experiments.build import check_buildable
    from tdmi.experiments.train import train_run

    suite = load_suite(key_of(args))
    settings = None if args.check else suite.settings(args.method, args.seed)
    # Trainings that start from nothing run first: there a wrong option of another method is cheap.
    if settings is None or settings.start_from is None or args.grid:
        check_buildable(suite)
    if settings is not None:
        name = suite.run_name(args.method, args.seed)
        train_run(settings, args.runs, name, args.fresh, args.restart_if_changed)
