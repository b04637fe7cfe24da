"""Score predictions against ground truth and write metrics.json.

Both folders hold one PoseTrack file per video (2017 or 2018 form, told apart file by file); every
video of the ground truth needs predictions. Protocols:

  poseval  average precision exactly as the official PoseTrack evaluator computes it (percent)
  oks      COCO's AP and AR on object keypoint similarity (fractions of 1)

The official table goes to standard output. With --cross-check the installed official evaluator
runs on the same files too; a difference that equal scores do not explain ends with status 1.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tdmi.annotations import Annotations
    from tdmi.evaluation.average_precision import Statistics
    from tdmi.skeletons import Skeleton


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--protocol", choices=("poseval", "oks"), default="poseval")
    parser.add_argument("--gt", type=Path, required=True, help="folder of ground-truth files")
    parser.add_argument("--pred", type=Path, required=True, help="folder of prediction files")
    parser.add_argument("--out", type=Path, required=True, help="metrics.json to write")
    parser.add_argument(
        "--cross-check", action="store_true", help="compare with the installed official evaluator"
    )
    parser.add_argument("--quiet", action="store_true", help="print neither table nor progress")


def run(args: argparse.Namespace) -> None:
    from tdmi.errors import UserError

    if args.cross_check and args.protocol != "poseval":
        raise UserError(
            f"--cross-check goes with --protocol poseval, found {args.protocol}; leave it out"
        )
    names = _paired_names(args.gt, args.pred)
    if args.protocol == "poseval":
        _run_poseval(args, names)
    else:
        _run_oks(args, names)


def _paired_names(truth: Path, predictions: Path) -> list[str]:
    """Names of the videos; both folders must have the same."""
    from tdmi.datasets.parsing import video_files
    from tdmi.errors import UserError

    names = video_files(truth)
    predicted = video_files(predictions)
    missing = sorted(set(names) - set(predicted))
    if missing:
        raise UserError(
            f"{predictions / missing[0]}.json: no such file, expected predictions for all "
            f"{len(names)} videos of {truth} ({len(missing)} missing); predict this video too, "
            "with all its frames even if nobody was found"
        )
    unknown = sorted(set(predicted) - set(names))
    if unknown:
        shown = ", ".join(names[:3]) + (", ..." if len(names) > 3 else "")
        raise UserError(
            f"{predictions / unknown[0]}.json: no such video in {truth}, which has {len(names)} "
            f"({shown}); remove the file or give the ground truth that belongs to it"
        )
    return names


def _read(
    args: argparse.Namespace, names: list[str], skeleton: Skeleton
) -> tuple[Annotations, Annotations]:
    from tqdm import tqdm

    from tdmi.datasets.posetrack import read_folder

    def progress(what: str) -> tqdm:
        # disable=None: no bar where standard error is not a terminal.
        return tqdm(names, desc=what, unit="video", disable=True if args.quiet else None)

    truth = read_folder(args.gt, progress("ground truth"), skeleton)
    return truth, read_folder(args.pred, progress("predictions"), skeleton)


def _run_poseval(args: argparse.Namespace, names: list[str]) -> None:
    from tdmi.evaluation import table
    from tdmi.evaluation.average_precision import average_precision, combine, evaluate
    from tdmi.evaluation.pairing import misnamed_frames
    from tdmi.files import write_json
    from tdmi.skeletons import POSETRACK17

    truth, predictions = _read(args, names, POSETRACK17)
    statistics = evaluate(truth, predictions)
    for line in misnamed_frames(truth, predictions):
        print(f"tdmi evaluate: warning: {line}", file=sys.stderr)
    write_json(args.out, table.metrics(statistics))
    pooled = combine(statistics.values())
    if not args.quiet:
        print(table.official_table(average_precision(pooled).ap))
    if args.cross_check:
        _cross_check(args, names, pooled)


def _cross_check(args: argparse.Namespace, names: list[str], pooled: Statistics) -> None:
    from tdmi.evaluation.cross_check import compare, official_average_precision

    result = compare(pooled, official_average_precision(args.gt, args.pred, names))
    for line in result.within_ties:
        print(f"cross-check: tie order: {line}", file=sys.stderr)
    for line in result.disagreements:
        print(f"cross-check: DIFFERS: {line}", file=sys.stderr)
    print(
        f"cross-check: largest difference from poseval {result.largest_difference:.3g} "
        f"({len(result.disagreements)} of 16 numbers disagree)",
        file=sys.stderr,
    )
    if result.disagreements:
        sys.exit(1)


def _run_oks(args: argparse.Namespace, names: list[str]) -> None:
    from tdmi.evaluation import oks
    from tdmi.files import write_json
    from tdmi.skeletons import POSETRACK18

    metrics = oks.metrics(*_read(args, names, POSETRACK18))
    write_json(args.out, metrics)
    if not args.quiet:
        for name, value in metrics["oks"].items():
            print(f"{name:<10} {'undefined' if value is None else f'{value:.3f}'}")
