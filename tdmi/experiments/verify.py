"""Whether a run folder is as it was recorded, and what is not the same today."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tdmi.core.errors import UserError
from tdmi.core.files import read_json, read_yaml, sha256_of
from tdmi.experiments.provenance import (
    PREDICTIONS_RECORD,
    check_unchanged,
    code_file,
    digest,
    hashes_of_folder,
    provenance,
    read_record,
    record_of,
    writer_of,
)
from tdmi.experiments.run import (
    CODE_FILE,
    TRAINED_FILES,
    boxes_hash,
    data_hash,
    initial_checkpoint,
    labels_hashes,
)

METRICS = ("metrics.json", "tracking.json")
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
_PREDICTION_KEYS = ("code", "checkpoint_sha256", "files")
_METRICS_KEYS = ("code", "ground_truth_sha256", "predictions_sha256", "metrics_sha256")


@dataclass(frozen=True)
class Difference:
    """Something that today is not as it was when the run was made; None: not there."""

    what: str
    recorded: Any
    today: Any


@dataclass
class Verification:
    """What was found in a run folder none of whose files is broken.

    files: how many files of training, prediction and evaluation are as recorded
    same, differences: what was compared with today's code, data and environment
    unrecorded: what the run's records do not tell, so that nothing can be said about it
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
    found = Verification()
    _verify_training(run, record, found)
    files = _verify_predictions(run, record, found)
    records = {"training": record | _code_of_training(run, record)}
    if files is not None:
        records["prediction"] = read_record(run / PREDICTIONS_RECORD)
    records |= _verify_metrics(run, settings, files or {}, found)
    for stage, entry in records.items():
        _compare_code(stage, entry, found)
    _compare_environment(record, found)
    for what, recorded, today in inputs(run, settings, record, runs):
        found.compare(what, recorded, today)
    found.unrecorded += [name for name in ("labels_sha256",) if name not in record]
    return found


def read_run(run: Path) -> tuple[dict[str, Any], dict[str, Any]]:
    """Settings and provenance of a trained run."""
    if not (run / "provenance.json").is_file():
        raise UserError(
            f"{run}: no provenance.json, expected the folder of a trained run; name one such as "
            "runs/embedded/tdmi/seed0, or train it with `tdmi train`"
        )
    record = _record(run / "provenance.json", _TRAINING_KEYS)
    settings = read_yaml(run / "config.yaml")
    if not isinstance(settings, dict):
        raise UserError(
            f"{run / 'config.yaml'}: found a {type(settings).__name__}, expected a mapping; "
            "restore it from a copy or train the run again with `tdmi train`"
        )
    return settings, record


def inputs(
    run: Path, settings: dict[str, Any], record: dict[str, Any], runs: Path | None = None
) -> Iterator[tuple[str, Any, Any]]:
    """What a run was made from: (name, as recorded, as it is today; None where it is not there).

    Pictures are told by the record of their data set alone; labels are read again.
    """
    try:
        data = data_hash(settings)
    except UserError:
        data = None
    yield "data", record["data_sha256"], data
    labels = labels_hashes(settings)
    for split, recorded in record.get("labels_sha256", {}).items():
        yield f"labels of {split}", recorded, labels.get(split)
    yield "boxes", record["boxes_sha256"], boxes_hash(settings)
    initial = initial_checkpoint(settings, runs or run.resolve().parents[2])
    if initial is not None:
        today = sha256_of(initial) if initial.is_file() else None
        yield "initial weights", record["initial_weights_sha256"], today


def judged_folder(metrics: Path) -> Path:
    """The predictions that a metrics file of a run folder judges."""
    return metrics.parent / ("tracked" if metrics.name == "tracking.json" else "predictions")


def _record(path: Path, keys: tuple[str, ...]) -> dict[str, Any]:
    record = read_record(path)
    missing = [key for key in keys if key not in record]
    if missing:
        raise UserError(
            f"{path}: {missing[0]} is missing, expected the record that `tdmi {writer_of(path)}` "
            "writes; restore it from a copy or run that command again"
        )
    return record


def _verify_training(run: Path, record: dict[str, Any], found: Verification) -> None:
    checked = 0
    again = f"make it again with `tdmi reproduce {run} --out DIR`"
    for name in TRAINED_FILES:
        expected = record.get(f"{Path(name).stem}_sha256")
        if expected is None:
            found.unrecorded.append(name)
            continue
        cure = "restore it, or train the run again with `tdmi train`"
        check_unchanged(run / name, expected, cure if name == "config.yaml" else again)
        checked += 1
    found.files["training"] = checked


