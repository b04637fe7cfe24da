"""Predict the test split with a trained run, for each box protocol."""

from __future__ import annotations

import argparse
from pathlib import Path


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--run", dest="folder", type=Path, required=True, metavar="DIR", help="a trained run"
    )
    parser.add_argument(
        "--split", choices=("train", "validation", "test"), default="test", help="default: test"
    )
    parser.add_argument("--out", type=Path, metavar="DIR", help="default: the run's own folder")
    parser.add_argument("--threads", type=int, default=1, help="CPU threads of torch (default 1)")


def run(args: argparse.Namespace) -> None:
    from tdmi.core.devices import claim

    claim()
    from tdmi.core.threads import use_threads

    use_threads(args.threads)
    from tdmi.experiments.predict import predict_run

    predict_run(args.folder, args.split, args.out or args.folder)
