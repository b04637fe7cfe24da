"""Run the official evaluator, where it is installed, on copies of the same files and compare.

poseval is started as ``python -m poseval.evaluate -g GT/ -p PRED/ -e -o OUT`` (with ``-t`` for
tracking) and leaves 16 numbers under ``ap`` in ``OUT/total_AP_metrics.json``, and under ``mota``,
``motp``, ``pre`` and ``rec`` in ``OUT/total_MOT_metrics.json`` (interface of poseval 0.1.0). It
insists on track ids even for AP, which they cannot change, so for AP alone the copies carry the
position of each person in its frame instead.
"""

from __future__ import annotations

import importlib.metadata
import importlib.util
import json
import logging
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from tdmi.core.errors import UserError
from tdmi.core.files import read_json
from tdmi.data.skeletons import POSETRACK17
from tdmi.evaluation.arrays import Array
from tdmi.evaluation.protocols.base import Evaluation, Request, check_protocol
from tdmi.evaluation.protocols.posetrack import VideoEvaluation
from tdmi.evaluation.protocols.poseval import average_precision, tie_bounds

_LOGGER = logging.getLogger(__name__)
TOLERANCE = 1e-9
"""Percentage points; both programs add the same float64 numbers, perhaps in another order."""
MOTMETRICS = "1.4.0"
"""Version whose event log our MOTP follows; that of others differs by design."""
_TRACKING = {"mota": "mota", "motp": "motp", "precision": "pre", "recall": "rec"}
"""Our names and poseval's."""


def check_available(protocol: str) -> None:
    """Raise UserError unless the protocol is poseval and poseval is installed."""
    check_protocol("cross_check", protocol, ("poseval",))
    if importlib.util.find_spec("poseval") is None:
        raise UserError(
            "--cross-check: the official evaluator 'poseval' is not installed in this Python; "
            "python -m pip install -e '.[poseval]'"
        )


def agrees(request: Request, evaluation: Evaluation) -> bool:
    """Run poseval on the request, log every difference, and return whether all are explained.

    `evaluation` is the request's outcome by our own poseval protocol. Where scores are equal the
    official AP depends on the order its sort happens to give, so any number between the lowest and
    the highest possible one agrees; another version of motmetrics explains another MOTP.
    """
    assert isinstance(evaluation, VideoEvaluation)
    tracking = evaluation.tracking
    if tracking is not None and evaluation.refusals:
        _LOGGER.info("cross-check: AP only, as poseval refuses these track ids")
        tracking = None
    names = list(evaluation.content["per_video"])
    official = official_scores(request.truth, request.predictions, names, tracking is not None)
    low, high = (bound.ap for bound in tie_bounds(evaluation.pooled))
    explained = (low - TOLERANCE <= official["ap"]) & (official["ap"] <= high + TOLERANCE)
    causes = [
        f"equal scores allow {low[k]:.12g} to {high[k]:.12g}" if explained[k] else ""
        for k in range(len(low))
    ]
    ours = average_precision(evaluation.pooled).ap
    differences = _report("AP", [("", ours, official["ap"], causes)])
    if tracking is not None:
        version = installed_version("motmetrics")
        other = "" if version == MOTMETRICS else f"motmetrics {version}, not {MOTMETRICS}"
        rows = [
            (f"{name} of ", values, official[name], [other * (name == "motp")] * len(values))
            for name, values in vars(tracking).items()
        ]
        differences += _report("tracking", rows)
    return not differences


def _report(title: str, rows: Sequence[tuple[str, Array, Array, list[str]]]) -> int:
    """Log where numbers differ and return how many do so without a cause.

    `rows` are measures: name, our numbers for 15 joints and the Total, the official ones, and what
    would explain a difference of each.
    """
    largest, total, lines = 0.0, 0, []
    for measure, ours, official, causes in rows:
        joints = [*POSETRACK17.joints, "total"]
        total += len(ours)
        for joint, a, b, cause in zip(joints, ours, official, causes, strict=True):
            difference = abs(a - b)
            largest = float(np.nanmax([largest, difference]))
            if difference <= TOLERANCE or (np.isnan(a) and np.isnan(b)):
                continue
            line = f"{measure}{joint}: {a:.12g} here, {b:.12g} by poseval"
            lines.append(f"explained: {line} ({cause})" if cause else f"DIFFERS: {line}")
    for line in sorted(lines, key=lambda line: line.startswith("DIFFERS")):
        _LOGGER.info(f"cross-check: {line}")
    disagree = sum(line.startswith("DIFFERS") for line in lines)
    _LOGGER.info(
        f"cross-check: {title}: largest difference from poseval {largest:.3g} ({disagree} of "
        f"{total} numbers disagree)"
    )
    return disagree


def official_scores(
    truth: Path, predictions: Path, names: Sequence[str], tracking: bool
) -> dict[str, Array]:
    """Return percentages [16] by the installed poseval, on the videos `names` of two folders.

    Keys are ``ap`` and, with `tracking`, the names of `mota.Scores`. Raises UserError if poseval
    fails.
    """
    with tempfile.TemporaryDirectory(prefix="tdmi-poseval-") as scratch:
        ours, theirs, out = (Path(scratch, part) for part in ("truth", "predictions", "out"))
        out.mkdir()
        for source, copy in ((truth, ours), (predictions, theirs)):
            copy.mkdir()
            for name in names:
                content = read_json(source / f"{name}.json")
                content = content if tracking else with_track_ids(content)
                (copy / f"{name}.json").write_text(json.dumps(content), encoding="utf-8")
        _run(ours, theirs, out, ["-e", "-t"] if tracking else ["-e"])
        scores = {"ap": _values(out / "total_AP_metrics.json", "ap")}
        if tracking:
            result = out / "total_MOT_metrics.json"
            scores |= {name: _values(result, key) for name, key in _TRACKING.items()}
        return scores


def with_track_ids(content: dict[str, Any]) -> dict[str, Any]:
    """Return the content of a PoseTrack file with each person's place in its frame as track id."""
    if "annolist" in content:
        for frame in content["annolist"]:
            for place, rectangle in enumerate(frame["annorect"]):
                rectangle["track_id"] = [place]
    else:
        places: Counter[int] = Counter()
        for person in content["annotations"]:
            person["track_id"] = places[person["image_id"]]
            places[person["image_id"]] += 1
    return content


def installed_version(package: str) -> str:
    """Return the version of a package, or that it is unknown."""
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return "of unknown version"


def _run(truth: Path, predictions: Path, out: Path, options: list[str]) -> None:
    # Folder names end in a slash because poseval joins paths by mere concatenation.
    command = [sys.executable, "-m", "poseval.evaluate", "-g", f"{truth}/", "-p", f"{predictions}/"]
    done = subprocess.run(
        [*command, *options, "-o", str(out)], cwd=out, capture_output=True, text=True, check=False
    )
    if done.returncode:
        last = [line for line in done.stderr.splitlines() if line.strip()][-1:]
        raise UserError(
            f"--cross-check: poseval ended with status {done.returncode}: "
            f"{last[0].strip() if last else 'no message'}; try it by hand on the same folders, or "
            "leave --cross-check out"
        )


def _values(result: Path, key: str) -> Array:
    wanted = len(POSETRACK17) + 1
    values = read_json(result).get(key) if result.is_file() else None
    if not isinstance(values, list) or len(values) != wanted:
        raise UserError(
            f"--cross-check: {result.name} of poseval has no list {key!r} of {wanted} numbers; "
            "install the version that tdmi-bench names: python -m pip install 'tdmi-bench[poseval]'"
        )
    return np.array(values, dtype=np.float64)
