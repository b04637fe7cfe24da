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
official evaluator runs on the same files too; a difference that equal scores do not explain ends
with status 1. --curves adds PCKh curves and quantiles of the normalised error ("pckh") and how many
joints are right at each score ("reliability"), --slices AP by size, speed, crowding, visibility and
number of people ("slices"; more with --attributes; not for hieve and oks, which pair people anew at
each threshold), and --bootstrap a 95% interval of AP from resampling the videos ("interval").
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tdmi.data.annotations import Annotations
    from tdmi.evaluation.run import Request, VideoResult

PROTOCOLS = ("poseval", "posetrack21", "hieve", "oks")
# Options that only some protocols know.
_ONLY = {
    "tracking": ("poseval",),
    "strict_poseval": ("poseval",),
    "cross_check": ("poseval",),
    "curves": ("poseval", "posetrack21"),
    "slices": ("poseval", "posetrack21"),
    "attributes": ("poseval", "posetrack21"),
    "jobs": ("poseval", "posetrack21"),
}
_NO_SLICES = (
    "; hieve and oks pair people anew at each threshold, so that no prediction has one owner"
)


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
    parser.add_argument(
        "--curves", action="store_true", help="also PCKh curves, errors, reliability of scores"
    )
    parser.add_argument(
        "--slices", action="store_true", help="also AP on parts of the people, by how hard they are"
    )
    parser.add_argument(
        "--attributes",
        type=Path,
        metavar="CSV",
        help="with --slices: table of attributes of the people, or folder of such tables",
    )
    parser.add_argument(
        "--bootstrap",
        type=int,
        metavar="N",
        help="also the 95%% interval of AP, from N resamples of the videos; 1000 are usual",
    )
    parser.add_argument("--seed", type=int, default=0, help="of the bootstrap (default: 0)")
    parser.add_argument(
        "--jobs",
        type=int,
        metavar="N",
        help="processes (default: one per core for large input); the result is the same for any N",
    )
    parser.add_argument("--quiet", action="store_true", help="print neither table nor progress")


def run(args: argparse.Namespace) -> None:
    from tdmi.core.locks import exclusive_writer

    _refuse_options(args)
    with exclusive_writer(args.out):
        _run(args)


def _run(args: argparse.Namespace) -> None:
    from tdmi.evaluation.inputs import paired_videos
    from tdmi.experiments.provenance import check_predictions_unchanged

    names = paired_videos(args.gt, args.pred)
    check_predictions_unchanged(args.pred)
    if args.protocol == "hieve":
        _run_hieve(args, names)
    elif args.protocol == "oks":
        _run_oks(args, names)
    else:
        _run_posetrack(args, names)


def _refuse_options(args: argparse.Namespace) -> None:
    from tdmi.core.errors import UserError
    from tdmi.evaluation import inputs

    for option, protocols in _ONLY.items():
        if getattr(args, option) and args.protocol not in protocols:
            raise UserError(
                f"--{option.replace('_', '-')} goes with --protocol {' or '.join(protocols)}, "
                f"found {args.protocol}{_NO_SLICES if option == 'slices' else ''}; leave it out"
            )
    for option in ("jobs", "bootstrap"):
        value = getattr(args, option)
        if value is not None and value < 1:
            raise UserError(f"--{option}: found {value}, expected 1 or more; leave it out")
    if args.seed < 0:
        raise UserError(f"--seed: found {args.seed}, expected 0 or more; leave it out")
    if args.attributes and not args.slices:
        raise UserError("--attributes goes with --slices, which is missing; add it")
    inputs.check_writable(args.out, "--out")
    if args.cross_check:
        from tdmi.evaluation.protocols.cross_check import refuse_missing

        refuse_missing()


