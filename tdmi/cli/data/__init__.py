"""Get, check, convert and make data sets, and look at them."""

from __future__ import annotations

import argparse
import importlib

ACTIONS = (
    "fetch", "check", "convert", "detect", "prepare", "export", "export_hieve", "weights",
    "mocap", "pose2sim", "contact_sheet",
)  # fmt: skip


def add_arguments(parser: argparse.ArgumentParser) -> None:
    actions = parser.add_subparsers(dest="action", required=True, metavar="action")
    for name in ACTIONS:
        module = importlib.import_module(f"tdmi.cli.data.{name}")
        action = actions.add_parser(
            name.replace("_", "-"),
            help=(module.__doc__ or "").strip().splitlines()[0],
            description=module.__doc__,
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )
        module.add_arguments(action)
        action.set_defaults(perform=module.run)


def run(args: argparse.Namespace) -> None:
    args.perform(args)
