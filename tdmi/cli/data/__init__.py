"""Get, check, convert and make data sets, and look at them."""

from __future__ import annotations

import argparse

from tdmi.cli.options import add_commands

ACTIONS = (
    "fetch", "check", "convert", "detect", "prepare", "export", "export-hieve", "weights",
    "mocap", "pose2sim", "contact-sheet",
)  # fmt: skip


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_commands(parser, "tdmi.cli.data", ACTIONS, "action")
