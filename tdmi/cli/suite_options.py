"""Options of commands that take a suite: a grid of it, its protocol, or a small trial of it."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tdmi.config.keys import SuiteKey


def add_trial(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--grid", metavar="NAME", help="ablations of the suite, workflow/config/grids/NAME.yaml"
    )
    parser.add_argument(
        "--width", type=int, metavar="N", help="try the suite with a backbone of this width"
    )
    parser.add_argument(
        "--steps", type=int, metavar="N", help="try the suite with this many steps per recipe"
    )


def key_of(args: argparse.Namespace) -> SuiteKey:
    """Return the key of the suite that the options name."""
    from tdmi.config.keys import SmallSize, SuiteKey

    return SuiteKey(args.suite, args.grid, args.protocol, SmallSize(args.width, args.steps))


def add_protocol(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--protocol",
        choices=("shared", "published"),
        default="shared",
        help="settings shared by all methods (default), or each method's own published ones",
    )
