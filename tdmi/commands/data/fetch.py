"""Download and unpack one source of the source list."""

from __future__ import annotations

import argparse
from pathlib import Path


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("name", help="name in the source list, e.g. pybullet")
    parser.add_argument("--root", type=Path, default=Path("data/sources"), metavar="DIR")
    parser.add_argument("--archive", type=Path, metavar="FILE", help="downloaded before, by hand")
    parser.add_argument("--keep-archive", action="store_true", help="keep the downloaded archive")


def run(args: argparse.Namespace) -> None:
    from tdmi.datasets.acquire import fetch, read_sources
    from tdmi.errors import UserError

    sources = read_sources()
    if args.name not in sources:
        raise UserError(f"{args.name}: not in the source list: {', '.join(sources)}")
    folder = fetch(sources[args.name], args.root, args.archive, args.keep_archive)
    print(f"{args.name}: complete in {folder}")
