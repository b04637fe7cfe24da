"""Score predictions against ground truth and write metrics.json.

Both folders hold one PoseTrack file per video (2017 or 2018 form, recognised file by file); every
video of the ground truth needs predictions. Protocols:

  poseval      average precision exactly as the official PoseTrack evaluator computes it (percent);
               with --tracking also MOTA, MOTP, precision and recall of its tracking evaluation
  posetrack21  average precision as the PoseTrack21 kit computes it (percent)
  hieve        a local score for HiEve's joints, which is not the score of its server (percent)
  oks          COCO's AP and AR on object keypoint similarity (fractions of 1)

The official table goes to standard output, signs of a mistake go to standard error. Where the
official program ends with an exception on input that can be scored, metrics.json says in "notes"
what was done instead; --strict-poseval refuses such input. With --cross-check the installed
official evaluator runs on the same files too; a difference that equal scores do not explain ends
with status 1. --curves adds PCKh curves and quantiles of the normalised error ("pckh") and how many
joints are right at each score ("reliability"), --slices AP by size, speed, crowding, visibility and
number of people ("slices"; more with --attributes; not for hieve and oks, which pair people anew at
each threshold), and --bootstrap a 95% interval of AP from resampling the videos ("interval").
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from tdmi.evaluation import PROTOCOLS


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--protocol", choices=PROTOCOLS, default="poseval")
    for flag, name, text in (
        ("--gt", "truth", "folder of ground-truth files"),
        ("--pred", "predictions", "folder of prediction files"),
        ("--out", "out", "metrics.json to write"),
    ):
        options = {"dest": name, "metavar": flag[2:].upper(), "help": text}
        parser.add_argument(flag, type=Path, required=True, **options)
    for flag, text in (
        ("--tracking", "also evaluate the track ids (poseval)"),
        ("--strict-poseval", "refuse whatever poseval cannot evaluate"),
        ("--cross-check", "compare with the installed official evaluator"),
        ("--curves", "also PCKh curves, errors, reliability of scores"),
        ("--slices", "also AP on parts of the people, by how hard they are"),
        ("--quiet", "print neither table nor progress"),
    ):
        parser.add_argument(flag, action="store_true", help=text)
    for flag, kind, metavar, text in (
        (
            "--attributes",
            Path,
            "CSV",
            "with --slices: table of more attributes, or folder of them",
        ),
        ("--bootstrap", int, "N", "also the 95%% interval of AP, from N resamples of the videos"),
        ("--jobs", int, "N", "processes (default: one per core for large input); same result"),
    ):
        parser.add_argument(flag, type=kind, metavar=metavar, help=text)
    parser.add_argument("--seed", type=int, default=0, help="of the bootstrap (default: 0)")


def run(args: argparse.Namespace) -> None:
    from dataclasses import fields

    from tdmi.core.files import check_writable
    from tdmi.evaluation.protocols.base import Request
    from tdmi.experiments.evaluate import evaluate_and_record

    request = Request(**{field.name: getattr(args, field.name) for field in fields(Request)})
    check_writable(args.out, "--out")
    if args.cross_check:
        from tdmi.evaluation.protocols import cross_check

        cross_check.check_available(request.protocol)
    found = evaluate_and_record(request, args.out)
    if not args.quiet:
        print("\n".join(found.tables))
    if args.cross_check and not cross_check.agrees(request, found):
        sys.exit(1)
