"""Scores as the official result rows and as the entries of a metrics file."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias

import numpy as np

from tdmi.data.skeletons import JOINT_GROUPS, POSETRACK17, Skeleton
from tdmi.evaluation.arrays import Array
from tdmi.evaluation.protocols.poseval import Scores, Statistics

if TYPE_CHECKING:  # it imports scipy
    from tdmi.evaluation.tracking import mota

Content: TypeAlias = dict[str, Any]
"""A part of ``metrics.json``: unrounded, undefined numbers None."""


class Columns(NamedTuple):
    """The columns of a result: joints, and the groups whose means make a row."""

    skeleton: Skeleton
    groups: Mapping[str, tuple[str, ...]]
    """Joints of each group."""


OFFICIAL = Columns(POSETRACK17, JOINT_GROUPS)
_HEADINGS = ("Head", "Shou", "Elb", "Wri", "Hip", "Knee", "Ankl", "Total")


def group_means(values: Array, columns: Columns = OFFICIAL) -> Array:
    """Return the official columns [..., G + 1] of per-joint values [..., J + 1].

    They are the plain mean of each group, then the Total. NaN is not skipped: one undefined joint
    makes its group undefined.
    """
    rows = [[columns.skeleton.index(j) for j in group] for group in columns.groups.values()]
    means = [values[..., row].mean(axis=-1) for row in rows]
    return np.stack([*means, values[..., -1]], axis=-1)


def official_table(values: Array) -> str:
    """Return heading and row of per-joint values [16], one decimal, as poseval prints them."""
    heading = "& " + " & ".join(f"{name:<4}" for name in _HEADINGS) + r"\\"
    return f"{heading}\n{_row(group_means(values))}"


def tracking_table(scores: mota.Scores) -> str:
    """Return heading and row of the 11 tracking columns, one decimal, as poseval prints them."""
    totals = [values[-1] for values in (scores.motp, scores.precision, scores.recall)]
    measures = [*["MOTA"] * len(_HEADINGS), "MOTP", "Prec", "Rec "]
    parts = [*_HEADINGS, *[_HEADINGS[-1]] * len(totals)]
    lines = [
        "& " + " & ".join(measures) + r" \\",
        "& " + " & ".join(f"{part:<4}" for part in parts) + r"\\",
        _row(np.append(group_means(scores.mota), totals)),
    ]
    return "\n".join(lines).replace("Total &", "Total&")


def interval_line(
    title: str, interval: Content, ends: list[float] | None, decimals: int = 1
) -> str:
    """Return one number's interval as a line of text; `interval` is that of ``metrics.json``."""
    shown = "undefined" if ends is None else " to ".join(f"{end:.{decimals}f}" for end in ends)
    return (
        f"{title}, {interval['level']:.0%} interval: {shown} ({interval['videos']} videos, "
        f"{interval['resamples']} resamples)"
    )


def scores_content(
    protocol: str, pooled: Statistics, scores: Scores, tracking: mota.Scores | None = None
) -> Content:
    """Return the scores of all videos together, with the protocol and what was scored."""
    result = {"protocol": protocol, **counts(pooled), **score_entries(scores)}
    return result if tracking is None else result | {"mota": _tracking_entries(tracking)}


def counts(pooled: Statistics) -> Content:
    """Return how many frames and people were scored."""
    return {
        "frames": pooled.frames,
        "ground_truth_persons": pooled.truth_persons,
        "predicted_persons": pooled.predicted_persons,
    }


def score_entries(scores: Scores, columns: Columns = OFFICIAL) -> Content:
    """Return AP, precision and recall with all their columns."""
    return {name: entries(values, columns) for name, values in vars(scores).items()}


def group_entries(values: Array, columns: Columns = OFFICIAL) -> Content:
    """Return per-joint values [..., J + 1] by official column: group means and Total.

    Values are numbers for one axis, lists of numbers for two; undefined ones are None.
    """
    means = np.moveaxis(group_means(values, columns), -1, 0)
    return dict(zip([*columns.groups, "total"], map(number_or_none, means), strict=True))


def entries(values: Array, columns: Columns = OFFICIAL) -> Content:
    """Return the `group_entries` and, under ``per_joint``, those of every joint."""
    numbers = map(number_or_none, np.moveaxis(values[..., :-1], -1, 0))
    joints = dict(zip(columns.skeleton.joints, numbers, strict=True))
    return group_entries(values, columns) | {"per_joint": joints}


def video_entry(scores: Scores, tracking: mota.Scores | None = None) -> Content:
    """Return the totals of one video."""
    named = {f"{name}_total": values for name, values in vars(scores).items()}
    if tracking is not None:
        named |= {"mota_total": tracking.mota, "motp_total": tracking.motp}
        named["tracking_precision_total"] = tracking.precision
        named["tracking_recall_total"] = tracking.recall
    return {name: number_or_none(values[-1]) for name, values in named.items()}


def number_or_none(value: Any) -> Any:
    """Return a number, or an array as nested lists, with None for NaN, which JSON lacks."""
    if np.ndim(value):
        return [number_or_none(part) for part in value]
    return None if np.isnan(value) else float(value)


def _row(values: Array) -> str:
    return "&" + " &".join(f"{value:5.1f}" for value in values) + r" \\"


def _tracking_entries(scores: mota.Scores) -> Content:
    """Return MOTA by group and joint; MOTP, precision and recall in total."""
    values = entries(scores.mota)
    per_joint = values.pop("per_joint")
    totals = {"motp": scores.motp, "precision": scores.precision, "recall": scores.recall}
    values |= {name: number_or_none(total[-1]) for name, total in totals.items()}
    return values | {"per_joint": per_joint}