def _verify_predictions(
    run: Path, record: dict[str, Any], found: Verification
) -> dict[str, dict[str, str]] | None:
    """Hashes of the prediction files by folder and name; None if no record of them exists."""
    if not (run / PREDICTIONS_RECORD).is_file():
        if any(run.glob("*/predictions")):
            found.unrecorded.append("predictions")
        return None
    predicted = _record(run / PREDICTIONS_RECORD, _PREDICTION_KEYS)
    cure = f"make them again with `tdmi predict --run {run}`"
    if predicted["checkpoint_sha256"] != record["checkpoint_sha256"]:
        raise UserError(
            f"{run / PREDICTIONS_RECORD}: the predictions were made with checkpoint "
            f"{predicted['checkpoint_sha256'][:12]}, expected the run's own, "
            f"{record['checkpoint_sha256'][:12]}; {cure}"
        )
    for folder, hashes in predicted["files"].items():
        for name, expected in hashes.items():
            check_unchanged(run / folder / name, expected, cure)
        shown = {p.name for p in (run / folder).iterdir() if not p.name.startswith(".")}
        strangers = shown - set(hashes)
        if strangers:
            raise UserError(
                f"{run / folder / min(strangers)}: found a file that is not recorded, expected "
                f"{len(hashes)} files; delete it, or {cure}"
            )
    found.files["prediction"] = sum(map(len, predicted["files"].values()))
    return predicted["files"]


def _verify_metrics(
    run: Path, settings: dict[str, Any], files: dict[str, dict[str, str]], found: Verification
) -> dict[str, dict[str, Any]]:
    """Records of the evaluations, by what they are called."""
    records = {}
    truth = Path(settings["dataset"]["root"]) / "annotations" / settings["dataset"]["test"]
    today = digest(hashes_of_folder(truth)) if truth.is_dir() else None
    for path in sorted(path for name in METRICS for path in run.glob(f"*/{name}")):
        name = path.relative_to(run).as_posix()
        if not record_of(path).is_file():
            found.unrecorded.append(name)
            continue
        entry = _record(record_of(path), _METRICS_KEYS)
        protocol = read_json(path).get("protocol", "poseval")
        folder = judged_folder(path)
        tracking = " --tracking" if path.name == "tracking.json" else ""
        cure = (
            f"judge them again with `tdmi evaluate --protocol {protocol}{tracking} --gt {truth} "
            f"--pred {folder} --out {path}`"
        )
        check_unchanged(path, entry["metrics_sha256"], cure)
        hashes = files.get(folder.relative_to(run).as_posix())
        if hashes is not None and digest(hashes) != entry["predictions_sha256"]:
            raise UserError(
                f"{path}: judges predictions {entry['predictions_sha256'][:12]}, expected those of "
                f"{folder}, {digest(hashes)[:12]}; {cure}"
            )
        found.compare(f"ground truth of {name}", entry["ground_truth_sha256"], today)
        records[name] = entry
    found.files["evaluation"] = len(records)
    return records


def _code_of_training(run: Path, record: dict[str, Any]) -> dict[str, Any]:
    """{"code": hashes by file}, from the file that the recorded hash vouches for."""
    if "code_sha256" not in record:
        return {}
    code = read_json(run / CODE_FILE)
    if digest(code) != record["code_sha256"]:
        raise UserError(
            f"{run / CODE_FILE}: its hashes give {digest(code)[:12]}, expected "
            f"{record['code_sha256'][:12]} as recorded; restore it from a copy or train the run "
            "again with `tdmi train`"
        )
    return {"code": code}


def _compare_code(stage: str, record: dict[str, Any], found: Verification) -> None:
    if "code" not in record:
        found.unrecorded.append(f"code of {stage}")
        return
    changed = []
    for name, recorded in record["code"].items():
        path = code_file(name)
        if path is None or not path.is_file() or sha256_of(path) != recorded:
            changed.append(name)
    found.compare(
        f"code of {stage}",
        f"{len(record['code'])} source files",
        f"{len(changed)} of them changed or gone: {', '.join(changed)}"
        if changed
        else f"{len(record['code'])} source files",
    )


def _compare_environment(record: dict[str, Any], found: Verification) -> None:
    today = provenance()
    for key in ("commit", "dirty", "python"):
        found.compare(key, record[key], today[key])
    for group in ("packages", "hardware"):
        for name in dict.fromkeys([*record[group], *today[group]]):
            found.compare(name, record[group].get(name), today[group].get(name))
