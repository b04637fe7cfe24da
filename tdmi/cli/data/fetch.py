"""Get a data set (posetrack17, posetrack18, posetrack21, hieve) or a source of the embedded ones.

The four data sets are downloaded and unpacked, or taken as placed by hand, under --root; an
interrupted call goes on where it was. What cannot be downloaded is listed, with exit status 2.
"""

from __future__ import annotations

import argparse
from pathlib import Path

DATA_SETS = ("posetrack17", "posetrack18", "posetrack21", "hieve")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("name", help=f"{', '.join(DATA_SETS)}, or a source such as pybullet")
    parser.add_argument(
        "--root", type=Path, metavar="DIR", help="default: data/NAME, for sources data/sources"
    )
    parser.add_argument(
        "--keep-archives", action="store_true", help="keep what was downloaded after unpacking it"
    )
    big = parser.add_argument_group("data sets")
    big.add_argument("--base-url", metavar="URL", help="address of the folder with the archives")
    big.add_argument(
        "--token", metavar="TOKEN", help="opens PoseTrack21 labels; or set TDMI_POSETRACK21_TOKEN"
    )
    big.add_argument(
        "--labels", metavar="VERSION", help="posetrack18: v0.45 (default), v0.2, mmpose"
    )
    big.add_argument(
        "--images-from", type=Path, metavar="DIR", help="posetrack21: link a posetrack18 root"
    )
    big.add_argument("--jobs", type=int, metavar="N", help="parallel downloads, default 4")
    sources = parser.add_argument_group("sources")
    sources.add_argument("--archive", type=Path, metavar="FILE", help="downloaded before, by hand")


def run(args: argparse.Namespace) -> None:
    from tdmi.core.errors import UserError

    big = ("base_url", "token", "labels", "images_from", "jobs")
    unfit = ("archive",) if args.name in DATA_SETS else big
    for option in unfit:
        if getattr(args, option) is not None:
            raise UserError(f"--{option.replace('_', '-')}: not for {args.name}; leave it out")
    if args.name in DATA_SETS:
        from tdmi.datasets.public.acquire.datasets import acquire

        root = args.root or Path("data") / args.name
        options = {name: getattr(args, name) for name in big if getattr(args, name) is not None}
        record = acquire(args.name, root, keep_archives=args.keep_archives, **options)
        labels = f", labels {record['labels']}" if record["labels"] else ""
        files = sum(piece["files"] for piece in record["pieces"].values())
        subset = ", a subset of the release" if record["subset"] else ""
        print(f"{args.name}: complete in {root} ({files} files{labels}{subset})")
        return

    from tdmi.datasets.public.acquire import fetch, read_sources

    sources = read_sources()
    if args.name not in sources:
        known = ", ".join((*DATA_SETS, *sources))
        raise UserError(f"{args.name}: not a known data set or source: {known}")
    root = args.root or Path("data/sources")
    folder = fetch(sources[args.name], root, args.archive, args.keep_archives)
    print(f"{args.name}: complete in {folder}")
