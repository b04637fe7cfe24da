"""Score predictions against ground truth and write metrics.json.

Both folders hold one PoseTrack file per video (2017 or 2018 form, told apart file by file); every
video of the ground truth needs predictions. Protocols:

  poseval      average precision exactly as the official PoseTrack evaluator computes it (percent);
               with --tracking also MOTA, MOTP, precision and recall of its tracking evaluation
  posetrack21  average precision as the PoseTrack21 kit computes it (percent)
  hieve        a local score for HiEve's joints, which is not the score of its server (percent)
  oks          COCO's AP and AR on object keypoint similarity (fractions of 1)

The official table goes to standard output, signs of a mistake go to standard error. Where the
official program ends with an exception on input that can be judged, metrics.json says in "notes"
what was done instead; --strict-poseval refuses such input. With --cross-check the installed
official evaluator runs on the same files too (AP only); a difference that equal scores do not
explain ends with status 1.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tdmi.annotations import Annotations
    from tdmi.evaluation.average_precision import Statistics
    from tdmi.evaluation.pairing import JudgedVideo
    from tdmi.skeletons import Skeleton

PROTOCOLS = ("poseval", "posetrack21", "hieve", "oks")
# Options that only one protocol knows.
_POSEVAL_ONLY = ("tracking", "strict_poseval", "cross_check")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--protocol", choices=PROTOCOLS, default="poseval")
    parser.add_argument("--gt", type=Path, required=True, help="folder of ground-truth files")
    parser.add_argument("--pred", type=Path, required=True, help="folder of prediction files")
    parser.add_argument("--out", type=Path, required=True, help="metrics.json to write")
    parser.add_argument(
        "--tracking", action="store_true", help="also evaluate the track ids (poseval)"
    )
    parser.add_argument(
        "--strict-poseval", action="store_true", help="refuse whatever poseval cannot evaluate"
    )
    parser.add_argument(
        "--cross-check", action="store_true", help="compare with the installed official evaluator"
    )
    parser.add_argument("--quiet", action="store_true", help="print neither table nor progress")


def run(args: argparse.Namespace) -> None:
    from tdmi.errors import UserError

    for option in _POSEVAL_ONLY:
        if getattr(args, option) and args.protocol != "poseval":
            raise UserError(
                f"--{option.replace('_', '-')} goes with --protocol poseval, found "
                f"{args.protocol}; leave it out"
            )
    names = _paired_names(args.gt, args.pred)
    if args.protocol == "poseval":
        _run_poseval(args, names)
    elif args.protocol == "posetrack21":
        _run_posetrack21(args, names)
    elif args.protocol == "hieve":
        _run_hieve(args, names)
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
    from tdmi.datasets.posetrack import read_folder

    truth = read_folder(args.gt, _progress(args, names, "ground truth"), skeleton)
    return truth, read_folder(args.pred, _progress(args, names, "predictions"), skeleton)


def _progress(args: argparse.Namespace, names: list[str], what: str) -> Iterable[str]:
    from tqdm import tqdm

    # disable=None: no bar where standard error is not a terminal.
    return tqdm(names, desc=what, unit="video", disable=True if args.quiet else None)


def _run_poseval(args: argparse.Namespace, names: list[str]) -> None:
    from tdmi.evaluation import average_precision, mota, table
    from tdmi.evaluation.matching import match_video
    from tdmi.evaluation.pairing import judged_videos, misnamed_frames
    from tdmi.evaluation.suspicions import doubtful_tracks, suspicions
    from tdmi.files import write_json
    from tdmi.skeletons import POSETRACK17

    truth, predictions = _read(args, names, POSETRACK17)
    _tell("warning", misnamed_frames(truth, predictions))
    if args.tracking:
        _tell("warning", doubtful_tracks(predictions))
    videos = list(judged_videos(truth, predictions))
    notes = _answered(args, truth, predictions, videos)
    statistics, tracking = {}, {}
    for video in videos:
        matches = match_video(video)
        statistics[video.name] = average_precision.video_statistics(video, matches)
        if args.tracking:
            tracking[video.name] = mota.video_statistics(video, matches)
    pooled = average_precision.combine(statistics.values())
    scores = average_precision.average_precision(pooled)
    _tell("warning", suspicions(videos, POSETRACK17, scores.ap[-1]))
    write_json(args.out, table.metrics(statistics, tracking=tracking or None, notes=notes))
    if not args.quiet:
        print(table.official_table(scores.ap))
        if args.tracking:
            print(table.tracking_table(mota.tracking_accuracy(mota.combine(tracking.values()))))
    if args.cross_check:
        _cross_check(args, names, pooled)


def _answered(
    args: argparse.Namespace,
    truth: Annotations,
    predictions: Annotations,
    videos: list[JudgedVideo],
) -> list[str]:
    """Notes on what poseval would refuse; with --strict-poseval the first of them is an error."""
    from tdmi.errors import UserError
    from tdmi.evaluation.refusals import poseval_refusals

    # AP alone does not look at track ids, so it needs no note on them.
    if not (args.tracking or args.strict_poseval):
        return []
    refusals = poseval_refusals(truth, predictions, videos)
    if not args.tracking:
        refusals = [refusal for refusal in refusals if not refusal.tracking_only]
    if args.strict_poseval and refusals:
        raise UserError(
            f"--strict-poseval: {args.pred}: {refusals[0].found}; poseval ends with "
            f"{refusals[0].exception}; repair the files or leave the option out"
        )
    notes = [str(refusal) for refusal in refusals]
    _tell("note", notes)
    return notes


def _run_posetrack21(args: argparse.Namespace, names: list[str]) -> None:
    from tdmi.evaluation import average_precision, posetrack21, table
    from tdmi.evaluation.matching import match_video
    from tdmi.evaluation.pairing import judged_videos, misnamed_frames
    from tdmi.evaluation.suspicions import suspicions
    from tdmi.files import write_json
    from tdmi.skeletons import POSETRACK17

    truth, predictions = _read(args, names, POSETRACK17)
    _tell(
        "warning", misnamed_frames(truth, predictions) + posetrack21.suspicions(truth, predictions)
    )
    videos = list(judged_videos(*posetrack21.as_judged(truth, predictions)))
    statistics = {
        video.name: average_precision.video_statistics(video, match_video(video))
        for video in videos
    }
    scores = posetrack21.average_precision(average_precision.combine(statistics.values()))
    _tell("warning", suspicions(videos, POSETRACK17, scores.ap[-1]))
    notes = posetrack21.notes(videos)
    _tell("note", notes)
    metrics = table.metrics(statistics, "posetrack21", posetrack21.average_precision, notes=notes)
    write_json(args.out, metrics)
    if not args.quiet:
        print(table.official_table(scores.ap))


def _run_hieve(args: argparse.Namespace, names: list[str]) -> None:
    from tdmi.datasets.hieve import read_folder
    from tdmi.evaluation import hieve
    from tdmi.evaluation.pairing import misnamed_frames
    from tdmi.files import write_json

    truth = read_folder(args.gt, _progress(args, names, "ground truth"))
    predictions = read_folder(args.pred, _progress(args, names, "predictions"))
    _tell("warning", misnamed_frames(truth, predictions))
    metrics = hieve.metrics(truth, predictions)
    write_json(args.out, metrics)
    if not args.quiet:
        print(hieve.local_table(metrics))


def _tell(kind: str, lines: list[str]) -> None:
    for line in lines:
        print(f"tdmi evaluate: {kind}: {line}", file=sys.stderr)


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
