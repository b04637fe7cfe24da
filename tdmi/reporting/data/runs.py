"""Read the run folders of a suite into data frames; missing files are left out, broken ones stop.

A run is `<runs>/<suite>/<method>/seed<k>/`. A report may be made while runs are still missing, so a
file that is not there gives no rows; a file that cannot be understood is an error that names it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from tdmi.core.errors import UserError
from tdmi.data.skeletons import JOINT_GROUPS, POSETRACK17
from tdmi.experiments.provenance import check_unchanged, read_record, record_of
from tdmi.reporting.data.comparability import check_comparable, conditions_of, read_object
from tdmi.reporting.data.spec import Method, Record

GROUPS = (*JOINT_GROUPS, "total")
MEASURES = ("ap", "precision", "recall")
_KEY = ["method", "seed"]
_COST = ("parameters", "trainable_parameters", "gflops", "frames", "input")
_COUNTS = ("frames", "ground_truth_persons", "predicted_persons")
_COLUMNS = {
    "groups": ("measure", "joint", "value"),
    "joints": ("measure", "joint", "value"),
    "videos": ("video", "ap_total"),
    "counts": _COUNTS,
    "slices": ("attribute", "low", "high", "persons", "few", "ap"),
    "pckh": ("threshold", "within"),
    "reliability": ("low", "joints", "mean_score", "right"),
}
"""Columns of the frames with rows per method, seed and protocol, besides these three."""
Rows = dict[str, list[dict[str, object]]]


@dataclass(frozen=True)
class Runs:
    """The runs of a suite, one long data frame per kind of fact.

    groups:     method, seed, protocol, measure (ap, precision, recall of metrics.json, mota of
                tracking.json), joint (seven groups and total), value in per cent
    joints:     the same for the 15 single joints
    videos:     method, seed, protocol, video, ap_total in per cent
    counts:     method, seed, protocol, frames, ground_truth_persons, predicted_persons
    slices:     method, seed, protocol, attribute, low, high (NaN where open), persons, few, ap
    pckh:       method, seed, protocol, threshold, within (per cent of all annotated joints)
    reliability: method, seed, protocol, low (of the bin), joints, mean_score, right (per cent)
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
    provenance: dict[tuple[str, int], Record]
    names: dict[tuple[str, int], str]

    def names_of(self, method: str) -> list[str]:
        """Return the folders of a method's measured runs, e.g. ``embedded/tdmi/seed0``."""
        return [name for (own, _), name in self.names.items() if own == method]

    @property
    def commits(self) -> str:
        """Commits that the runs were trained at, if there are several; else empty."""
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

    @property
    def frame(self) -> pd.DataFrame:
        """Every measured number of every run with the run's folder, long."""
        joined = pd.concat([self.groups, self.joints], ignore_index=True)
        order = ["method", "seed", "protocol", "measure", "joint"]
        joined = joined.sort_values(order, kind="stable", ignore_index=True)
        joined["run"] = joined.set_index(["method", "seed"]).index.map(self.names)
        return joined


def run_folder(folder: Path, method: Method, seed: int) -> Path:
    """Return the folder of a run below `folder` (<runs>/<suite>), or below its owner's."""
    owner = folder / method.name if method.run_of is None else folder.parent / method.run_of
    return owner / f"seed{seed}"


def read_runs(folder: Path | str, methods: Iterable[Method], protocols: Iterable[str]) -> Runs:
    """Read the runs under `folder` (<runs>/<suite>).

    Raises:
        UserError: a broken file, or runs that cannot be compared (`comparability`).
    """
    folder, protocols = Path(folder), tuple(protocols)
    rows: Rows = {name: [] for name in _COLUMNS}
    cost: dict[str, dict[str, object]] = {}
    timing, histories, provenance, names, conditions = [], [], {}, {}, []
    for method, seed in [(one, seed) for one in methods for seed in one.seeds]:
        run, key = run_folder(folder, method, seed), {"method": method.name, "seed": seed}
        for protocol in protocols:
            for file, read in (("metrics.json", _read_metrics), ("tracking.json", _read_tracking)):
                if (path := run / protocol / file).exists():
                    read(path, key | {"protocol": protocol}, rows)
        record = {}
        if (run / "provenance.json").exists():
            record = provenance[method.name, seed] = read_record(run / "provenance.json")
        for file in ("cost.json", "history.csv"):
            expected = record.get(f"{Path(file).stem}_sha256")
            if expected is not None and (run / file).exists():
                check_unchanged(run / file, expected, "train this run again with `tdmi train`")
        if (run / "cost.json").exists():
            _add_cost(cost, method.name, run / "cost.json")
        if (run / "timing.json").exists():
            timing.append(key | read_object(run / "timing.json"))
        if (run / "history.csv").exists():
            histories.append(_history(run / "history.csv").assign(**key))
        name = run.relative_to(folder.parent).as_posix()
        if any((run / protocol / "metrics.json").exists() for protocol in protocols):
            names[method.name, seed] = name
        conditions += [(name, condition) for condition in conditions_of(run, protocols)]
    check_comparable(conditions)
    return Runs(
        folder=folder,
        **{n: _frame(rows[n], [*_KEY, "protocol", *own]) for n, own in _COLUMNS.items()},
        cost=_frame(list(cost.values()), ["method", *_COST]),
        timing=_frame(timing, _KEY),
        history=pd.concat(histories, ignore_index=True) if histories else _frame([], _KEY),
        provenance=provenance,
        names=names,
    )


