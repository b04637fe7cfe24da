"""Write predictions in the form of an official evaluation server."""

from __future__ import annotations

import argparse
from pathlib import Path

FORMS = ("posetrack17", "posetrack18", "posetrack21")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--predictions", type=Path, required=True, metavar="DIR", help="one file per video"
    )
    parser.add_argument("--form", choices=FORMS, required=True)
    parser.add_argument(
        "--out", type=Path, required=True, metavar="FILE_OR_DIR", help="new; FILE.zip for one file"
    )
    parser.add_argument("--zip", action="store_true", help="one zip file, whatever --out ends in")
    parser.add_argument(
        "--gt",
        type=Path,
        metavar="DIR",
        help="labels of the same videos: brings the frames into their order and adds missing ones",
    )


def run(args: argparse.Namespace) -> None:
    from tdmi.experiments.evaluate import check_predictions
    from tdmi.formats.files import new_folder, new_zip
    from tdmi.formats.recognition import read_labels
    from tdmi.formats.submission import write_submission

    out = args.out
    if args.zip and out.suffix != ".zip":
        out = out.with_name(out.name + ".zip")
    with (new_zip if out.suffix == ".zip" else new_folder)(out) as folder:
        predictions = read_labels(args.predictions)
        check_predictions(args.predictions, predictions)
        truth = read_labels(args.gt, frames_suffice=True) if args.gt else None
        write_submission(predictions, folder, args.form, truth)
    videos = (truth or predictions).video_names
    print(f"{out}: {len(videos)} videos as {args.form}")
