"""Hash a run's files again and list what differs from today's code, data and environment.

The files of the run folder (settings, checkpoint, history, predictions, metrics) must be as
recorded, else the first changed file is named in one line, with exit status 2. Other changes
(commit, source files, package versions, hardware, data, boxes, initial weights) are listed, with
exit status 0. Pictures are not read; the record of their data set stands for them.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from tdmi.cli.options import add_recorded_run

if TYPE_CHECKING:
    from tdmi.experiments.verify import Verification


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_recorded_run(parser)


def run(args: argparse.Namespace) -> None:
    from tdmi.experiments.verify import verify

    print("\n".join(lines(args.folder, verify(args.folder, args.runs))))


def lines(folder: Path, found: Verification) -> list[str]:
    from tdmi.experiments.provenance import shown

    counts = ", ".join(f"{count} of {stage}" for stage, count in found.files.items())
    result = [f"{folder}: files are as recorded: {counts}", f"same today: {', '.join(found.same)}"]
    result += [
        f"differs: {one.what}: recorded {shown(one.recorded)}, today {shown(one.today)}"
        for one in found.differences
    ]
    return result + [f"not recorded: {name}" for name in found.unrecorded]
