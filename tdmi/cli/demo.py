"""Draw the poses that a trained run finds in a video file or a folder of frames.

Writes overlay.mp4, poster.png and predictions.json (PoseTrack18 form, every frame) to the folder
--out. The model looks at one person box at a time. Boxes come from a file, from torchvision's
detector (its weights are never downloaded by itself), or, if neither is given, the whole frame
counts as one person's box, which suits a single person who fills the picture.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("video", type=Path, metavar="VIDEO", help="video file or folder of frames")
    parser.add_argument(
        "--run", dest="folder", type=Path, required=True, metavar="DIR", help="a trained run"
    )
    parser.add_argument("--out", type=Path, required=True, metavar="DIR")
    origin = parser.add_mutually_exclusive_group()
    origin.add_argument(
        "--boxes",
        type=Path,
        metavar="FILE",
        help="detections in COCO form (image_id: the frame's number, from 0 in a video file, as "
        "in the file name in a folder), other detection lists, or a PoseTrack file's persons",
    )
    origin.add_argument("--detector", choices=("none", "torchvision"), default="none")
    origin.add_argument(
        "--whole-frame", action="store_true", help="take the whole frame as the box (default)"
    )
    parser.add_argument(
        "--detector-weights",
        type=Path,
        metavar="FILE",
        help="state dictionary of fasterrcnn_resnet50_fpn_v2; default: from torchvision's cache",
    )
    parser.add_argument(
        "--threshold", type=float, default=0.5, help="lowest score of a box (default 0.5)"
    )
    parser.add_argument("--max-frames", type=_positive, metavar="N", help="stop after N frames")
    parser.add_argument("--threads", type=int, default=2, help="CPU threads of torch (default 2)")


def run(args: argparse.Namespace) -> None:
    import torch

    from tdmi.core.threads import use_threads

    use_threads(args.threads)
    from tdmi.experiments.demo.demo import BoxSource, demo

    boxes = BoxSource(
        args.boxes, args.detector == "torchvision", args.detector_weights, args.threshold
    )
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    if not (boxes.file or boxes.detector or args.whole_frame):
        print(
            "no boxes given: the whole frame counts as one person's box; for several or small "
            "people give --boxes or --detector torchvision",
            file=sys.stderr,
        )
    people = demo(args.video, args.folder, args.out, boxes, args.max_frames, device)
    print(f"{people.persons} persons in {people.frames} frames: {args.out / 'overlay.mp4'}")
    if not people.persons:
        print("no box: give a lower --threshold, other --boxes, or --whole-frame")


def _positive(text: str) -> int:
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError(f"{value} is not positive")
    return value
