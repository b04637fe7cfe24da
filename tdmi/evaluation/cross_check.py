"""Run the official evaluator, where it is installed, on copies of the same files and compare.

poseval is started as ``python -m poseval.evaluate -g GT/ -p PRED/ -e -o OUT`` and leaves its 16
numbers under ``ap`` in ``OUT/total_AP_metrics.json`` (interface of poseval 0.1.0). It insists on
track ids even for AP, which they cannot change, so the copies carry the position of each person in
its frame instead.
"""

from __future__ import annotations

import importlib.util
import json
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from tdmi.errors import UserError
from tdmi.evaluation.average_precision import Statistics, average_precision, tie_bounds
from tdmi.files import read_json
from tdmi.skeletons import POSETRACK17

TOLERANCE = 1e-9
"""Percentage points; both programs add the same float64 numbers, perhaps in another order."""


@dataclass
class Comparison:
    """Our AP against the official one, 16 numbers: 15 joints and the Total."""

    largest_difference: float
    """Percentage points, over the numbers that both define."""
    within_ties: list[str]
    """Lines on numbers that differ, but only by the order of equal scores."""
    disagreements: list[str]
    """Lines on numbers that differ by more: a fault in one of the programs."""


def official_average_precision(truth: Path, predictions: Path, names: Sequence[str]) -> np.ndarray:
    """AP in percent [16] by the installed poseval, on the videos `names` of two folders.

    Raises UserError if poseval is not installed or fails.
    """
    if importlib.util.find_spec("poseval") is None:
        raise UserError(
            "--cross-check: the official evaluator 'poseval' is not installed in this Python; "
            "python -m pip install 'tdmi-bench[poseval]'"
        )
    with tempfile.TemporaryDirectory(prefix="tdmi-poseval-") as scratch:
        folders = [Path(scratch, part) for part in ("truth", "predictions", "out")]
        for folder in folders:
            folder.mkdir()
        for name in names:
            for source, folder in zip((truth, predictions), folders[:2], strict=True):
                content = with_track_ids(read_json(Path(source, f"{name}.json")))
                Path(folder, f"{name}.json").write_text(json.dumps(content), encoding="utf-8")
        return _run(*folders)


def with_track_ids(content: dict) -> dict:
    """The content of a PoseTrack file with each person's place in its frame as track id."""
    if "annolist" in content:
        for frame in content["annolist"]:
            for place, rectangle in enumerate(frame["annorect"]):
                rectangle["track_id"] = [place]
    else:
        places = Counter()
        for person in content["annotations"]:
            person["track_id"] = places[person["image_id"]]
            places[person["image_id"]] += 1
    return content


def compare(statistics: Statistics, official: np.ndarray) -> Comparison:
    """Compare the AP of pooled `statistics` with the 16 official numbers.

    Where scores are equal the official number depends on the order its sort happens to give, so
    any number between the lowest and the highest possible AP agrees.
    """
    ours = average_precision(statistics).ap
    lowest, highest = (bound.ap for bound in tie_bounds(statistics))
    result = Comparison(0.0, [], [])
    for k, name in enumerate([*POSETRACK17.joints, "total"]):
        if np.isnan(ours[k]) and np.isnan(official[k]):
            continue
        difference = abs(ours[k] - official[k])
        result.largest_difference = float(np.nanmax([result.largest_difference, difference]))
        if difference <= TOLERANCE:
            continue
        line = f"{name}: {ours[k]:.12g} here, {official[k]:.12g} by poseval"
        if lowest[k] - TOLERANCE <= official[k] <= highest[k] + TOLERANCE:
            span = f"equal scores allow {lowest[k]:.12g} to {highest[k]:.12g}"
            result.within_ties.append(f"{line} ({span})")
        else:
            result.disagreements.append(line)
    return result


def _run(truth: Path, predictions: Path, out: Path) -> np.ndarray:
    # Folder names end in a slash because poseval joins paths by mere concatenation.
    command = [sys.executable, "-m", "poseval.evaluate", "-g", f"{truth}/", "-p", f"{predictions}/"]
    done = subprocess.run(
        [*command, "-e", "-o", str(out)], cwd=out, capture_output=True, text=True, check=False
    )
    result = out / "total_AP_metrics.json"
    if done.returncode or not result.is_file():
        last = [line for line in done.stderr.splitlines() if line.strip()][-1:]
        raise UserError(
            f"--cross-check: poseval ended with status {done.returncode}: "
            f"{last[0].strip() if last else 'no message'}; expected its {result.name}; try it by "
            "hand on the same folders, or leave --cross-check out"
        )
    values = read_json(result).get("ap")
    wanted = len(POSETRACK17) + 1
    if not isinstance(values, list) or len(values) != wanted:
        raise UserError(
            f"--cross-check: {result.name} of poseval has no list 'ap' of {wanted} numbers; "
            "install the version that tdmi-bench names: python -m pip install 'tdmi-bench[poseval]'"
        )
    return np.array(values, dtype=np.float64)
