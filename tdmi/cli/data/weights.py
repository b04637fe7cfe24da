"""Describe a file of published weights, and what a method of a suite would load from it.

The project that published the weights is recognised by their names. Without a suite, the trunk is
compared with the backbone that its own shapes describe. A missing or unsuitable file is an error.
"""

from __future__ import annotations

import argparse
from pathlib import Path


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("file", type=Path, help="e.g. data/weights/pose_hrnet_w48_384x288.pth")
    parser.add_argument("--suite", metavar="NAME", help="workflow/config/NAME.yaml")
    parser.add_argument("--method", metavar="NAME", help="one of the suite's methods")


def run(args: argparse.Namespace) -> None:
    from tdmi.checkpoints import inspect_published, load_published
    from tdmi.core.errors import UserError
    from tdmi.core.files import sha256_of

    if (args.suite is None) != (args.method is None):
        raise UserError("found --suite or --method alone, expected both or neither")
    if args.suite is None:
        report = inspect_published(args.file)
    else:
        from tdmi.config.suites import load_suite
        from tdmi.experiments.build import build_method

        settings = load_suite(args.suite).settings(args.method, seed=0)
        report = load_published(
            args.file,
            build_method(settings),
            settings.skeleton,
            settings.head_mapping or "by_joint_name",
            settings.start_whole,
        )
    print(f"{args.file}: {report}\nSHA-256 {sha256_of(args.file)}")
