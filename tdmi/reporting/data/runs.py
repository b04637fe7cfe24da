"""Read the run folders of a suite into data frames: what is missing is left out, broken files stop.

A run is `<runs>/<suite>/<method>/seed<k>/`. A report may be made while runs are still missing, so a
file that is not there gives no rows; a file that cannot be understood is an error that names it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from tdmi.core.errors import UserError
from tdmi.core.files import read_json
from tdmi.data.skeletons import JOINT_GROUPS, POSETRACK17
from tdmi.experiments.provenance import check_unchanged, read_record, record_of
from tdmi.reporting.data import comparability as mixing
from tdmi.reporting.data import details
from tdmi.reporting.data.settings import Method

GROUPS = (*JOINT_GROUPS, "total")
MEASURES = ("ap", "precision", "recall")
_KEY = ["method", "seed"]


@dataclass(frozen=True)
class Runs:
    """All that was found of a suite's runs, one long data frame per kind of fact.

    groups:     method, seed, protocol, measure (ap, precision, recall of metrics.json, mota of
                tracking.json), joint (seven groups and total), value in per cent
    joints:     the same for the 15 single joints
    videos:     method, seed, protocol, video, ap_total in per cent
    counts:     method, seed, protocol, frames, ground_truth_persons, predicted_persons
    slices, pckh, reliability: method, seed, protocol, and the columns of `details.COLUMNS`
    cost:       method, parameters, trainable_parameters, gflops (per key frame), frames, input
    timing:     method, seed, and the columns of timing.json
    history:    method, seed, and the columns of history.csv
    provenance: {(method, seed): the content of provenance.json}
    names:      {(method, seed): its folder below that of all runs}, of runs with metrics
    """

    folder: Path
    groups: pd.DataFrame
    joints: pd.DataFrame
    videos: pd.DataFrame
    counts: pd.DataFrame
    slices: pd.DataFrame
    pckh: pd.DataFrame
    reliability: pd.DataFrame
    cost: pd.DataFrame
    timing: pd.DataFrame
    history: pd.DataFrame
    provenance: dict[tuple[str, int], dict[str, Any]]
    names: dict[tuple[str, int], str]

    def names_of(self, method: str) -> list[str]:
        """Folders of a method's runs that were measured, e.g. ``embedded/tdmi/seed0``."""
        return [name for (own, _), name in self.names.items() if own == method]

    @property
    def commits(self) -> str:
        """The commits that the runs were trained at, if there are several; else empty."""
        stated = Counter(
            f"{record['commit'][:7]}{' with changes' if record.get('dirty') else ''}"
            for record in self.provenance.values()
            if record.get("commit")
        )
        several = [f"{commit} ({count})" for commit, count in sorted(stated.items())]
        return ", ".join(several) if len(several) > 1 else ""

    @property
    def release(self) -> str:
        """Label release of the data, as the runs' provenance states it; empty if none does."""
        stated = {record.get("data_release") for record in self.provenance.values()}
        return ", ".join(sorted(filter(None, stated)))


def run_folder(folder: Path, method: Method, seed: int) -> Path:
    """Folder of a run, given <runs>/<suite>; a shared run lies with the suite that owns it."""
    owner = folder / method.name if method.run_of is None else folder.parent / method.run_of
    return owner / f"seed{seed}"


def read_runs(folder: Path | str, methods: Iterable[Method], protocols: Iterable[str]) -> Runs:
    """Read the runs under `folder` (= <runs>/<suite>).

    UserError names a file that is broken, and runs that cannot be compared (`mixing`).
    """
    folder, protocols = Path(folder), tuple(protocols)
    rows: dict[str, list] = {name: [] for name in ("groups", "joints", "videos", "counts")}
    rows |= {name: [] for name in details.COLUMNS}
    cost: dict[str, dict] = {}
    timing, histories, provenance, names, conditions = [], [], {}, {}, []
    for method in methods:
        for seed in method.seeds:
            run, name = run_folder(folder, method, seed), method.name
            for protocol in protocols:
                key = {"method": name, "seed": seed, "protocol": protocol}
                _read_metrics(run / protocol / "metrics.json", key, rows)
                _read_tracking(run / protocol / "tracking.json", key, rows)
            record = {}
            if (run / "provenance.json").exists():
                record = provenance[name, seed] = read_record(run / "provenance.json")
            for file in ("cost.json", "history.csv"):
                expected = record.get(f"{Path(file).stem}_sha256")
                if expected is not None and (run / file).exists():
                    check_unchanged(run / file, expected, "train this run again with `tdmi train`")
            if (run / "cost.json").exists():
                _add_cost(cost, name, run / "cost.json")
            if (run / "timing.json").exists():
                value = _object(run / "timing.json")
                timing.append({"method": name, "seed": seed} | value)
            if (run / "history.csv").exists():
                histories.append(_history(run / "history.csv", name, seed))
            place = run.relative_to(folder.parent).as_posix()
            if any((run / protocol / "metrics.json").exists() for protocol in protocols):
                names[name, seed] = place
            conditions += [(place, found) for found in mixing.conditions(run, protocols)]
    mixing.refuse_mixed(conditions)
    protocol_key = [*_KEY, "protocol"]
    return Runs(
        folder=folder,
        groups=_frame(rows["groups"], [*protocol_key, "measure", "joint", "value"]),
        joints=_frame(rows["joints"], [*protocol_key, "measure", "joint", "value"]),
        videos=_frame(rows["videos"], [*protocol_key, "video", "ap_total"]),
        counts=_frame(rows["counts"], [*protocol_key, *_COUNTS]),
        **{n: _frame(rows[n], [*protocol_key, *c]) for n, c in details.COLUMNS.items()},
        cost=_frame(list(cost.values()), ["method", *_COST]),
        timing=_frame(timing, _KEY),
        history=pd.concat(histories, ignore_index=True) if histories else _frame([], _KEY),
        provenance=provenance,
        names=names,
    )


