"""Hash a run's files again and say what differs from today's code, data and environment.

Files of the run folder (settings, checkpoint, history, predictions, metrics) must be as recorded:
the first that is not ends with one line and exit status 2. Everything that has merely changed since
(commit, source files, package versions, hardware, data, boxes, initial weights) is listed, with
exit status 0. Pictures are not read: their data set's record stands for them.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tdmi.experiments.verify import Difference, Verification


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "folder", type=Path, metavar="RUN", help="a run, e.g. runs/embedded/tdmi/seed0"
    )
    parser.add_argument(
        "--runs",
        type=Path,
        metavar="DIR",
        help="folder of the run it started from (default: the one that holds RUN)",
    )


def run(args: argparse.Namespace) -> None:
    from tdmi.experiments.verify import verify

    for line in lines(args.folder, verify(args.folder, args.runs)):
        print(line)


def lines(folder: Path, found: Verification) -> list[str]:
    counts = ", ".join(f"{count} of {stage}" for stage, count in found.files.items())
    result = [f"{folder}: files are as recorded: {counts}", f"same today: {', '.join(found.same)}"]
    result += [f"differs: {_difference(one)}" for one in found.differences]
    result += [f"not recorded: {name}" for name in found.unrecorded]
    return result


def _difference(one: Difference) -> str:
    from tdmi.experiments.provenance import shown

    return f"{one.what}: recorded {shown(one.recorded)}, today {shown(one.today)}"
