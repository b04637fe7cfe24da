"""Compare two methods on the same videos: difference of AP, its interval, a test.

Each method is given by its folders of predictions, one for every run (seed). The command prints the
difference, a minus b, with a 95% interval from resampling the videos and the runs, and the p-value
of a permutation test over videos, which takes the runs as they are. The same numbers go to
--out as JSON. tdmi/evaluation/statistics/significance.py documents the method and its limits.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from tdmi.evaluation import VIDEO_PROTOCOLS

if TYPE_CHECKING:
    from tdmi.evaluation.output import Content
    from tdmi.evaluation.statistics.significance import Difference

ALPHA = 0.05


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
    from tdmi.core.files import write_json
    from tdmi.evaluation.protocols.base import Request
    from tdmi.evaluation.run import EVALUATORS
    from tdmi.evaluation.statistics.significance import content, difference
    from tdmi.experiments.evaluate import checked_statistics

    _check_options(args)
    a, b = (
        [
            checked_statistics(Request(args.gt, folder, args.protocol, quiet=args.quiet))
            for folder in folders
        ]
        for folders in (args.a, args.b)
    )
    undefined = EVALUATORS[args.protocol].never_annotated
    found = difference(a, b, args.resamples, args.seed, undefined, args.quiet)
    videos = len(a[0])
    result = content(found, videos, args.seed)
    verdict = sentence(found, videos, [len(args.a), len(args.b)])
    record = {"protocol": args.protocol, "verdict": verdict}
    for name, folders in (("a", args.a), ("b", args.b)):
        record[name] = {"runs": len(folders), "predictions": list(map(str, folders))}
    write_json(args.out, record | result)
    if not args.quiet:
        print(_table(result))
        print(verdict)


def sentence(found: Difference, videos: int, runs: list[int]) -> str:
    """Return the result in words: a difference only where interval and test both show one."""
    from tdmi.evaluation.statistics.interval import LEVEL, interval

    low, high = interval(found.replicates[:, -1], videos)
    by, p = found.estimate[-1], found.p_value
    verdict = (
        "no difference between a and b is shown",
        "undecided between a and b (interval and test do not agree)",
        "a is better than b" if by > 0 else "b is better than a",
    )[int(p < ALPHA) + int(low > 0 or high < 0)]
    level = f"{LEVEL:.0%} interval {low:+.2f} to {high:+.2f}, p = {p:.2g}"
    drawn = f"{videos} videos"
    if max(runs) > 1:
        drawn += f", {runs[0]} and {runs[1]} runs"
    if min(runs) == 1:
        drawn += "; a single run says nothing of how training varies"
    if 2 / 2**videos >= ALPHA:
        drawn += f"; with so few videos p cannot be below {2 / 2**videos:.3g}"
    return (
        f"{verdict}: AP {found.a[-1]:.2f} and {found.b[-1]:.2f}, a minus b {by:+.2f} points "
        f"({level}; {drawn})"
    )


def _check_options(args: argparse.Namespace) -> None:
    from tdmi.core.checks import at_least
    from tdmi.core.errors import UserError
    from tdmi.core.files import check_writable

    for method, folders in (("a", args.a), ("b", args.b)):
        resolved = [folder.resolve() for folder in folders]
        for folder in folders:
            if not folder.is_dir():
                raise UserError(f"--{method}: {folder}: no such folder, expected predictions")
            if resolved.count(folder.resolve()) > 1:
                raise UserError(
                    f"--{method}: {folder}: given twice, expected another folder for every run; "
                    "leave one out"
                )
    at_least("--resamples", args.resamples, 1)
    at_least("--seed", args.seed, 0)
    check_writable(args.out, "--out")


def _table(result: Content) -> str:
    """Return the differences by column with their intervals."""
    lines = [f"{'a minus b':<10}{'points':>8}{'from':>8}{'to':>8}"]
    for name, by in result["difference"].items():
        cells = [by, *(result["interval"]["difference"][name] or (None, None))]
        shown = "".join("     ---" if cell is None else f"{cell:+8.2f}" for cell in cells)
        lines.append(f"{name:<10}{shown}")
    return "\n".join(lines)
