"""Settings of runs of which only the records are left, from the workflow of their commit."""

from __future__ import annotations

import hashlib
import tempfile
from pathlib import Path
from typing import Any

from tdmi.config.files import known_configs
from tdmi.config.keys import SuiteKey
from tdmi.config.settings import Settings
from tdmi.config.suites import load_suite
from tdmi.core.errors import UserError
from tdmi.reporting.diff.revisions import commit_of, extract


def recorded_settings(suite: str, records: dict[str, dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """Complete settings of the runs of a suite, as far as they can be told.

    Each run's record names the commit it was made from. What the workflow of that commit sets for
    the run is what it was made with if its text has the recorded hash; old records have none. A
    run is left out whose commit is not in this repository, is of another form than this version
    reads, or gives other settings (uncommitted changes, a trial of the suite).
    """
    found: dict[str, dict[str, Any]] = {}
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


def _settings(workflow: Path, suite: str, runs: list[str]) -> dict[str, dict[str, Any]]:
    """What a workflow sets for runs of a suite; {} where this version cannot tell."""
    try:
        names, grids = (known_configs(kind, workflow) for kind in ("suite", "grid"))
        key = SuiteKey.parse(suite, names, grids)
        if key is None:
            return {}
        known = load_suite(key, workflow)
        named = [(run, *run.split("/seed")) for run in runs]
        return {
            run: known.settings(method, int(seed)).to_dict()
            for run, method, seed in named
            if method in known.methods
        }
    except (UserError, KeyError):
        return {}


def _hash(settings: dict[str, Any]) -> str:
    text = Settings.from_checked(settings).text()
    return hashlib.sha256(text.encode()).hexdigest()
