"""Fetch the sources of the embedded data sets, generate them, look at them."""

from __future__ import annotations

import argparse
from pathlib import Path


def add_arguments(parser: argparse.ArgumentParser) -> None:
    actions = parser.add_subparsers(dest="action", required=True, metavar="action")
    _add_fetch(actions)
    _add_mocap(actions)
    _add_pose2sim(actions)
    _add_contact_sheet(actions)


def run(args: argparse.Namespace) -> None:
    args.perform(args)


def _add_fetch(actions: argparse._SubParsersAction) -> None:
    parser = actions.add_parser("fetch", help="download and unpack one source of the source list")
    parser.add_argument("--source", required=True, help="name in the source list, e.g. pybullet")
    parser.add_argument("--root", type=Path, default=Path("data/sources"), metavar="DIR")
    parser.add_argument("--archive", type=Path, metavar="FILE", help="downloaded before, by hand")
    parser.add_argument("--keep-archive", action="store_true", help="keep the downloaded archive")
    parser.set_defaults(perform=_fetch)


def _fetch(args: argparse.Namespace) -> None:
    from tdmi.datasets.acquire import fetch, read_sources
    from tdmi.errors import UserError

    sources = read_sources()
    if args.source not in sources:
        raise UserError(f"--source {args.source}: not in the source list: {', '.join(sources)}")
    folder = fetch(sources[args.source], args.root, args.archive, args.keep_archive)
    print(f"{args.source}: complete in {folder}")


def _add_mocap(actions: argparse._SubParsersAction) -> None:
    parser = actions.add_parser("mocap", help="generate the data set rendered from motion capture")
    chosen = parser.add_mutually_exclusive_group()
    chosen.add_argument("--suite", metavar="NAME", help="options and root of workflow/config/NAME")
    chosen.add_argument("--options", type=Path, metavar="FILE", help="YAML mapping of options")
    parser.add_argument("--sources", type=Path, default=Path("data/sources"), metavar="DIR")
    parser.add_argument("--root", type=Path, metavar="DIR", help="default: the suite's, data/mocap")
    parser.add_argument("--split", choices=("train", "val", "test"), help="this one alone")
    parser.set_defaults(perform=_mocap)


def _mocap(args: argparse.Namespace) -> None:
    from tdmi.datasets.mocap.generate import SPLITS, generate_split
    from tdmi.datasets.mocap.options import options_from, read_options

    options, root = read_options(args.options), args.root or Path("data/mocap")
    if args.suite:
        from tdmi.suites import load_suite

        dataset = load_suite(args.suite)["dataset"]
        options = options_from(dataset.get("options"), f"suite {args.suite}: dataset/options")
        root = args.root or Path(dataset["root"])
    for split in [args.split] if args.split else SPLITS:
        record = generate_split(options, split, args.sources, root)
        print(f"mocap {split}: {record['counts']}")


def _add_pose2sim(actions: argparse._SubParsersAction) -> None:
    parser = actions.add_parser("pose2sim", help="prepare the real video with its pseudo-labels")
    parser.add_argument("--options", type=Path, metavar="FILE", help="YAML mapping of options")
    parser.add_argument("--sources", type=Path, default=Path("data/sources"), metavar="DIR")
    parser.add_argument("--root", type=Path, default=Path("data/pose2sim"), metavar="DIR")
    parser.set_defaults(perform=_pose2sim)


def _pose2sim(args: argparse.Namespace) -> None:
    from tdmi.datasets.pose2sim.options import read_options
    from tdmi.datasets.pose2sim.prepare import prepare

    record = prepare(read_options(args.options), args.sources, args.root)
    for split, counts in record["counts"].items():
        print(f"pose2sim {split}: {counts}")


def _add_contact_sheet(actions: argparse._SubParsersAction) -> None:
    parser = actions.add_parser("contact-sheet", help="draw some videos of a data set in one PNG")
    parser.add_argument("--root", type=Path, default=Path("data/mocap"), metavar="DIR")
    parser.add_argument("--out", type=Path, required=True, metavar="FILE")
    parser.set_defaults(perform=_contact_sheet)


def _contact_sheet(args: argparse.Namespace) -> None:
    from tdmi.datasets.contact_sheet import contact_sheet

    contact_sheet(args.root, args.out)
