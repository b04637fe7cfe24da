"""The `tdmi` command: one sub-command per stage, each in its own module of `tdmi.cli`.

Command modules import only the standard library at the top and the rest inside `run`, so that
`tdmi --help` stays fast.
"""

from __future__ import annotations

import argparse
import logging
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from tdmi import __version__
from tdmi.cli.options import add_commands
from tdmi.core.errors import UserError

COMMANDS = (
    "data", "plan", "train", "predict", "track", "evaluate", "compare", "diff", "verify",
    "reproduce", "check-regression", "report", "explain", "demo",
)  # fmt: skip


def build_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="tdmi", description="Benchmark for human pose estimation in video."
    )
    parser.add_argument("--version", action="version", version=f"tdmi {__version__}")
    add_commands(parser, "tdmi.cli", COMMANDS, "command")
    return parser


@contextmanager
def log_to_stderr() -> Iterator[None]:
    """Show the messages of library code as plain lines on standard error, inside the block."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(logging.Formatter("%(message)s"))
    loggers = [logging.getLogger(package) for package in ("tdmi", "baselines")]
    for logger in loggers:
        logger.setLevel(logging.INFO)
        logger.addHandler(handler)
    try:
        yield
    finally:
        for logger in loggers:
            logger.removeHandler(handler)


def main(arguments: list[str] | None = None) -> int:
    """Run one command and return its exit status.

    0 on success, 130 after Ctrl-C, 2 for bad input or what the system refuses (a full disk, a file
    that may not be read), with one line on standard error.
    """
    args = build_parser().parse_args(arguments)
    try:
        with log_to_stderr():
            if "threads" in args:  # a command that uses torch
                from tdmi.core.process import prepare_process

                prepare_process(args.threads, args.gpus(args))
            args.run(args)
    except UserError as error:
        message, status = str(error), 2
    except OSError as error:
        if error.strerror is None:  # raised by a library, not by the system
            raise
        place = f"{error.filename}: " if error.filename else ""
        message = f"{place}{error.strerror}; mend that and run the same command again"
        status = 2
    except KeyboardInterrupt:
        message, status = "interrupted", 130
    else:
        return 0
    print(f"tdmi {args.command}: {message}", file=sys.stderr)
    return status


if __name__ == "__main__":
    sys.exit(main())
