"""Prepare the real video with its pseudo-labels."""

from __future__ import annotations

import argparse
from pathlib import Path


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--options", type=Path, metavar="FILE", help="YAML mapping of options")
    parser.add_argument("--sources", type=Path, default=Path("data/sources"), metavar="DIR")
    parser.add_argument("--root", type=Path, default=Path("data/pose2sim"), metavar="DIR")


def run(args: argparse.Namespace) -> None:
    from tdmi.datasets.pose2sim.options import read_options
    from tdmi.datasets.pose2sim.prepare import prepare

    record = prepare(read_options(args.options), args.sources, args.root)
    for split, counts in record["counts"].items():
        print(f"pose2sim {split}: {counts}")
