"""Compare a plan with what the runs took, read from their folders."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from tdmi.core.errors import UserError
from tdmi.core.files import read_json
from tdmi.experiments.plan.plan import Plan

MEASURED = ("train_seconds", "predict_seconds", "memory_bytes", "disk_bytes")


def compare(plan: Plan, runs: Path) -> pd.DataFrame:
    """Return one row per method: suite, method, label, family, runs, and done (how many are).

    Also planned_… and measured_… for train_seconds and disk_bytes of one run, predict_seconds of
    one person, memory_bytes of one training. Measured ones are means over the runs; NaN if none is
    done. UserError if nothing of the suites has been run there, or a file is broken.
    """
    rows = []
    for job, one in zip(plan.jobs, plan.rows.itertuples(), strict=True):
        done = [runs / name for name in job.runs if (runs / name / "provenance.json").is_file()]
        measured = pd.DataFrame([_measured(folder) for folder in done], columns=MEASURED).mean()
        planned = {
            "train_seconds": 3600 * one.train_hours / one.runs,
            "predict_seconds": one.predict_seconds,
            "memory_bytes": one.memory_bytes,
            "disk_bytes": one.disk_bytes / one.runs,
        }
        row = {key: getattr(one, key) for key in ("suite", "method", "label", "family", "runs")}
        row["done"] = len(done)
        for key in MEASURED:
            row |= {f"planned_{key}": planned[key], f"measured_{key}": measured[key]}
        rows.append(row)
    frame = pd.DataFrame(rows)
    if not frame.done.any():
        raise UserError(
            f"{runs}: no finished run of {', '.join(frame.suite.unique())}, expected folders such "
            f"as {runs / plan.jobs[-1].runs[0]}; run `snakemake --cores all` first"
        )
    return frame


def _measured(folder: Path) -> dict[str, float]:
    """Read one run folder; leave out what has not been written yet."""
    result = {"train_seconds": read_json(folder / "provenance.json")["training"]["train_seconds"]}
    if (folder / "timing.json").is_file():
        timing = read_json(folder / "timing.json")
        result["predict_seconds"] = timing["predict_ms_per_person"] / 1000
        files = [folder / "checkpoint.pt"]
        for kind in ("predictions", "tracked"):
            files += folder.glob(f"*/{kind}/*.json")
        result["disk_bytes"] = sum(file.stat().st_size for file in files)
    benchmark = folder / "train.benchmark.tsv"
    if benchmark.is_file():
        largest = pd.read_csv(benchmark, sep="\t", na_values="-")["max_rss"].iloc[-1]
        result["memory_bytes"] = float(largest) * 1e6
    return result
