"""Prepare a fetched data set for training and evaluation, in <root>/prepared."""

from __future__ import annotations

import argparse
from pathlib import Path

from tdmi.datasets.public import NAMES


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("name", choices=NAMES, metavar="NAME", help=", ".join(NAMES))
    parser.add_argument("--root", type=Path, metavar="DIR", help="default: data/NAME")
    without = "leave out detected boxes: ground-truth boxes only"
    parser.add_argument("--without-boxes", action="store_true", help=without)


def run(args: argparse.Namespace) -> None:
    from tdmi.datasets.public.prepare import prepare

    root = args.root or Path("data") / args.name
    record = prepare(args.name, root, detected_boxes=not args.without_boxes)
    for split, counts in record["counts"].items():
        print(f"{args.name} {split}: {counts}")
    for note in record["notes"]:
        print(f"note: {note}")
    print(f"release: {record['release']}")
