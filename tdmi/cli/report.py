"""Turn run folders into tables, figures, a gallery and one self-contained page.

Reads result files only. Runs that are missing leave blank cells marked "not run".
"""

from __future__ import annotations

import argparse
from pathlib import Path

from tdmi.cli.options import add_suite_options, key_of


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--suite", required=True, help="suite of workflow/config, e.g. embedded")
    add_suite_options(parser)
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
    from tdmi.config.suites import load_suites
    from tdmi.core.files import check_writable
    from tdmi.reporting.data.spec import ReportSpec
    from tdmi.reporting.report import make_report

    check_writable(arguments.out / "index.html", "--out")
    spec = ReportSpec.from_suites(load_suites(key_of(arguments)))
    make_report(spec, arguments.runs, arguments.out, arguments.published)
    print(arguments.out / "index.html")
