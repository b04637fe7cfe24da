"""Write label files or predictions of one PoseTrack form in another."""

from __future__ import annotations

import argparse
from pathlib import Path

FORMS = ("posetrack17", "posetrack17-mat", "posetrack18")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--from",
        dest="source",
        type=Path,
        required=True,
        metavar="FILE_OR_FOLDER",
        help="one label file per video, of any year, JSON or MATLAB",
    )
    parser.add_argument("--to", dest="form", choices=FORMS, required=True)
    parser.add_argument(
        "--out", type=Path, required=True, metavar="FOLDER", help="new or empty folder"
    )


def run(args: argparse.Namespace) -> None:
    from tdmi.formats.convert import convert_files

    annotations, notes = convert_files(args.source, args.form, args.out)
    for note in notes:
        print(note)
    print(
        f"{args.out}: {len(annotations.video_names)} videos, {annotations.frames} frames, "
        f"{annotations.persons} persons as {args.form}"
    )
