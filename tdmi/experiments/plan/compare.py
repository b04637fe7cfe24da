"""What runs took, read from their folders, beside what was planned."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from tdmi.config.suite import Suite
from tdmi.core.errors import UserError
from tdmi.core.files import read_json
from tdmi.experiments.plan.plan import Plan


def compare(plan: Plan, suites: dict[str, Suite], runs: Path) -> pd.DataFrame:
    """One row per method: suite, method, label, family, runs, done (how many are), and
    planned_… and measured_… for train_seconds and disk_bytes of one run, predict_seconds of one
    person, memory_bytes of one training. Measured ones are means over the runs; NaN if none is.

    UserError if nothing of the suites has been run there, or a file is broken.
    """
    rows = []
    for one in plan.rows.itertuples():
        suite = suites[one.suite]
        folders = [runs / suite.run_name(one.method, k) for k in suite.seeds_of(one.method)]
        done = [folder for folder in folders if (folder / "provenance.json").is_file()]
        measured = pd.DataFrame([_measured(folder) for folder in done], columns=_MEASURED).mean()
        planned = {
            "train_seconds": 3600 * one.train_hours / one.runs,
            "predict_seconds": one.predict_seconds,
            "memory_bytes": one.memory_bytes,
            "disk_bytes": one.disk_bytes / one.runs,
        }
        head = {key: getattr(one, key) for key in ("suite", "method", "label", "family", "runs")}
        row = head | {"done": len(done)}
        for key in _MEASURED:
            row |= {f"planned_{key}": planned[key], f"measured_{key}": measured[key]}
        rows.append(row)
    frame = pd.DataFrame(rows)
    if not frame.done.any():
        raise UserError(
            f"{runs}: no finished run of {', '.join(suites)}, expected folders such as "
            f"{folders[0]}; run `snakemake --cores all` first"
        )
    return frame


_MEASURED = ["train_seconds", "predict_seconds", "memory_bytes", "disk_bytes"]


def _measured(folder: Path) -> dict[str, float]:
    """Of one run folder; what has not been written yet is left out."""
    result = {"train_seconds": read_json(folder / "provenance.json")["training"]["train_seconds"]}
    if (folder / "timing.json").is_file():
        timing = read_json(folder / "timing.json")
        result["predict_seconds"] = timing["predict_ms_per_person"] / 1000
        predictions = [
            path for kind in ("predictions", "tracked") for path in folder.glob(f"*/{kind}/*.json")
        ]
        files = [folder / "checkpoint.pt", *predictions]
        result["disk_bytes"] = sum(file.stat().st_size for file in files)
    benchmark = folder / "train.benchmark.tsv"
    if benchmark.is_file():
        largest = pd.read_csv(benchmark, sep="\t", na_values="-")["max_rss"].iloc[-1]
        result["memory_bytes"] = float(largest) * 1e6
    return result
