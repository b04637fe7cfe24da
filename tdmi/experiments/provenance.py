"""What a result was made from: enough to repeat it and to trust it."""

from __future__ import annotations

import hashlib
import importlib.metadata
import importlib.util
import json
import os
import platform
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from tdmi.core.errors import UserError
from tdmi.core.files import digest, hashes_of_folder, read_json, sha256_of, write_json

PREDICTIONS_RECORD = "predictions.provenance.json"
OWN_HASH = "record_sha256"
PACKAGES = (
    "tdmi-bench",
    "torch",
    "torchvision",
    "lightning-fabric",
    "numpy",
    "pandas",
    "scipy",
    "opencv-python-headless",
    "xtcocotools",
    "matplotlib",
    "snakemake",
    "dvc",
)


def provenance() -> dict[str, Any]:
    """Commit, package versions and hardware of this process; holds no path and no host name."""
    return {
        "commit": _git("rev-parse", "HEAD"),
        "dirty": _dirty(),
        "python": platform.python_version(),
        "packages": {name: _version(name) for name in PACKAGES},
        "hardware": {
            "system": f"{platform.system()} {platform.machine()}",
            "processor": _processor(),
            "cores": os.cpu_count(),
            "accelerator": _accelerator(),
        },
    }


def imported_code(packages: Iterable[str] = ("tdmi",)) -> dict[str, str]:
    """SHA-256 of every source file that this process has imported of `packages`.

    By its path below the folder of its package, e.g. ``tdmi/data/skeletons.py``, in alphabetical order.
    """
    wanted, found = set(packages), {}
    for name, module in list(sys.modules.items()):
        file = getattr(module, "__file__", None)
        if name.split(".")[0] in wanted and file and file.endswith(".py"):
            path = name.replace(".", "/") + ("/__init__" * hasattr(module, "__path__")) + ".py"
            found[path] = sha256_of(file)
    return dict(sorted(found.items()))


def code_file(path: str) -> Path | None:
    """Today's file of a path that `imported_code` gave; None if its package is not installed."""
    package, _, rest = path.partition("/")
    spec = importlib.util.find_spec(package)
    folders = spec.submodule_search_locations if spec else None
    return Path(folders[0]) / rest if folders else None


def write_record(path: Path, record: dict[str, Any]) -> None:
    """Write a record as JSON, with the hash over the rest of it as ``record_sha256``."""
    write_json(path, {**record, OWN_HASH: _hash_of_record(record)})


def read_record(path: Path) -> dict[str, Any]:
    """What `write_record` wrote. UserError if it is damaged; records of old have no such hash."""
    record = read_json(path)
    if not isinstance(record, dict):
        raise UserError(
            f"{path}: found a {type(record).__name__}, expected a mapping; {_again(path)}"
        )
    found = _hash_of_record(record)
    if record.get(OWN_HASH, found) != found:
        raise UserError(
            f"{path}: its content has SHA-256 {found[:12]}, expected {str(record[OWN_HASH])[:12]} "
            f"as it says itself; {_again(path)}"
        )
    return record


def check_unchanged(path: Path, expected: str, cure: str) -> None:
    """UserError that ends with `cure` if a file is missing or has not the expected SHA-256."""
    if not path.is_file():
        raise UserError(f"{path}: no such file, expected SHA-256 {expected[:12]}; {cure}")
    found = sha256_of(path)
    if found != expected:
        raise UserError(
            f"{path}: SHA-256 is {found[:12]}, expected {expected[:12]} as recorded; {cure}"
        )


def check_predictions_unchanged(folder: Path) -> None:
    """UserError if a folder of a run's predictions holds other files than recorded.

    A folder that no record of `tdmi predict` names, as one from elsewhere, passes.
    """
    run = folder.parent.parent
    if not (run / PREDICTIONS_RECORD).is_file():
        return
    name = folder.relative_to(run).as_posix()
    for file, expected in read_record(run / PREDICTIONS_RECORD)["files"].get(name, {}).items():
        check_unchanged(folder / file, expected, f"make them again with `tdmi predict --run {run}`")


def writer_of(record: Path) -> str:
    """The `tdmi` command that writes a record of this name."""
    return {"provenance.json": "train", PREDICTIONS_RECORD: "predict"}.get(record.name, "evaluate")


def _again(record: Path) -> str:
    return f"restore it from a copy or run `tdmi {writer_of(record)}` again"


def _hash_of_record(record: dict[str, Any]) -> str:
    rest = {key: value for key, value in record.items() if key != OWN_HASH}
    return hashlib.sha256(json.dumps(rest, sort_keys=True).encode()).hexdigest()


def record_of(metrics: Path) -> Path:
    """Where the record of a metrics file lies: beside it, ``<stem>.provenance.json``."""
    return metrics.with_suffix(".provenance.json")


def record_metrics(metrics: Path, ground_truth: Path, predictions: Path) -> None:
    """Write what a metrics file was made from, with its own hash, beside it."""
    record = {
        **provenance(),
        "code": imported_code(),
        "ground_truth_sha256": digest(hashes_of_folder(ground_truth)),
        "predictions_sha256": digest(hashes_of_folder(predictions)),
        "metrics_sha256": sha256_of(metrics),
    }
    write_record(record_of(metrics), record)


def changed_since(commit: str) -> list[str] | None:
    """Tracked files that differ from a commit, committed or not; None without its history."""
    names = _git("diff", "--name-only", commit)
    return None if names is None else names.splitlines()


def shown(value: Any) -> str:
    """An entry of a record for people: hashes are cut to twelve digits."""
    text = "nothing" if value is None else str(value)
    return text[:12] if len(text) in (40, 64) and set(text) <= set("0123456789abcdef") else text


def _version(name: str) -> str | None:
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return None


def _git(*arguments: str) -> str | None:
    try:
        done = subprocess.run(["git", *arguments], capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        return None
    return done.stdout.strip()


def _dirty() -> bool | None:
    """Whether the code differs from the commit; results are an output and do not count."""
    status = _git("status", "--porcelain", "--untracked-files=no", "--", ".", ":!results")
    return None if status is None else bool(status)


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        return next(line.split(":", 1)[1].strip() for line in lines if "model name" in line)
    except (OSError, StopIteration):
        return platform.processor() or "unknown"


def _accelerator() -> str | None:
    torch = sys.modules.get("torch")
    if torch is None or not torch.cuda.is_available():
        return None
    return torch.cuda.get_device_name()
