"""What must be alike in all runs of a table, or the table would compare what cannot be compared.

Refused are runs of different data, label releases, labels, boxes, protocols, evaluators and bins of
difficulty. Runs trained at other commits are not refused, for most commits change no number; the
tables name the commits, and `tdmi verify` tells what differs.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from tdmi.core.errors import UserError
from tdmi.core.files import read_json
from tdmi.experiments.provenance import record_of

_EVALUATOR_CODE = "tdmi/evaluation/"
_TRAIN, _JUDGE = "train those that differ again", "evaluate those that differ again"
_SHOWN = 3
"""Runs named of each value."""

Condition = tuple[str, str, str]
"""What must be alike, its value in a run, and the cure."""


def conditions(run: Path, protocols: Iterable[str]) -> Iterator[Condition]:
    """What a run folder tells of its conditions; what it does not tell is left out.

    UserError for predictions of another checkpoint.
    """
    record = _read(run / "provenance.json")
    for what, key in (("data", "data_sha256"), ("boxes", "boxes_sha256")):
        if record.get(key):
            yield what, record[key][:12], _TRAIN
    if "data_release" in record:
        yield "label release", str(record["data_release"]), _TRAIN
    for split, value in record.get("labels_sha256", {}).items():
        yield f"labels of {split}", value[:12], _TRAIN
    _refuse_other_checkpoint(run, record)
    for path in (run / p / f"{name}.json" for p in protocols for name in ("metrics", "tracking")):
        yield from _of_metrics(path)


def _of_metrics(path: Path) -> Iterator[Condition]:
    content, record = _read(path), _read(record_of(path))
    if "protocol" in content:
        yield f"protocol of {path.name}", str(content["protocol"]), _JUDGE
    for attribute, entry in content.get("slices", {}).items():
        ends = ", ".join(str(part["to"]) for part in entry["bins"][:-1])
        yield f"bins of {attribute}", ends, _JUDGE
    if "ground_truth_sha256" in record:
        yield "labels to judge by", record["ground_truth_sha256"][:12], _JUDGE
    for file, value in record.get("code", {}).items():
        if file.startswith(_EVALUATOR_CODE):
            yield f"evaluator {file}", value[:12], _JUDGE


def _refuse_other_checkpoint(run: Path, record: dict[str, Any]) -> None:
    path = run / "predictions.provenance.json"
    used, own = _read(path).get("checkpoint_sha256"), record.get("checkpoint_sha256")
    if used and own and used != own:
        raise UserError(
            f"{path}: the predictions were made with checkpoint {used[:12]}, expected the run's "
            f"own, {own[:12]}; make them again with `tdmi predict --run {run.as_posix()}`"
        )


def refuse_mixed(found: Iterable[tuple[str, Condition]]) -> None:
    """UserError for the first condition that differs; it names the values and their runs.

    `found`: names of runs with one of their conditions each.
    """
    values: dict[str, dict[str, list[str]]] = {}
    cures = {}
    for run, (what, value, cure) in found:
        runs = values.setdefault(what, {}).setdefault(value, [])
        if run not in runs:
            runs.append(run)
        cures[what] = cure
    for what, groups in values.items():
        if len(groups) > 1:
            listed = "; ".join(f"{value} in {_listed(runs)}" for value, runs in groups.items())
            raise UserError(
                f"{what}: found {listed}; expected one value in all runs of a table, so "
                f"{cures[what]}"
            )


def _listed(runs: list[str]) -> str:
    more = len(runs) - _SHOWN
    return ", ".join(runs[:_SHOWN]) + (f" and {more} more" if more > 0 else "")


def _read(path: Path) -> dict[str, Any]:
    """Content of a file of the run; empty where there is none."""
    if not path.exists():
        return {}
    content = read_json(path)
    if not isinstance(content, dict):
        raise UserError(f"{path}: found {type(content).__name__}, expected a JSON object")
    return content
