"""Draw what a trained TDMI computes for one person: differences, motion, masks, heatmaps.

By default the person of the split whose joints move fastest; --video, --frame and --track narrow
the choice. Writes three files named like --out: .svg, .png, and the numbers as .csv.
"""

from __future__ import annotations

import argparse
from pathlib import Path


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--run", dest="folder", type=Path, required=True, metavar="DIR", help="a trained run"
    )
    parser.add_argument("--out", type=Path, required=True, metavar="FILE")
    parser.add_argument(
        "--split", choices=("train", "validation", "test"), default="test", help="default: test"
    )
    parser.add_argument("--video", metavar="NAME", help="name of a video of the split")
    parser.add_argument("--frame", type=int, metavar="N", help="place in the video, from 0")
    parser.add_argument("--track", type=int, metavar="ID", help="track id of the person")
    parser.add_argument("--threads", type=int, default=2, help="CPU threads of torch (default 2)")


def run(args: argparse.Namespace) -> None:
    from tdmi.core.threads import use_threads

    use_threads(args.threads)
    from tdmi.reporting.figures.explanation import explain_run

    person = explain_run(args.folder, args.out, args.split, args.video, args.frame, args.track)
    print(f"{person}: {args.out.with_suffix('.png')}")
