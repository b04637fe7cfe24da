"""Draw frames of some videos of a data set in one PNG."""

from __future__ import annotations

import argparse
from pathlib import Path


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--root", type=Path, default=Path("data/mocap"), metavar="DIR")
    parser.add_argument("--out", type=Path, required=True, metavar="FILE")


def run(args: argparse.Namespace) -> None:
    from tdmi.datasets.contact_sheet import contact_sheet

    contact_sheet(args.root, args.out)
