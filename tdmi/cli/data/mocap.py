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
    from tdmi.config.suites import load_suite
    from tdmi.core.files import read_yaml
    from tdmi.datasets.mocap.generate import SPLITS, generate_split
    from tdmi.datasets.mocap.options import options_from

    values, place, root = None, str(args.options), Path("data/mocap")
    if args.suite:
        dataset, place = load_suite(args.suite)["dataset"], f"suite {args.suite}: dataset/options"
        values, root = dataset.get("options"), Path(dataset["root"])
    elif args.options:
        values = read_yaml(args.options)
    options, root = options_from(values, place), args.root or root
    for split in [args.split] if args.split else SPLITS:
        record = generate_split(options, split, args.sources, root)
        print(f"mocap {split}: {record['counts']}")
