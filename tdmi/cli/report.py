"""Turn run folders into tables, figures, a gallery and one self-contained page.

Reads result files only. Runs that are missing leave blank cells marked "not run". With --config,
the mapping is read from a file instead of made from a suite of the workflow; its keys are described
in tdmi/reporting/data/settings.py.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from tdmi.cli.suite_options import add_protocol, add_trial, key_of


def add_arguments(parser: argparse.ArgumentParser) -> None:
    source = parser.add_mutually_exclusive_group(required=True)
    source.add_argument("--suite", help="suite of workflow/config, e.g. embedded")
    source.add_argument("--config", type=Path, help="resolved suite mapping (YAML)")
    add_protocol(parser)
    add_trial(parser)
    parser.add_argument(
        "--runs", type=Path, default=Path("runs"), help="folder of all run folders (default: runs)"
    )
    parser.add_argument(
        "--out", type=Path, required=True, help="folder to write, e.g. results/embedded"
    )
    parser.add_argument(
        "--published",
        type=Path,
        default=Path("results/published.csv"),
        help="published results (default: results/published.csv)",
    )


def run(arguments: argparse.Namespace) -> None:
    from tdmi.core.errors import UserError
    from tdmi.reporting.data.from_suite import settings_of
    from tdmi.reporting.data.settings import load
    from tdmi.reporting.report import make_report

    if arguments.config is None:
        settings = settings_of(key_of(arguments))
    elif arguments.grid is not None:
        raise UserError("--grid: found it with --config, expected it with --suite alone")
    else:
        settings = load(arguments.config)
    make_report(settings, arguments.runs, arguments.out, arguments.published)
    print(arguments.out / "index.html")