def _frame(rows: list[dict[str, object]], columns: list[str]) -> pd.DataFrame:
    return pd.DataFrame(rows) if rows else pd.DataFrame(columns=columns)


def _metrics(path: Path) -> Record:
    """Return the content of a metrics file, checked against its record if it has one."""
    if record_of(path).is_file():
        expected = read_record(record_of(path)).get("metrics_sha256")
        if expected is not None:
            check_unchanged(path, expected, "delete it and evaluate this run again")
    return read_object(path)


def _number(value: object, path: Path, place: str) -> float:
    """Return a number, or NaN for null (a joint that the ground truth never shows)."""
    if value is None:
        return float("nan")
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise UserError(f"{path}: {place}: found {value!r}, expected a number or null")
    return float(value)


def _read_metrics(path: Path, key: dict[str, object], rows: Rows) -> None:
    content = _metrics(path)
    for measure in MEASURES:
        if measure in content:
            _add_measure(measure, content[measure], path, key, rows)
        elif measure == "ap":
            raise UserError(f"{path}: no 'ap'; run `tdmi evaluate` for this run again")
    for video, values in sorted(content.get("per_video", {}).items()):
        value = _number(values.get("ap_total"), path, f"per_video.{video}.ap_total")
        rows["videos"].append(key | {"video": video, "ap_total": value})
    _add_details(content, path, key, rows)
    rows["counts"].append(key | {name: content.get(name) for name in _COUNTS})


def _add_details(
    content: Mapping[str, Any], path: Path, key: dict[str, object], rows: Rows
) -> None:
    """Add the parts that `tdmi evaluate --curves --slices` writes. UserError if one is broken."""
    for part, read in (("slices", _slices), ("pckh", _pckh), ("reliability", _reliability)):
        try:
            found = read(content[part]) if part in content else ()
            rows[part] += [key | dict(zip(_COLUMNS[part], row, strict=True)) for row in found]
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            raise UserError(
                f"{path}: {part}: found something else ({type(error).__name__}: {error}) than "
                "`tdmi evaluate --curves --slices` writes; evaluate this run again"
            ) from None


def _slices(content: Mapping[str, Any]) -> Iterator[tuple[object, ...]]:
    for attribute, entry in content.items():
        for part in entry["bins"]:
            low, high, ap = map(_or_nan, (part["from"], part["to"], part["ap"]["total"]))
            yield attribute, low, high, int(part["persons"]), bool(part["few"]), ap


def _pckh(content: Mapping[str, Any]) -> Iterator[tuple[object, ...]]:
    for values in zip(content["thresholds"], content["annotated"]["total"], strict=True):
        yield tuple(map(_or_nan, values))


def _reliability(content: Mapping[str, Any]) -> Iterator[tuple[object, ...]]:
    columns = (content["joints"], content["mean_score"], content["right"])
    for low, joints, *shares in zip(content["edges"][:-1], *columns, strict=True):
        if joints:  # empty bins are left out
            yield _or_nan(low), int(joints), *map(_or_nan, shares)


def _or_nan(value: float | None) -> float:
    return float("nan") if value is None else float(value)


def _read_tracking(path: Path, key: dict[str, object], rows: Rows) -> None:
    """Read MOTA, whose predictions are other ones than those of AP."""
    content = _metrics(path)
    if "mota" not in content:
        raise UserError(f"{path}: no 'mota'; run `tdmi evaluate --tracking` for this run again")
    _add_measure("mota", content["mota"], path, key, rows)


def _add_measure(
    measure: str, values: Record, path: Path, key: dict[str, object], rows: Rows
) -> None:
    single = values.get("per_joint", {})
    known = [joint for joint in POSETRACK17.joints if joint in single]
    for kind, source, joints in (("groups", values, GROUPS), ("joints", single, known)):
        for joint in joints:
            if joint not in source:
                raise UserError(f"{path}: {measure}: no {joint!r}; evaluate this run again")
            value = _number(source[joint], path, f"{measure}.{joint}")
            rows[kind].append(key | {"measure": measure, "joint": joint, "value": value})


def _add_cost(cost: dict[str, dict[str, object]], method: str, path: Path) -> None:
    """Keep one row per method; a model's size has nothing random, so seeds must agree."""
    content = read_object(path)
    row: dict[str, object] = {name: _number(content.get(name), path, name) for name in _COST[:-1]}
    row |= {"method": method, "input": "×".join(map(str, content.get("input") or ()))}
    if str(cost.setdefault(method, row)) != str(row):
        raise UserError(f"{path}: differs from another seed of {method}; train these runs again")


def _history(path: Path) -> pd.DataFrame:
    try:
        history = pd.read_csv(path)
    except (pd.errors.ParserError, pd.errors.EmptyDataError, UnicodeDecodeError) as error:
        raise UserError(f"{path}: not a valid table ({' '.join(str(error).split())})") from None
    missing = [name for name in ("step", "loss") if name not in history]
    if missing:
        raise UserError(f"{path}: no column {missing}, found {list(history.columns)}")
    return history
