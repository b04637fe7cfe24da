"""The `tdmi` command: one sub-command per stage, each in its own module of `tdmi.cli`.

Command modules import only the standard library at the top and the rest inside `run`, so that
`tdmi --help` stays fast.
"""

from __future__ import annotations

import argparse
import importlib
import logging
import sys

from tdmi import __version__
from tdmi.core.errors import UserError

COMMANDS = (
    "data",
    "plan",
    "train",
    "predict",
    "track",
    "evaluate",
    "compare",
    "diff",
    "verify",
    "reproduce",
    "check-regression",
    "report",
    "explain",
    "demo",
)


def build_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="tdmi", description="Benchmark for human pose estimation in video."
    )
    parser.add_argument("--version", action="version", version=f"tdmi {__version__}")
    commands = parser.add_subparsers(dest="command", required=True, metavar="command")
    for name in COMMANDS:
        module = importlib.import_module(f"tdmi.cli.{name.replace('-', '_')}")
        summary = (module.__doc__ or "").strip().splitlines()[0]
        command = commands.add_parser(
            name,
            help=summary,
            description=module.__doc__,
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )
        module.add_arguments(command)
        command.set_defaults(run=module.run)
    return parser


def log_to_stderr() -> None:
    """Show the messages of library code as plain lines on standard error."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(logging.Formatter("%(message)s"))
    for package in ("tdmi", "baselines"):
        logger = logging.getLogger(package)
        logger.setLevel(logging.INFO)
        logger.handlers = [handler]


def main(arguments: list[str] | None = None) -> int:
    """Run one command; 0 on success, 130 for Ctrl-C, 2 for bad input or what the system refuses
    (a full disk, a file that may not be read), with one line on stderr."""
    parsed = build_parser().parse_args(arguments)
    log_to_stderr()
    try:
        parsed.run(parsed)
    except UserError as error:
        print(f"tdmi {parsed.command}: {error}", file=sys.stderr)
        return 2
    except OSError as error:
        if error.strerror is None:  # raised by a library, not by the system
            raise
        place = f"{error.filename}: " if error.filename else ""
        print(
            f"tdmi {parsed.command}: {place}{error.strerror}; mend that and run the same command "
            "again",
            file=sys.stderr,
        )
        return 2
    except KeyboardInterrupt:
        print(f"tdmi {parsed.command}: interrupted", file=sys.stderr)
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
