"""Scores as the official result row and as the entries of a metrics file."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from tdmi.data.skeletons import JOINT_GROUPS, POSETRACK17, Skeleton
from tdmi.evaluation.protocols.poseval import Scores, Statistics, average_precision, combine

if TYPE_CHECKING:  # it imports scipy
    from tdmi.evaluation.tracking import mota

_HEADINGS = ("Head", "Shou", "Elb", "Wri", "Hip", "Knee", "Ankl", "Total")
Groups = Mapping[str, tuple[str, ...]]
"""Joints of each column of a result row."""


def group_means(
    values: np.ndarray, skeleton: Skeleton = POSETRACK17, groups: Groups = JOINT_GROUPS
) -> np.ndarray:
    """The 8 official columns of per-joint values [J + 1]: 7 plain group means, then the Total.

    NaN is not skipped: one undefined joint makes its group undefined.
    """
    rows = [[skeleton.index(joint) for joint in group] for group in groups.values()]
    return np.array([values[row].mean() for row in rows] + [values[-1]])


def official_table(values: np.ndarray) -> str:
    """Heading and row of per-joint values [16], one decimal, as poseval prints them."""
    heading = "& " + " & ".join(f"{name:<4}" for name in _HEADINGS) + r"\\"
    return f"{heading}\n{_row(group_means(values))}"


def tracking_table(scores: mota.Scores) -> str:
    """Heading and row of the 11 official tracking columns, one decimal, as poseval prints them."""
    totals = [values[-1] for values in (scores.motp, scores.precision, scores.recall)]
    measures = [*["MOTA"] * len(_HEADINGS), "MOTP", "Prec", "Rec "]
    parts = [*_HEADINGS, *[_HEADINGS[-1]] * len(totals)]
    lines = [
        "& " + " & ".join(measures) + r" \\",
        "& " + " & ".join(f"{part:<4}" for part in parts) + r"\\",
        _row(np.append(group_means(scores.mota), totals)),
    ]
    return "\n".join(lines).replace("Total &", "Total&")


def metrics(statistics: dict[str, Statistics]) -> dict:
    """Content of ``metrics.json`` for the AP of poseval; `statistics` of each video by name."""
    pooled = combine(statistics.values())
    per_video = {name: video_entry(average_precision(part)) for name, part in statistics.items()}
    return content("poseval", pooled, average_precision(pooled), per_video)


def content(
    protocol: str,
    pooled: Statistics,
    scores: Scores,
    per_video: dict[str, dict],
    tracking: mota.Scores | None = None,
    notes: Sequence[str] = (),
) -> dict:
    """Content of ``metrics.json``, unrounded, NaN as None.

    `scores` and `tracking` are those of all videos together, `per_video` has the entry of each;
    `notes` are lines on answers where the official program has none.
    """
    result = {
        "protocol": protocol,
        "frames": pooled.frames,
        "ground_truth_persons": pooled.truth_persons,
        "predicted_persons": pooled.predicted_persons,
        "ap": entries(scores.ap),
        "precision": entries(scores.precision),
        "recall": entries(scores.recall),
    }
    if tracking is not None:
        result["mota"] = _tracking_entries(tracking)
    result["per_video"] = per_video
    if notes:
        result["notes"] = list(notes)
    return result


def _row(values: np.ndarray) -> str:
    return "&" + " &".join(f"{value:5.1f}" for value in values) + r" \\"


def entries(
    values: np.ndarray, skeleton: Skeleton = POSETRACK17, groups: Groups = JOINT_GROUPS
) -> dict:
    """Per-joint values [J + 1] by name: the group means, the Total, and ``per_joint``."""
    means = group_means(values, skeleton, groups)
    by_name = dict(zip([*groups, "total"], map(number_or_none, means), strict=True))
    joints = zip(skeleton.joints, map(number_or_none, values[:-1]), strict=True)
    return by_name | {"per_joint": dict(joints)}


def video_entry(scores: Scores, tracking: mota.Scores | None = None) -> dict:
    """Totals of one video."""
    entry = {
        "ap_total": number_or_none(scores.ap[-1]),
        "precision_total": number_or_none(scores.precision[-1]),
        "recall_total": number_or_none(scores.recall[-1]),
    }
    return entry if tracking is None else entry | _tracking_totals(tracking)


def _tracking_entries(scores: mota.Scores) -> dict:
    """MOTA by group and joint; MOTP, precision and recall in total."""
    values = entries(scores.mota)
    per_joint = values.pop("per_joint")
    totals = {"motp": scores.motp, "precision": scores.precision, "recall": scores.recall}
    values |= {name: number_or_none(total[-1]) for name, total in totals.items()}
    return values | {"per_joint": per_joint}


def _tracking_totals(scores: mota.Scores) -> dict:
    return {
        "mota_total": number_or_none(scores.mota[-1]),
        "motp_total": number_or_none(scores.motp[-1]),
        "tracking_precision_total": number_or_none(scores.precision[-1]),
        "tracking_recall_total": number_or_none(scores.recall[-1]),
    }


def number_or_none(value: float) -> float | None:
    """JSON knows no NaN: an undefined value becomes null."""
    return None if np.isnan(value) else float(value)
