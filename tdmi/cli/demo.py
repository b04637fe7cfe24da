"""Draw the poses that a trained run finds in a video file or a folder of frames.

Writes overlay.mp4, poster.png and predictions.json (PoseTrack18 form, every frame) to the folder
--out. The model looks at one person box at a time. Boxes come from a file or from torchvision's
detector, whose weights are never downloaded automatically. Without either, the whole frame counts
as one person's box, which suits a single person who fills the picture.
"""

from __future__ import annotations

import argparse
import logging
from pathlib import Path

from tdmi.cli.options import add_detector_weights, add_threads, add_trained_run


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("video", type=Path, metavar="VIDEO", help="video file or folder of frames")
    add_trained_run(parser)
    parser.add_argument("--out", type=Path, required=True, metavar="DIR")
    origin = parser.add_mutually_exclusive_group()
    origin.add_argument(
        "--boxes",
        type=Path,
        metavar="FILE",
        help="detections in COCO form (image_id: frame number, from 0 in a video file, as in the "
        "file name in a folder), other detection lists, or the persons of a PoseTrack file",
    )
    origin.add_argument("--detector", choices=("none", "torchvision"), default="none")
    origin.add_argument(
        "--whole-frame", action="store_true", help="use the whole frame as the box (default)"
    )
    add_detector_weights(parser, "--detector-weights")
    parser.add_argument(
        "--threshold", type=float, default=0.5, help="lowest score of a box (default 0.5)"
    )
    parser.add_argument("--max-frames", type=int, metavar="N", help="stop after N frames")
    add_threads(parser, default=2)


def run(args: argparse.Namespace) -> None:
    import torch

    from tdmi.core.checks import at_least
    from tdmi.experiments.demo.demo import BoxSource, demo

    if args.max_frames is not None:
        at_least("max-frames", args.max_frames, 1)
    detector = args.detector == "torchvision"
    if not (args.boxes or detector or args.whole_frame):
        logging.getLogger(__name__).info(
            "no boxes given: the whole frame counts as one person's box; for several or small "
            "people give --boxes or --detector torchvision"
        )
    boxes = BoxSource(args.boxes, detector, args.detector_weights, args.threshold)
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    people = demo(args.video, args.folder, args.out, boxes, args.max_frames, device)
    hint = "" if people.persons else "\nno box: lower --threshold, or give --boxes or --whole-frame"
    print(f"{people.persons} persons in {people.frames} frames: {args.out / 'overlay.mp4'}{hint}")
