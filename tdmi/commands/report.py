"""Turn run folders into tables, figures, a gallery and one self-contained page.

Reads result files only. Runs that are missing leave blank cells marked "not run". The keys of the
mapping in --config are described in tdmi/reporting/settings.py.
"""

from __future__ import annotations

import argparse
from pathlib import Path


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--config", type=Path, required=True, help="resolved suite mapping (YAML)")
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
    from tdmi.reporting.report import make_report
    from tdmi.reporting.settings import load

    make_report(load(arguments.config), arguments.runs, arguments.out, arguments.published)
    print(f"{arguments.out / 'index.html'}")
