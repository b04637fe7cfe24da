"""Check that the runs of a table can be compared: same data, labels, boxes and evaluator.

Bins of difficulty must agree as well. Runs trained at other commits are accepted, since most
commits change no number; the tables name the commits, and `tdmi verify` shows what differs.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

from tdmi.core.errors import UserError
from tdmi.core.files import read_json
from tdmi.experiments.provenance import record_of
from tdmi.reporting.data.spec import Record

_EVALUATOR_CODE = "tdmi/evaluation/"
_TRAIN, _EVALUATE = "train those that differ again", "evaluate those that differ again"
_SHOWN = 3
"""Runs named of each value."""

Condition = tuple[str, str, str]
"""Name of what must agree, its value in a run, and the cure."""


def conditions_of(run: Path, protocols: Iterable[str]) -> Iterator[Condition]:
    """Yield the conditions that a run folder records.

    Raises:
        UserError: predictions of another checkpoint.
    """
    record = _read(run / "provenance.json")
    for name, key in (("data", "data_sha256"), ("boxes", "boxes_sha256")):
        if record.get(key):
            yield name, record[key][:12], _TRAIN
    if "data_release" in record:
        yield "label release", str(record["data_release"]), _TRAIN
    for split, value in record.get("labels_sha256", {}).items():
        yield f"labels of {split}", value[:12], _TRAIN
    _check_checkpoint(run, record)
    for path in (run / p / f"{name}.json" for p in protocols for name in ("metrics", "tracking")):
        yield from _of_metrics(path)


def _of_metrics(path: Path) -> Iterator[Condition]:
    content, record = _read(path), _read(record_of(path))
    if "protocol" in content:
        yield f"protocol of {path.name}", str(content["protocol"]), _EVALUATE
    for attribute, entry in content.get("slices", {}).items():
        ends = ", ".join(str(part["to"]) for part in entry["bins"][:-1])
        yield f"bins of {attribute}", ends, _EVALUATE
    if "ground_truth_sha256" in record:
        yield "labels of the evaluation", record["ground_truth_sha256"][:12], _EVALUATE
    for file, value in record.get("code", {}).items():
        if file.startswith(_EVALUATOR_CODE):
            yield f"evaluator {file}", value[:12], _EVALUATE


def _check_checkpoint(run: Path, record: Record) -> None:
    path = run / "predictions.provenance.json"
    used, own = _read(path).get("checkpoint_sha256"), record.get("checkpoint_sha256")
    if used and own and used != own:
        raise UserError(
            f"{path}: the predictions were made with checkpoint {used[:12]}, expected the run's "
            f"own, {own[:12]}; make them again with `tdmi predict --run {run.as_posix()}`"
        )


def check_comparable(found: Iterable[tuple[str, Condition]]) -> None:
    """Raise UserError for the first condition that differs; it names the values and their runs.

    `found`: names of runs with one of their conditions each.
    """
    values: dict[str, dict[str, dict[str, None]]] = {}
    cures = {}
    for run, (name, value, cures[name]) in found:
        values.setdefault(name, {}).setdefault(value, {})[run] = None
    for name, groups in values.items():
        if len(groups) > 1:
            listed = "; ".join(f"{value} in {_listed([*runs])}" for value, runs in groups.items())
            raise UserError(
                f"{name}: found {listed}; expected one value in all runs of a table, so "
                f"{cures[name]}"
            )


def _listed(runs: list[str]) -> str:
    more = len(runs) - _SHOWN
    return ", ".join(runs[:_SHOWN]) + (f" and {more} more" if more > 0 else "")


def _read(path: Path) -> Record:
    return read_object(path) if path.exists() else {}


def read_object(path: Path) -> Record:
    """Return the content of a JSON file of a run. UserError unless it is an object."""
    content = read_json(path)
    if not isinstance(content, dict):
        raise UserError(f"{path}: found {type(content).__name__}, expected a JSON object")
    return content
