"""Scores as the official result row and as the entries of a metrics file."""

from __future__ import annotations

import numpy as np

from tdmi.evaluation.average_precision import Scores, Statistics, average_precision, combine
from tdmi.skeletons import JOINT_GROUPS, POSETRACK17

_HEADINGS = ("Head", "Shou", "Elb", "Wri", "Hip", "Knee", "Ankl", "Total")


def group_means(values: np.ndarray) -> np.ndarray:
    """The 8 official columns of per-joint values [16]: 7 plain group means, then the Total.

    NaN is not skipped: one undefined joint makes its group undefined.
    """
    rows = [[POSETRACK17.index(joint) for joint in group] for group in JOINT_GROUPS.values()]
    return np.array([values[row].mean() for row in rows] + [values[-1]])


def official_table(values: np.ndarray) -> str:
    """Heading and row of per-joint values [16], one decimal, as poseval prints them."""
    heading = "& " + " & ".join(f"{name:<4}" for name in _HEADINGS) + r"\\"
    row = "&" + " &".join(f"{value:5.1f}" for value in group_means(values)) + r" \\"
    return f"{heading}\n{row}"


def metrics(statistics: dict[str, Statistics]) -> dict:
    """Content of ``metrics.json`` for the poseval protocol, unrounded, NaN as None."""
    pooled = combine(statistics.values())
    scores = average_precision(pooled)
    return {
        "protocol": "poseval",
        "frames": pooled.frames,
        "ground_truth_persons": pooled.truth_persons,
        "predicted_persons": pooled.predicted_persons,
        "ap": _entries(scores.ap),
        "precision": _entries(scores.precision),
        "recall": _entries(scores.recall),
        "per_video": {name: _video_entry(average_precision(s)) for name, s in statistics.items()},
    }


def _entries(values: np.ndarray) -> dict:
    names = [*JOINT_GROUPS, "total"]
    entries = dict(zip(names, map(number_or_none, group_means(values)), strict=True))
    joints = zip(POSETRACK17.joints, map(number_or_none, values[:-1]), strict=True)
    return entries | {"per_joint": dict(joints)}


def _video_entry(scores: Scores) -> dict:
    return {
        "ap_total": number_or_none(scores.ap[-1]),
        "precision_total": number_or_none(scores.precision[-1]),
        "recall_total": number_or_none(scores.recall[-1]),
    }


def number_or_none(value: float) -> float | None:
    """JSON knows no NaN: an undefined value becomes null."""
    return None if np.isnan(value) else float(value)