def _run_posetrack(args: argparse.Namespace, names: list[str]) -> None:
    from tdmi.evaluation import inputs, table
    from tdmi.evaluation.parallel import worthwhile_jobs
    from tdmi.evaluation.run import SCORES, Request, evaluate_videos, pooled_statistics

    request = Request(
        args.gt,
        args.pred,
        args.protocol,
        args.tracking,
        args.strict_poseval,
        args.curves,
        args.slices,
    )
    size = inputs.total_size(args.gt, args.pred, names)
    jobs = args.jobs or worthwhile_jobs(size)
    results = list(_progress(args, evaluate_videos(request, names, jobs), "videos", len(names)))
    for side, folder in enumerate((args.gt, args.pred)):
        inputs.refuse_repeated(names, [result.images[side] for result in results], folder)
    notes = _notes(request, results)
    _tell("note", notes)

    pooled = pooled_statistics(results)
    scores = SCORES[args.protocol](pooled)
    _tell("warning", _warnings(request, results, scores.ap[-1]))
    tracking = _tracking_scores(results) if args.tracking else None
    per_video = {result.name: result.entry for result in results}
    content = table.content(args.protocol, pooled, scores, per_video, tracking, notes)
    if args.curves:
        from tdmi.evaluation.analysis import calibration as reliability
        from tdmi.evaluation.analysis import pckh

        content["pckh"] = pckh.metrics(pckh.combine(result.curves for result in results))
        content["reliability"] = reliability.metrics(pooled)
    if args.slices:
        content["slices"] = _slices(args, results)
    if args.bootstrap:
        content["interval"] = _interval(args, results)
    _write(args, content)
    if not args.quiet:
        print(table.official_table(scores.ap))
        if tracking:
            print(table.tracking_table(tracking))
        if args.bootstrap:
            interval = content["interval"]
            print(_interval_line("Total AP", interval, interval["ap"]["total"]))
        if args.slices:
            from tdmi.evaluation.analysis import slices

            print(slices.table(content["slices"]))
    if args.cross_check:
        _cross_check(args, names, results)


def _slices(args: argparse.Namespace, results: list[VideoResult]) -> dict:
    from tdmi.data.attributes import read_attributes
    from tdmi.evaluation.analysis import slices
    from tdmi.evaluation.run import SCORES

    people = slices.pool([result.owned for result in results])
    from_file = {}
    if args.attributes:
        from_file = read_attributes(args.attributes, people.image_id, people.track_id)
    return slices.metrics(people, from_file, SCORES[args.protocol])


def _interval(args: argparse.Namespace, results: list[VideoResult]) -> dict:
    from tdmi.evaluation.statistics import significance

    replicates = significance.bootstrap(
        [result.statistics for result in results],
        args.bootstrap,
        args.seed,
        significance.NEVER_ANNOTATED[args.protocol],
    )
    return significance.interval_content(replicates, len(results), args.seed)


def _interval_line(what: str, interval: dict, ends: list | None, decimals: int = 1) -> str:
    found = "undefined"
    if ends is not None:
        found = " to ".join(f"{end:.{decimals}f}" for end in ends)
    return (
        f"{what}, {interval['level']:.0%} interval: {found} ({interval['videos']} videos, "
        f"{interval['resamples']} resamples)"
    )


def _notes(request: Request, results: list[VideoResult]) -> list[str]:
    """What the official program would refuse; with --strict-poseval the first is an error."""
    from tdmi.core.errors import UserError
    from tdmi.evaluation.protocols import posetrack21
    from tdmi.evaluation.refusals import merge

    if request.protocol == "posetrack21":
        return posetrack21.notes([place for result in results for place in result.empty_frames])
    refusals = merge(refusal for result in results for refusal in result.refusals)
    if request.strict and refusals:
        raise UserError(
            f"--strict-poseval: {request.predictions}: {refusals[0].found}; poseval ends with "
            f"{refusals[0].exception}; repair the files or leave the option out"
        )
    return [str(refusal) for refusal in refusals]


def _warnings(request: Request, results: list[VideoResult], total_ap: float) -> list[str]:
    from tdmi.data.skeletons import POSETRACK17
    from tdmi.evaluation import suspicions
    from tdmi.evaluation.protocols import posetrack21

    evidence = suspicions.combine([result.evidence for result in results])
    lines = [line for result in results for line in result.misnamed]
    if request.protocol == "posetrack21":
        lines += posetrack21.longer_warning([r.name for r in results if r.extra_frames])
        lines += posetrack21.cut_warning(sum(result.cut_frames for result in results))
    if request.tracking:
        lines += suspicions.doubtful_tracks(evidence)
    return lines + suspicions.suspicions(evidence, POSETRACK17, total_ap)


def _tracking_scores(results: list[VideoResult]):
    from tdmi.evaluation.tracking import mota

    return mota.tracking_accuracy(mota.combine(result.tracking for result in results))


