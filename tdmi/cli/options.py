"""Options that several commands share, and groups of commands."""

from __future__ import annotations

import argparse
import importlib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tdmi.config.keys import SuiteKey


def add_commands(
    parser: argparse.ArgumentParser, package: str, names: Sequence[str], kind: str
) -> None:
    """Add each command of `names` from its module in `package`, with the help in its docstring.

    A module has `add_arguments` and, unless it is a group of commands itself, `run`.
    """
    commands = parser.add_subparsers(dest=kind, required=True, metavar=kind)
    for name in names:
        module = importlib.import_module(f"{package}.{name.replace('-', '_')}")
        command = commands.add_parser(
            name,
            help=(module.__doc__ or "").strip().splitlines()[0],
            description=module.__doc__,
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )
        command.set_defaults(run=vars(module).get("run"))
        module.add_arguments(command)


def add_suite_options(parser: argparse.ArgumentParser) -> None:
    """Add what chooses a part or a form of a suite: its grid, protocol and small size."""
    parser.add_argument(
        "--grid", metavar="NAME", help="ablations of the suite, workflow/config/grids/NAME.yaml"
    )
    parser.add_argument(
        "--protocol",
        choices=("shared", "published"),
        default="shared",
        help="settings shared by all methods (default), or each method's own published ones",
    )
    parser.add_argument(
        "--width", type=int, metavar="N", help="shrink the suite: a backbone of this width"
    )
    parser.add_argument(
        "--steps", type=int, metavar="N", help="shrink the suite: this many steps per recipe"
    )


def key_of(args: argparse.Namespace) -> SuiteKey:
    """Return the key of the suite that the options name."""
    from tdmi.config.keys import SmallSize, SuiteKey

    return SuiteKey(args.suite, args.grid, args.protocol, SmallSize(args.width, args.steps))


def no_gpus(_: argparse.Namespace) -> int:
    return 0


def add_threads(
    parser: argparse.ArgumentParser,
    default: int = 1,
    gpus: Callable[[argparse.Namespace], int] = no_gpus,
) -> None:
    """Add ``--threads``; `main` prepares the process with them and `gpus(args)` claimed GPUs."""
    parser.add_argument(
        "--threads", type=int, default=default, help=f"CPU threads of torch (default {default})"
    )
    parser.set_defaults(gpus=gpus)


def add_trained_run(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--run", dest="folder", type=Path, required=True, metavar="DIR", help="a trained run"
    )


def add_recorded_run(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "folder", type=Path, metavar="RUN", help="a finished run, e.g. runs/embedded/tdmi/seed0"
    )
    parser.add_argument(
        "--runs",
        type=Path,
        metavar="DIR",
        help="folder of the run that it started from (default: the one that holds RUN)",
    )


def add_split(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--split", choices=("train", "validation", "test"), default="test", help="default: test"
    )


def add_detector_weights(parser: argparse.ArgumentParser, option: str) -> None:
    parser.add_argument(
        option,
        type=Path,
        metavar="FILE",
        help="state dictionary of fasterrcnn_resnet50_fpn_v2; default: from torchvision's cache",
    )
