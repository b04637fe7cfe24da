"""Check a file of published HRNet pose weights, or say where it comes from if it is not there."""

from __future__ import annotations

import argparse
from pathlib import Path


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("file", type=Path, help="e.g. data/weights/pose_hrnet_w48_384x288.pth")


def run(args: argparse.Namespace) -> None:
    from tdmi.checkpoints import from_hrnet, read_published
    from tdmi.files import sha256_of

    state = from_hrnet(read_published(args.file))
    numbers = sum(value.numel() for value in state.values())
    print(f"{args.file}: {len(state)} tensors, {numbers} numbers, SHA-256 {sha256_of(args.file)}")
