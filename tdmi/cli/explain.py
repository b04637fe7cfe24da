"""Draw what a trained TDMI computes for one person: differences, motion, masks, heatmaps.

By default this is the person of the split whose joints move fastest. --video, --frame and --track
narrow the choice. Writes three files named like --out: .svg, .png, and the numbers as .csv.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from tdmi.cli.options import add_split, add_threads, add_trained_run


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_trained_run(parser)
    parser.add_argument("--out", type=Path, required=True, metavar="FILE")
    add_split(parser)
    parser.add_argument("--video", metavar="NAME", help="name of a video of the split")
    parser.add_argument("--frame", type=int, metavar="N", help="index in the video, from 0")
    parser.add_argument("--track", type=int, metavar="ID", help="track id of the person")
    add_threads(parser, default=2)


def run(args: argparse.Namespace) -> None:
    from tdmi.core.files import check_writable
    from tdmi.reporting.figures.explanation import explain_run

    check_writable(args.out.with_suffix(".png"), "--out")
    person = explain_run(args.folder, args.out, args.split, args.video, args.frame, args.track)
    print(f"{person}: {args.out.with_suffix('.png')}")