def _progress(args: argparse.Namespace, items: Iterable, what: str, total: int) -> Iterable:
    from tqdm import tqdm

    # disable=None: no bar where standard error is not a terminal.
    quiet = True if args.quiet else None
    return tqdm(items, desc=what, unit="video", total=total, disable=quiet)


def _run_hieve(args: argparse.Namespace, names: list[str]) -> None:
    from tdmi.evaluation.matching.pairing import misnamed_frames
    from tdmi.evaluation.protocols import hieve
    from tdmi.formats.hieve import read_folder

    truth, predictions = _both_sides(args, names, read_folder)
    _tell("warning", misnamed_frames(truth, predictions))
    metrics = hieve.metrics(truth, predictions, args.bootstrap or 0, args.seed)
    _write(args, metrics)
    if not args.quiet:
        print(hieve.local_table(metrics))
        if args.bootstrap:
            interval = metrics["interval"]
            print(_interval_line("Total AP@avg", interval, interval["ap"]["total"]))


def _cross_check(args: argparse.Namespace, names: list[str], results: list[VideoResult]) -> None:
    from tdmi.evaluation.protocols import cross_check
    from tdmi.evaluation.run import pooled_statistics

    tracked = args.tracking
    if tracked and any(result.refusals for result in results):
        print("cross-check: AP only, as poseval refuses these track ids", file=sys.stderr)
        tracked = False
    official = cross_check.official_scores(args.gt, args.pred, names, tracked)
    comparisons = {"AP": cross_check.compare(pooled_statistics(results), official["ap"])}
    if tracked:
        comparisons["tracking"] = cross_check.compare_tracking(_tracking_scores(results), official)
    for what, result in comparisons.items():
        for line in result.explained:
            print(f"cross-check: explained: {line}", file=sys.stderr)
        for line in result.disagreements:
            print(f"cross-check: DIFFERS: {line}", file=sys.stderr)
        print(
            f"cross-check: {what}: largest difference from poseval "
            f"{result.largest_difference:.3g} ({len(result.disagreements)} of {result.numbers} "
            "numbers disagree)",
            file=sys.stderr,
        )
    if any(result.disagreements for result in comparisons.values()):
        sys.exit(1)


def _run_oks(args: argparse.Namespace, names: list[str]) -> None:
    from functools import partial

    from tdmi.data.skeletons import POSETRACK18
    from tdmi.evaluation.protocols import oks
    from tdmi.formats.posetrack import read_folder

    truth, predictions = _both_sides(args, names, partial(read_folder, skeleton=POSETRACK18))
    metrics = oks.metrics(truth, predictions, args.bootstrap or 0, args.seed, args.quiet)
    _write(args, metrics)
    if not args.quiet:
        for name, value in metrics["oks"].items():
            print(f"{name:<10} {'undefined' if value is None else f'{value:.3f}'}")
        if args.bootstrap:
            interval = metrics["interval"]
            print(_interval_line("ap", interval, interval["oks"]["ap"], decimals=3))


def _both_sides(
    args: argparse.Namespace, names: list[str], read_folder: Callable
) -> tuple[Annotations, Annotations]:
    """All videos of ground truth and predictions in memory; UserError for what cannot be meant."""
    from tdmi.evaluation import inputs

    inputs.total_size(args.gt, args.pred, names)
    truth, predictions = (
        read_folder(folder, _progress(args, names, what, len(names)))
        for folder, what in ((args.gt, "ground truth"), (args.pred, "predictions"))
    )
    inputs.refuse_odd_scores(predictions, args.pred)
    for people, folder in ((truth, args.gt), (predictions, args.pred)):
        images = [inputs.images_of(people, video) for video in range(len(names))]
        inputs.refuse_repeated(names, images, folder)
    return truth, predictions


def _write(args: argparse.Namespace, content: dict) -> None:
    from tdmi.core.errors import UserError
    from tdmi.core.files import write_json
    from tdmi.experiments.provenance import record_metrics

    try:
        write_json(args.out, content)
        # Only runs are verified later, and hashing every file is no part of judging them.
        if (args.out.parent.parent / "provenance.json").is_file():
            record_metrics(args.out, args.gt, args.pred)
    except OSError as error:
        raise UserError(
            f"{args.out}: --out cannot be written ({error.strerror}); mend it"
        ) from None


def _tell(kind: str, lines: list[str]) -> None:
    for line in lines:
        print(f"tdmi evaluate: {kind}: {line}", file=sys.stderr)
