"""Compare two trees of results: numbers beyond the noise, settings, records.

A and B are folders (results/<suite>, runs/<suite>, or a folder of several suites) or git revisions
(REVISION or REVISION:PATH, e.g. HEAD~1:results/embedded; without a path it is results). Numbers are
differences between runs of the same seed with their 95% interval; settings and records (code,
packages, hardware, data, labels, boxes) are compared entry by entry. Printed is what differs; --out
writes everything, as Markdown or JSON.
"""

from __future__ import annotations

import argparse
from pathlib import Path

_FORMATS = (".md", ".json")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    for side in ("a", "b"):
        parser.add_argument(side, metavar=side.upper(), help="a folder or a git revision")
    parser.add_argument(
        "--out", type=Path, metavar="FILE", help=f"also write it all ({', '.join(_FORMATS)})"
    )
    parser.add_argument(
        "--exit-code",
        action="store_true",
        help="exit with 1 unless every number is equal or within the noise",
    )


def run(args: argparse.Namespace) -> None:
    from tdmi.core.errors import UserError
    from tdmi.core.files import check_writable, write_json, write_text
    from tdmi.reporting.diff import presentation
    from tdmi.reporting.diff.changes import EQUAL, WITHIN, Diff, compare
    from tdmi.reporting.diff.trees import read_trees

    if args.out is not None:
        if args.out.suffix not in _FORMATS:
            raise UserError(f"--out: {args.out}: expected a name in {', '.join(_FORMATS)}")
        check_writable(args.out, "--out")
    ours, theirs = read_trees(args.a), read_trees(args.b)
    shared = [suite for suite in ours if suite in theirs]
    if not shared:
        raise UserError(
            f"{args.a} holds {', '.join(ours)}, {args.b} holds {', '.join(theirs)}; expected a "
            "suite in both (a suite's name is that of its folder, also in a copy)"
        )
    diff = Diff(
        args.a,
        args.b,
        [suite for suite in ours if suite not in theirs],
        [suite for suite in theirs if suite not in ours],
        {suite: compare(ours[suite], theirs[suite]) for suite in shared},
    )
    print(presentation.as_markdown(diff, changed_only=True), end="")
    if args.out is not None and args.out.suffix == ".json":
        write_json(args.out, presentation.as_json(diff))
    elif args.out is not None:
        write_text(args.out, presentation.as_markdown(diff))
    verdicts = {verdict for found in diff.suites.values() for verdict in found.numbers.verdict}
    if args.exit_code and not verdicts <= {EQUAL, WITHIN}:
        raise SystemExit(1)
