"""Detect persons in the frames of a data set with torchvision's detector.

Writes the boxes as a COCO detection list, and beside it FILE.provenance.json, which names the
weights. Weights are never downloaded: name a file, or put torchvision's into its cache.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from tdmi.cli.options import add_detector_weights, add_threads


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--root", type=Path, required=True, metavar="DIR", help="one data set")
    parser.add_argument("--split", default="val", help="default: val")
    add_detector_weights(parser, "--weights")
    parser.add_argument(
        "--out", type=Path, metavar="FILE", help="default: ROOT/boxes/SPLIT.json; must not exist"
    )
    parser.add_argument(
        "--threshold", type=float, default=0.05, help="lowest score kept (default 0.05)"
    )
    parser.add_argument("--all-frames", action="store_true", help="also frames that have no labels")
    add_threads(parser, default=2)


def run(args: argparse.Namespace) -> None:
    from tdmi.core.files import check_writable
    from tdmi.experiments.detect_boxes import detect_split

    out = args.out or args.root / "boxes" / f"{args.split}.json"
    check_writable(out, "--out")
    count, frames = detect_split(
        args.root, args.split, out, args.weights, args.threshold, args.all_frames
    )
    print(f"{count} boxes in {frames} frames: {out}")
