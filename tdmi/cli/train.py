"""Train one method of a suite; an interrupted run goes on where it was."""

from __future__ import annotations

import argparse
from pathlib import Path

from tdmi.cli.suite_options import add_protocol, add_trial, key_of


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--suite", required=True, metavar="NAME", help="workflow/config/NAME.yaml")
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument("--method", metavar="NAME", help="a method of the suite or grid")
    what.add_argument(
        "--check", action="store_true", help="only see whether every method can be built"
    )
    parser.add_argument("--seed", type=int, default=0, metavar="K")
    parser.add_argument("--runs", type=Path, default=Path("runs"), metavar="DIR")
    parser.add_argument("--threads", type=int, default=1, help="CPU threads of torch (default 1)")
    add_protocol(parser)
    add_trial(parser)
    again = parser.add_mutually_exclusive_group()
    again.add_argument("--fresh", action="store_true", help="start again, do not resume")
    again.add_argument(
        "--restart-if-changed",
        action="store_true",
        help="start again, instead of refusing, where the state belongs to other settings or data",
    )


def run(args: argparse.Namespace) -> None:
    from tdmi.config.suites import load_suite
    from tdmi.core.devices import claim

    suite = load_suite(key_of(args))
    if args.check:
        from tdmi.experiments.build import check_buildable

        check_buildable(suite)
        return
    settings = suite.settings(args.method, args.seed)
    claim(settings.recipe.devices)

    from tdmi.core.threads import use_threads

    use_threads(args.threads)
    from tdmi.experiments.build import check_buildable
    from tdmi.experiments.train import train_run

    # Whichever trains first: a wrong option of any other stops the job before it.
    if settings.start_from is None or args.grid:
        check_buildable(suite)
    name = suite.run_name(args.method, args.seed)
    train_run(settings, args.runs, name, args.fresh, args.restart_if_changed)