_COUNTS = ("frames", "ground_truth_persons", "predicted_persons")
_COST = ("parameters", "trainable_parameters", "gflops", "frames", "input")


def _frame(rows: list[dict], columns: list[str]) -> pd.DataFrame:
    return pd.DataFrame(rows) if rows else pd.DataFrame(columns=columns)


def _object(path: Path) -> dict[str, Any]:
    value = read_json(path)
    if not isinstance(value, dict):
        raise UserError(f"{path}: found {type(value).__name__}, expected a JSON object")
    return value


def _judged(path: Path) -> dict[str, Any]:
    """A metrics file, as its record says if it has one."""
    if record_of(path).is_file():
        expected = read_record(record_of(path)).get("metrics_sha256")
        if expected is not None:
            check_unchanged(path, expected, "delete it and evaluate this run again")
    return _object(path)


def _number(value: Any, path: Path, place: str) -> float:
    """A number, or NaN for null (a joint that the ground truth never shows)."""
    if value is None:
        return float("nan")
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise UserError(f"{path}: {place}: found {value!r}, expected a number or null")
    return float(value)


def _read_metrics(path: Path, key: dict, rows: dict[str, list]) -> None:
    if not path.exists():
        return
    content = _judged(path)
    for measure in MEASURES:
        if measure in content:
            _add_measure(measure, content[measure], path, key, rows)
        elif measure == "ap":
            raise UserError(f"{path}: no 'ap'; run `tdmi evaluate` for this run again")
    for video, values in sorted(content.get("per_video", {}).items()):
        value = _number(values.get("ap_total"), path, f"per_video.{video}.ap_total")
        rows["videos"].append(key | {"video": video, "ap_total": value})
    details.add_details(content, path, key, rows)
    rows["counts"].append(key | {name: content.get(name) for name in _COUNTS})


def _read_tracking(path: Path, key: dict, rows: dict[str, list]) -> None:
    """MOTA stands in a file of its own, for it is of another set of predictions than AP."""
    if not path.exists():
        return
    content = _judged(path)
    if "mota" not in content:
        raise UserError(f"{path}: no 'mota'; run `tdmi evaluate --tracking` for this run again")
    _add_measure("mota", content["mota"], path, key, rows)


def _add_measure(
    measure: str, values: dict[str, Any], path: Path, key: dict, rows: dict[str, list]
) -> None:
    for kind, names in (("groups", GROUPS), ("joints", POSETRACK17.joints)):
        source = values if kind == "groups" else values.get("per_joint", {})
        for joint in names:
            if joint not in source:
                if kind == "joints":
                    continue
                raise UserError(f"{path}: {measure}: no {joint!r}; evaluate this run again")
            value = _number(source[joint], path, f"{measure}.{joint}")
            rows[kind].append(key | {"measure": measure, "joint": joint, "value": value})


def _add_cost(cost: dict[str, dict], method: str, path: Path) -> None:
    """Keep one row per method; seeds must agree, for a model's size has nothing random."""
    content = _object(path)
    row = {"method": method}
    for name in _COST:
        if name == "input":
            row[name] = "×".join(str(side) for side in content.get(name) or ())
        else:
            row[name] = _number(content.get(name), path, name)
    if str(cost.setdefault(method, row)) != str(row):
        raise UserError(f"{path}: differs from another seed of {method}; train these runs again")


def _history(path: Path, method: str, seed: int) -> pd.DataFrame:
    try:
        history = pd.read_csv(path)
    except (pd.errors.ParserError, pd.errors.EmptyDataError, UnicodeDecodeError) as error:
        raise UserError(f"{path}: not a valid table ({' '.join(str(error).split())})") from None
    missing = [name for name in ("step", "loss") if name not in history]
    if missing:
        raise UserError(f"{path}: no column {missing}, found {list(history.columns)}")
    history.insert(0, "seed", seed)
    history.insert(0, "method", method)
    return history
