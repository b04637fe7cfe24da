"""Compare two methods on the same videos: difference of AP, its interval, a test.

Each method is given by its folders of predictions, one for every run (seed). The command prints the
difference, a minus b, with a 95% interval from resampling the videos and the runs, and the p-value
of a permutation test over videos, which takes the runs as they are. The same numbers go to
--out as JSON. tdmi/evaluation/statistics/significance.py documents the method and its limits.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from tdmi.evaluation import VIDEO_PROTOCOLS


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--protocol", choices=VIDEO_PROTOCOLS, default="poseval")
    parser.add_argument("--gt", type=Path, required=True, help="folder of ground-truth files")
    for method in ("a", "b"):
        parser.add_argument(
            f"--{method}",
            type=Path,
            nargs="+",
            required=True,
            metavar="DIR",
            help=f"prediction folders of method {method}, one per run",
        )
    parser.add_argument("--out", type=Path, required=True, help="JSON file to write")
    parser.add_argument(
        "--resamples", type=int, default=1000, metavar="N", help="of the videos (default: 1000)"
    )
    parser.add_argument("--seed", type=int, default=0, help="of the resampling (default: 0)")
    parser.add_argument("--quiet", action="store_true", help="print nothing")


def run(args: argparse.Namespace) -> None:
    from tdmi.core.checks import at_least
    from tdmi.core.files import check_writable, write_json
    from tdmi.experiments.compare import compare_folders, table

    at_least("--resamples", args.resamples, 1)
    at_least("--seed", args.seed, 0)
    check_writable(args.out, "--out")
    folders = {"a": args.a, "b": args.b}
    found = compare_folders(args.gt, folders, args.protocol, args.resamples, args.seed, args.quiet)
    write_json(args.out, found)
    if not args.quiet:
        print(table(found), found["verdict"], sep="\n")
