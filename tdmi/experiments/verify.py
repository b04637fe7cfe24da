"""Check a run folder against its records, and compare what it was made from with today."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tdmi.config.settings import Settings
from tdmi.core.errors import UserError
from tdmi.core.files import digest, hashes_of_folder, read_json, sha256_of
from tdmi.evaluation.protocols.base import Request
from tdmi.experiments.folder import RunFolder, evaluated_folder, initial_checkpoint
from tdmi.experiments.provenance import (
    Record,
    check_unchanged,
    code_file,
    provenance,
    read_record,
    record_of,
)

_TRAINING_KEYS = (
    "commit",
    "dirty",
    "python",
    "packages",
    "hardware",
    "data_sha256",
    "boxes_sha256",
    "initial_weights_sha256",
    "checkpoint_sha256",
)
SHOWN = 5
"""Missing source files that are named; more of them have moved."""
_PREDICTION_KEYS = ("code", "checkpoint_sha256", "files")
_METRICS_KEYS = ("code", "ground_truth_sha256", "predictions_sha256", "metrics_sha256")


@dataclass(frozen=True)
class Difference:
    """A value that differs from when the run was made; None: missing."""

    what: str
    recorded: Any
    today: Any


@dataclass
class Verification:
    """Findings in a run folder none of whose files is broken.

    files: number of files of training, prediction and evaluation that are as recorded
    same, differences: comparisons with today's code, data and environment
    unrecorded: parts that the run's records do not cover
    """

    files: dict[str, int] = field(default_factory=dict)
    same: list[str] = field(default_factory=list)
    differences: list[Difference] = field(default_factory=list)
    unrecorded: list[str] = field(default_factory=list)

    def compare(self, what: str, recorded: Any, today: Any) -> None:
        if recorded == today:
            self.same.append(what)
        else:
            self.differences.append(Difference(what, recorded, today))


def verify(run: Path, runs: Path | None = None) -> Verification:
    """Hash the files of a run folder again and compare what they were made from with today.

    `runs`: folder of the run that this one started from; by default that which holds this run.
    UserError for the first file that is missing or not as recorded.
    """
    settings, record = read_run(run)
    folder, found = RunFolder(run), Verification()
    _verify_training(folder, record, found)
    files = _verify_predictions(folder, record, found)
    records = {"training": record | _code_of_training(folder, record)}
    if files is not None:
        records["prediction"] = read_record(folder.predictions_record)
    records |= _verify_metrics(folder, settings, files or {}, found)
    for stage, entry in records.items():
        _compare_code(stage, entry, found)
    _compare_environment(record, found)
    for what, recorded, today in inputs(run, settings, record, runs):
        found.compare(what, recorded, today)
    if "labels_sha256" not in record:
        found.unrecorded.append("labels_sha256")
    return found


def read_run(run: Path) -> tuple[Settings, Record]:
    """Settings and provenance of a trained run."""
    folder = RunFolder(run)
    if not folder.provenance.is_file():
        raise UserError(
            f"{run}: no provenance.json, expected the folder of a trained run; name one such as "
            "runs/embedded/tdmi/seed0, or train it with `tdmi train`"
        )
    record = read_record(folder.provenance, _TRAINING_KEYS)
    return folder.settings(), record


def inputs(
    run: Path, settings: Settings, record: Record, runs: Path | None = None
) -> Iterator[tuple[str, str | None, str | None]]:
    """Inputs of a run: (name, hash as recorded, hash today; None where it is missing).

    Pictures are known by the record of their data set alone; labels are read again.
    """
    folder = settings.dataset.folder
    try:
        data = folder.data_hash()
    except UserError:
        data = None
    yield "data", record["data_sha256"], data
    labels = folder.labels_hashes(settings.dataset.splits)
    for split, recorded in record.get("labels_sha256", {}).items():
        yield f"labels of {split}", recorded, labels.get(split)
    yield "boxes", record["boxes_sha256"], folder.boxes_hash(settings.dataset.test)
    initial = initial_checkpoint(settings, runs or run.resolve().parents[2])
    if initial is not None:
        today = sha256_of(initial) if initial.is_file() else None
        yield "initial weights", record["initial_weights_sha256"], today


def request_of(metrics: Path, settings: Settings) -> Request:
    """The evaluation that made a metrics file of a run."""
    truth = settings.dataset.folder.annotations(settings.dataset.test)
    protocol = read_json(metrics).get("protocol", "poseval").removesuffix("_local")
    tracking = metrics.name == "tracking.json"
    return Request(truth, evaluated_folder(metrics), protocol, tracking)


def _verify_training(run: RunFolder, record: Record, found: Verification) -> None:
    checked = 0
    again = f"make it again with `tdmi reproduce {run.path} --out DIR`"
    for file in run.trained:
        expected = record.get(f"{file.stem}_sha256")
        if expected is None:
            found.unrecorded.append(file.name)
            continue
        cure = "restore it, or train the run again with `tdmi train`"
        check_unchanged(file, expected, cure if file == run.config else again)
        checked += 1
    found.files["training"] = checked


def _verify_predictions(
    run: RunFolder, record: Record, found: Verification
) -> dict[str, dict[str, str]] | None:
    """Hashes of the prediction files by folder and name; None if no record of them exists."""
    if not run.predictions_record.is_file():
        if any(run.path.glob("*/predictions")):
            found.unrecorded.append("predictions")
        return None
    predicted = read_record(run.predictions_record, _PREDICTION_KEYS)
    cure = f"make them again with `tdmi predict --run {run.path}`"
    made_with, own = predicted["checkpoint_sha256"], record["checkpoint_sha256"]
    if made_with != own:
        raise UserError(
            f"{run.predictions_record}: the predictions were made with checkpoint "
            f"{made_with[:12]}, expected the run's own, {own[:12]}; {cure}"
        )
    for name, hashes in predicted["files"].items():
        folder = run.path / name
        for file, expected in hashes.items():
            check_unchanged(folder / file, expected, cure)
        shown = {p.name for p in folder.iterdir() if not p.name.startswith(".")}
        if unknown := shown - set(hashes):
            raise UserError(
                f"{folder / min(unknown)}: found a file that is not recorded, expected "
                f"{len(hashes)} files; delete it, or {cure}"
            )
    found.files["prediction"] = sum(map(len, predicted["files"].values()))
    return predicted["files"]


def _verify_metrics(
    run: RunFolder, settings: Settings, files: dict[str, dict[str, str]], found: Verification
) -> dict[str, Record]:
    """Records of the evaluations, by the names of their files."""
    records = {}
    truth = settings.dataset.folder.annotations(settings.dataset.test)
    today = digest(hashes_of_folder(truth)) if truth.is_dir() else None
    for path in run.evaluated:
        name = path.relative_to(run.path).as_posix()
        if not record_of(path).is_file():
            found.unrecorded.append(name)
            continue
        entry = read_record(record_of(path), _METRICS_KEYS)
        request = request_of(path, settings)
        folder, tracking = request.predictions, " --tracking" * request.tracking
        cure = (
            f"evaluate them again with `tdmi evaluate --protocol {request.protocol}{tracking} "
            f"--gt {truth} --pred {folder} --out {path}`"
        )
        check_unchanged(path, entry["metrics_sha256"], cure)
        hashes = files.get(folder.relative_to(run.path).as_posix())
        if hashes is not None and digest(hashes) != entry["predictions_sha256"]:
            raise UserError(
                f"{path}: evaluates predictions {entry['predictions_sha256'][:12]}, expected those "
                f"of {folder}, {digest(hashes)[:12]}; {cure}"
            )
        found.compare(f"ground truth of {name}", entry["ground_truth_sha256"], today)
        records[name] = entry
    found.files["evaluation"] = len(records)
    return records


def _code_of_training(run: RunFolder, record: Record) -> Record:
    """{"code": hashes by file}, from the file that the recorded hash vouches for."""
    expected = record.get("code_sha256")
    if expected is None:
        return {}
    code = read_json(run.code)
    if digest(code) != expected:
        raise UserError(
            f"{run.code}: its hashes give {digest(code)[:12]}, expected {expected[:12]} as "
            "recorded; restore it from a copy or train the run again with `tdmi train`"
        )
    return {"code": code}


def _compare_code(stage: str, record: Record, found: Verification) -> None:
    if "code" not in record:
        found.unrecorded.append(f"code of {stage}")
        return
    gone, changed = [], []
    for name, recorded in record["code"].items():
        path = code_file(name)
        if path is None or not path.is_file():
            gone.append(name)
        elif sha256_of(path) != recorded:
            changed.append(name)
    moved = f"source files have moved since: {len(gone)} are not where they were"
    today = [moved] if len(gone) > SHOWN else []
    for what, names in (("gone", [] if today else gone), ("changed", changed)):
        today += [f"{len(names)} of them {what}: {', '.join(names)}"] if names else []
    total = f"{len(record['code'])} source files"
    found.compare(f"code of {stage}", total, "; ".join(today) or total)


def _compare_environment(record: Record, found: Verification) -> None:
    today = provenance()
    for key in ("commit", "dirty", "python"):
        found.compare(key, record[key], today[key])
    for group in ("packages", "hardware"):
        for name in dict.fromkeys([*record[group], *today[group]]):
            found.compare(name, record[group].get(name), today[group].get(name))
