"""Folders of git revisions, written out to be read like any other."""

from __future__ import annotations

import io
import subprocess
import tarfile
from pathlib import Path


def commit_of(revision: str) -> str | None:
    """Return the full hash of the commit that a revision names; None if there is none such."""
    name = f"{revision}^{{commit}}"
    found = _git("rev-parse", "--verify", "--quiet", "--end-of-options", name)
    return found.decode().strip() if found else None


def extract(commit: str, path: str, folder: Path) -> bool:
    """Write a folder of a commit, given by its path from the top, below `folder`.

    False, and nothing is written, if the commit has no such folder.
    """
    if _git("cat-file", "-t", f"{commit}:{path}") != b"tree\n":
        return False
    root = (_git("rev-parse", "--show-toplevel") or b".").decode().strip()
    archive = _git("-C", root, "archive", commit, "--", path)
    with tarfile.open(fileobj=io.BytesIO(archive or b"")) as files:
        files.extractall(folder, filter="data")
    return True


def _git(*arguments: str) -> bytes | None:
    """Return the output of git, or None if it fails or is missing."""
    try:
        return subprocess.run(["git", *arguments], capture_output=True, check=True).stdout
    except (OSError, subprocess.CalledProcessError):
        return None
