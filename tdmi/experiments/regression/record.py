"""The committed record of a suite's probes: measured here, kept in ``workflow/regression``.

    {"commit", "dirty", "packages", "hardware": of the measurement, "seeds": [...],
     "fixed":   {probe: {"value", "deviation"}},
     "trained": {probe: {"mean", "deviation", "values": of each seed}}}

``deviation`` of a fixed probe is the largest absolute difference under the conditions of
`CONDITIONS`, that of a trained one the standard deviation over the seeds.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from tdmi.config.suites import load_suite
from tdmi.core.errors import UserError
from tdmi.core.files import read_json, write_json
from tdmi.experiments.build import build_method
from tdmi.experiments.provenance import provenance
from tdmi.experiments.regression import fixed, networks
from tdmi.experiments.regression.fixed import Probes

RECORDS = Path("workflow/regression")
_OLD_PROCESSOR = {
    "ATEN_CPU_CAPABILITY": "default",
    "ONEDNN_MAX_CPU_ISA": "SSE41",
    "MKL_CBWR": "COMPATIBLE",
    "OPENBLAS_CORETYPE": "Nehalem",
    "OPENCV_CPU_DISABLE": "AVX2,AVX512_SKX",
}
CONDITIONS = ((2, {}), (1, _OLD_PROCESSOR))
"""Threads and environment that change nothing but rounding: a stand-in for other machines."""


def read(suite: str) -> dict[str, Any]:
    """UserError that tells how to make the record if there is none."""
    path = RECORDS / f"{suite}.json"
    if not path.is_file():
        raise UserError(
            f"{path}: no such record; make it on a commit that you trust with `tdmi "
            f"check-regression --suite {suite} --update`"
        )
    return read_json(path)


def fixed_probes(suite: str) -> Probes:
    """What is the same every time, up to rounding; without what is not defined."""
    content = load_suite(suite)
    settings = content.settings(content.report.subject, 0)
    probes = fixed.measure(settings, build_method(settings).window)
    for part, found in (
        ("losses", networks.losses()),
        ("models", networks.models(content)),
        ("training", networks.training(content)),
    ):
        probes |= {f"{part}/{name}": value for name, value in found.items()}
    return _defined(probes)


def trained_probes(suite: str, seed: int) -> Probes:
    return _defined(networks.trained(load_suite(suite), seed))


def update(suite: str, seeds: Sequence[int]) -> Path:
    """Measure anew and write the record."""
    where = provenance()  # first: in the minutes that this takes files may change
    values = fixed_probes(suite)
    others = [_elsewhere(suite, *condition) for condition in CONDITIONS]
    runs = [trained_probes(suite, seed) for seed in seeds]
    record = {
        **{key: where[key] for key in ("commit", "dirty", "packages", "hardware")},
        "seeds": list(seeds),
        "fixed": {
            name: {"value": value, "deviation": max(abs(other[name] - value) for other in others)}
            for name, value in values.items()
        },
        "trained": {
            name: {"mean": np.mean(found), "deviation": np.std(found, ddof=1), "values": found}
            for name, found in ((n, [run[n] for run in runs]) for n in runs[0])
        },
    }
    path = RECORDS / f"{suite}.json"
    write_json(path, record)
    return path


def _elsewhere(suite: str, threads: int, environment: dict[str, str]) -> Probes:
    command = [sys.executable, "-m", "tdmi.experiments.regression.record", suite, str(threads)]
    done = subprocess.run(
        command, env=os.environ | environment, stdout=subprocess.PIPE, text=True, check=True
    )
    return json.loads(done.stdout)


def _defined(probes: Probes) -> Probes:
    return {name: float(value) for name, value in probes.items() if np.isfinite(value)}


if __name__ == "__main__":
    from tdmi.core.threads import use_threads

    use_threads(int(sys.argv[2]))
    print(json.dumps(fixed_probes(sys.argv[1])))
