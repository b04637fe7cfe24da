"""Check a data set on disk: what is missing, damaged or odd, and which label release it is.

Exit status: 0 if it is clean (warnings and notes are allowed), 1 if there are errors, 2 if there is
no such data set.
"""

from __future__ import annotations

import argparse
from pathlib import Path

NAMES = ("posetrack17", "posetrack18", "posetrack21", "hieve")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("name", choices=NAMES, metavar="NAME", help=", ".join(NAMES))
    parser.add_argument("--root", type=Path, metavar="DIR", help="default: data/NAME")
    parser.add_argument(
        "--deep", action="store_true", help="decode every image, on all CPU cores (slow)"
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the report here too")


def run(args: argparse.Namespace) -> None:
    from tdmi.core.files import check_writable, write_json
    from tdmi.datasets.public.check import check

    if args.json:
        check_writable(args.json, "--json")
    report = check(args.name, args.root or Path("data") / args.name, deep=args.deep)
    print(report.as_text())
    if args.json:
        write_json(args.json, report.as_json())
    if not report.clean:
        raise SystemExit(1)
