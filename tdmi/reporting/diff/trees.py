"""Trees of results, found in a folder or in a git revision, as plain values.

A suite is ``results/<suite>`` as a report writes it, or ``runs/<suite>`` as training and evaluation
do; a folder of several suites is read as all of them. ``REVISION:PATH`` is git's own way to name a
folder of a revision; without a path it is ``results``.
"""

from __future__ import annotations

import io
import re
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO

import pandas as pd

from tdmi.core.errors import UserError
from tdmi.core.files import read_json, read_text, read_yaml
from tdmi.reporting.data.runs import read_runs
from tdmi.reporting.data.spec import Method, Record
from tdmi.reporting.diff.revisions import commit_of, extract, recorded_settings
from tdmi.reporting.tables.tables import csv

_COLUMNS = {"method": str, "seed": int, "protocol": str, "measure": str, "joint": str}
_COLUMNS |= {"value": float}


@dataclass(frozen=True)
class Tree:
    """One suite's results.

    values:   method, seed, protocol, measure, joint, value; to the six digits of runs.csv
    records:  provenance of every run by its name, <method>/seed<k>
    settings: complete settings likewise, of the runs whose settings are known
    """

    values: pd.DataFrame
    records: dict[str, Record]
    settings: dict[str, Record]


def read_trees(name: str) -> dict[str, Tree]:
    """Read every suite that a folder or a git revision holds, by the suite's name.

    Raises:
        UserError: neither a folder nor a revision, a tree without results, or a broken file.
    """
    if Path(name).is_dir():
        return _suites(Path(name), name)
    revision, _, path = name.partition(":")
    path = path.strip("/") or "results"
    commit = commit_of(revision)
    if commit is None:
        raise UserError(
            f"{name}: neither a folder nor a git revision of this repository, expected one such as "
            "results/embedded, runs, HEAD~1 or HEAD~1:results/embedded"
        )
    with tempfile.TemporaryDirectory(prefix="tdmi-diff-") as folder:
        if not extract(commit, path, Path(folder)):
            raise UserError(
                f"{name}: the revision has no folder {path}, expected the results of a suite or "
                "of all; name another, e.g. HEAD:results/embedded"
            )
        try:
            return _suites(Path(folder, path), name)
        except UserError as error:
            raise UserError(str(error).replace(f"{folder}/", f"{revision}:")) from None


def _suites(folder: Path, name: str) -> dict[str, Tree]:
    subfolders = sorted(path for path in folder.iterdir() if path.is_dir())
    for candidates in ([folder.resolve()], subfolders):
        found = {}
        for path in candidates:
            if (path / "tables").is_dir():
                found[path.name] = _read_report(path)
            elif any(path.glob("*/seed*/config.yaml")):
                found[path.name] = _read_runs(path)
        if found:
            return found
    raise UserError(
        f"{name}: no results in it, expected tables/runs.csv of a report or runs such as "
        "tdmi/seed0/config.yaml, in the folder itself or one below; name results/<suite>, "
        "runs/<suite> or a folder of such"
    )


def _read_report(folder: Path) -> Tree:
    path = folder / "tables" / "runs.csv"
    values = _values(io.StringIO(read_text(path)), path)
    path = folder / "provenance.json"
    records = _mapping(read_json(path), path)
    for run, record in records.items():
        if not re.fullmatch(r".+/seed\d+", run) or not isinstance(record, dict):
            raise UserError(
                f"{path}: {run!r}: expected the record of a run under its "
                "name, e.g. tdmi/seed0; make the report again with `tdmi report`"
            )
    return Tree(values, records, recorded_settings(folder.name, records))


def _read_runs(folder: Path) -> Tree:
    settings: dict[str, Record] = {}
    seeds: dict[str, tuple[int, ...]] = {}
    for path in sorted(folder.glob("*/seed*/config.yaml")):
        method, seed = path.parent.parent.name, path.parent.name.removeprefix("seed")
        if seed.isdecimal():
            settings[f"{method}/seed{seed}"] = _mapping(read_yaml(path), path)
            seeds[method] = (*seeds.get(method, ()), int(seed))
    metrics = [*folder.glob("*/seed*/*/metrics.json"), *folder.glob("*/seed*/*/tracking.json")]
    methods = [Method(name, name, "", own) for name, own in seeds.items()]
    runs = read_runs(folder, methods, sorted({path.parent.name for path in metrics}))
    values = _values(io.StringIO(csv(runs.frame.astype({"value": float}))), folder)
    records = {f"{method}/seed{seed}": record for (method, seed), record in runs.provenance.items()}
    return Tree(values, records, settings)


def _values(file: TextIO, path: Path) -> pd.DataFrame:
    cure = "make the report again with `tdmi report`"
    try:
        values = pd.read_csv(file, dtype=_COLUMNS, keep_default_na=False, na_values={"value": [""]})
    except (ValueError, OverflowError) as error:  # includes pandas' errors, UnicodeDecodeError
        detail = " ".join(str(error).split())
        raise UserError(f"{path}: not a valid table of runs ({detail}); {cure}") from None
    if not set(_COLUMNS) <= set(values):
        raise UserError(f"{path}: columns {list(values)}, expected {list(_COLUMNS)}; {cure}")
    values = values[list(_COLUMNS)]  # reports of other versions have more
    *key, _ = _COLUMNS
    lacking = values[
        values.joint.ne("total").groupby([values[k] for k in key[:-1]]).transform("all")
    ]
    for rows, columns, found in (
        (values[values.duplicated(key)], key, "stands twice, expected once"),
        (lacking, key[:-1], "has no total, expected one"),
    ):
        if len(rows):
            place = " ".join(map(str, rows.iloc[0][columns]))
            raise UserError(f"{path}: {place!r} {found}; {cure}")
    return values


def _mapping(value: object, path: Path) -> Record:
    if not isinstance(value, dict):
        raise UserError(
            f"{path}: found a {type(value).__name__}, expected a mapping; restore it from a copy"
        )
    return value
