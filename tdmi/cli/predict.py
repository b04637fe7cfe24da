"""Predict a split with a trained run, with each of its suite's kinds of person boxes."""

from __future__ import annotations

import argparse
from pathlib import Path

from tdmi.cli.options import add_split, add_threads, add_trained_run


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_trained_run(parser)
    add_split(parser)
    parser.add_argument("--out", type=Path, metavar="DIR", help="default: the run's own folder")
    add_threads(parser, gpus=lambda _: 1)


def run(args: argparse.Namespace) -> None:
    from tdmi.core.files import check_writable
    from tdmi.experiments.predict import predict_run

    if args.out:
        check_writable(args.out / "predictions.json", "--out")
    predict_run(args.folder, args.split, args.out or args.folder)
