"""Copies of the tracked files, as a fresh clone has them, and the workflow run in them."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

from tests.support.paths import ROOT


def checkout(folder: Path) -> Path:
    """What a fresh clone holds: the tracked files and nothing else."""
    files = subprocess.run(
        ["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout.split("\0")
    for name in filter(None, files):
        target = folder / name
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(ROOT / name, target, follow_symlinks=False)
    return folder


def copy_sources(folder: Path, fetched: Path = ROOT / "data" / "sources") -> None:
    """Give a checkout the sources that were fetched before, if they were."""
    if fetched.is_dir():
        shutil.copytree(fetched, folder / "data" / "sources")


def snakemake(folder: Path, *arguments: str) -> subprocess.CompletedProcess:
    return subprocess.run(
        ["snakemake", *arguments],
        cwd=folder,
        capture_output=True,
        text=True,
        env=os.environ | {"OMP_NUM_THREADS": "1"},
    )
