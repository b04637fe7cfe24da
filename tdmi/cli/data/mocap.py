"""Generate the data set rendered from motion capture."""

from __future__ import annotations

import argparse
from pathlib import Path


def add_arguments(parser: argparse.ArgumentParser) -> None:
    chosen = parser.add_mutually_exclusive_group()
    chosen.add_argument("--suite", metavar="NAME", help="options and root of workflow/config/NAME")
    chosen.add_argument("--options", type=Path, metavar="FILE", help="YAML mapping of options")
    parser.add_argument("--sources", type=Path, default=Path("data/sources"), metavar="DIR")
    parser.add_argument("--root", type=Path, metavar="DIR", help="default: the suite's, data/mocap")
    parser.add_argument("--split", choices=("train", "val", "test"), help="default: all three")


def run(args: argparse.Namespace) -> None:
    from tdmi.core.files import read_yaml
    from tdmi.datasets.mocap.generate import SPLITS, generate_split
    from tdmi.datasets.mocap.options import options_from

    values = read_yaml(args.options) if args.options else None
    options, root = options_from(values, str(args.options)), args.root or Path("data/mocap")
    if args.suite:
        from tdmi.config.suites import load_suite

        dataset = load_suite(args.suite).dataset
        options = options_from(dataset.options, f"suite {args.suite}: dataset/options")
        root = args.root or Path(dataset.root)
    for split in [args.split] if args.split else SPLITS:
        record = generate_split(options, split, args.sources, root)
        print(f"mocap {split}: {record['counts']}")
