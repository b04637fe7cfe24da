"""Content of git revisions: folders, written out to be read like any other, and runs' settings."""

from __future__ import annotations

import hashlib
import io
import subprocess
import tarfile
import tempfile
from pathlib import Path

from tdmi.config.files import known_configs
from tdmi.config.keys import SuiteKey
from tdmi.config.settings import Settings
from tdmi.config.suites import load_suite
from tdmi.core.errors import UserError
from tdmi.reporting.data.spec import Record


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


def recorded_settings(suite: str, records: dict[str, Record]) -> dict[str, Record]:
    """Complete settings of the runs of a suite, as far as they can be told.

    Each run's record names the commit it was made from. What the workflow of that commit sets for
    the run is what it was made with if its text has the recorded hash; old records have none. A
    run is left out whose commit is not in this repository, is of another form than this version
    reads, or gives other settings (uncommitted changes, a trial of the suite).
    """
    found: dict[str, Record] = {}
    for name in dict.fromkeys(record.get("commit") for record in records.values()):
        commit = commit_of(name) if isinstance(name, str) else None
        with tempfile.TemporaryDirectory(prefix="tdmi-diff-") as folder:
            if commit is None or not extract(commit, "workflow", Path(folder)):
                continue
            runs = [run for run, record in records.items() if record.get("commit") == name]
            found |= _settings(Path(folder, "workflow"), suite, runs)
    return {
        run: found[run]
        for run, record in records.items()
        if run in found and record.get("config_sha256") in (None, _hash(found[run]))
    }


def _settings(workflow: Path, suite: str, runs: list[str]) -> dict[str, Record]:
    """Return the settings that a workflow gives to runs of a suite; {} if unknown here."""
    try:
        names, grids = (known_configs(kind, workflow) for kind in ("suite", "grid"))
        key = SuiteKey.parse(suite, names, grids)
        if key is None:
            return {}
        known = load_suite(key, workflow)
        named = [(run, *run.split("/seed")) for run in runs]
        own = [(run, method, int(seed)) for run, method, seed in named if method in known.methods]
        return {run: known.settings(method, seed).to_dict() for run, method, seed in own}
    except (UserError, KeyError):
        return {}


def _hash(settings: Record) -> str:
    return hashlib.sha256(Settings.from_checked(settings).text().encode()).hexdigest()


def _git(*arguments: str) -> bytes | None:
    """Return the output of git, or None if it fails or is missing."""
    try:
        return subprocess.run(["git", *arguments], capture_output=True, check=True).stdout
    except (OSError, subprocess.CalledProcessError):
        return None
