"""Get a data set (posetrack17, posetrack18, posetrack21, hieve) or a source of the embedded ones.

The data sets are downloaded and unpacked, or adopted from files placed by hand, under --root; an
interrupted command can be repeated. What cannot be downloaded is listed, with exit status 2.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from tdmi.datasets.public import NAMES

_OF_DATA_SETS = ("base_url", "token", "labels", "images_from", "jobs")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("name", help=f"{', '.join(NAMES)}, or a source such as pybullet")
    parser.add_argument(
        "--root", type=Path, metavar="DIR", help="default: data/NAME, for sources data/sources"
    )
    parser.add_argument("--keep-archives", action="store_true", help="keep archives once unpacked")
    group = parser.add_argument_group("data sets")
    group.add_argument("--base-url", metavar="URL", help="address of the folder with the archives")
    group.add_argument(
        "--token", metavar="TOKEN", help="opens PoseTrack21 labels; or set TDMI_POSETRACK21_TOKEN"
    )
    group.add_argument(
        "--labels", metavar="VERSION", help="posetrack18: v0.45 (default), v0.2, mmpose"
    )
    group.add_argument(
        "--images-from", type=Path, metavar="DIR", help="posetrack21: link a posetrack18 root"
    )
    group.add_argument("--jobs", type=int, metavar="N", help="parallel downloads, default 4")
    sources = parser.add_argument_group("sources")
    sources.add_argument("--archive", type=Path, metavar="FILE", help="an archive already there")


def run(args: argparse.Namespace) -> None:
    from tdmi.core.errors import UserError
    from tdmi.datasets.public.acquire.datasets import acquire
    from tdmi.datasets.public.acquire.wheels import fetch, read_sources

    given = [name for name in ("archive", *_OF_DATA_SETS) if getattr(args, name) is not None]
    for option in given:
        if (option in _OF_DATA_SETS) != (args.name in NAMES):
            raise UserError(f"--{option.replace('_', '-')}: not for {args.name}; leave it out")
    if args.name in NAMES:
        root = args.root or Path("data") / args.name
        options = {name: getattr(args, name) for name in given}
        record = acquire(args.name, root, keep_archives=args.keep_archives, **options)
        labels = f", labels {record['labels']}" if record["labels"] else ""
        files = sum(piece["files"] for piece in record["pieces"].values())
        subset = ", a subset of the release" if record["subset"] else ""
        print(f"{args.name}: complete in {root} ({files} files{labels}{subset})")
    elif (source := read_sources().get(args.name)) is not None:
        root = args.root or Path("data/sources")
        print(f"{args.name}: complete in {fetch(source, root, args.archive, args.keep_archives)}")
    else:
        known = ", ".join((*NAMES, *read_sources()))
        raise UserError(f"{args.name}: not a known data set or source: {known}")
