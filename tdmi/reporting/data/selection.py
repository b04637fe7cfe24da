"""Selection of people to show: the error of every method on each labelled person, and a rule.

The error of a method on a person is the mean over the labelled joints of the distance in head
sizes, each joint capped at 1, so that one joint far away does not outweigh all others (choice of
this project). The head size is the evaluator's: 0.6 of the diagonal of the head box.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
from scipy.optimize import linear_sum_assignment

from tdmi.data.annotations import Annotations
from tdmi.evaluation.matching.assignment import head_sizes as head_box_sizes

CAP = 1.0
MINIMUM_JOINTS = 8
MIDDLE = (0.1, 0.9)
"""Quantiles of the methods' errors whose distance is their spread on a person: one method that is
always far behind does not decide where the others differ (choice of this project)."""
DISAGREE, HARD, TYPICAL = "methods disagree", "single frame fails", "typical"


def head_sizes(truth: Annotations) -> np.ndarray:
    """Return [N] pixels; without a head box: 0.15 of the longer side of the joints' box."""
    sizes = head_box_sizes(truth.head_box)
    for person in np.flatnonzero(~(sizes > 0)):
        points = truth.keypoints[person][truth.present[person]]
        extent = (points.max(axis=0) - points.min(axis=0)).max() if len(points) else 0.0
        sizes[person] = max(0.15 * extent, 1.0)
    return sizes


def joint_distances(
    truth: Annotations, prediction: Annotations, sizes: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Return distances [N, J] in head sizes, at most CAP, and the matched person [N] or -1.

    Persons of a frame are matched so that the sum of their mean distances is least. Joints that
    the truth lacks are NaN; joints that the prediction lacks count as CAP.
    """
    distances = np.where(truth.present, CAP, np.nan)
    matches = np.full(truth.persons, -1)
    frames = {key: frame for frame, key in enumerate(_frame_keys(prediction))}
    for frame, key in enumerate(_frame_keys(truth)):
        people = np.flatnonzero(truth.person_frame == frame)
        found = np.flatnonzero(prediction.person_frame == frames.get(key, -1))
        if len(people) == 0 or len(found) == 0:
            continue
        offset = truth.keypoints[people][:, None] - prediction.keypoints[found][None]
        each = np.minimum(np.linalg.norm(offset, axis=3) / sizes[people, None, None], CAP)
        each = np.where(prediction.present[found][None], each, CAP)
        known = truth.present[people][:, None]
        each = np.where(known, each, np.nan)
        joints = known.sum(axis=2)
        cost = np.where(joints > 0, np.nansum(each, axis=2) / np.maximum(joints, 1), CAP)
        ones, others = linear_sum_assignment(cost)
        distances[people[ones]], matches[people[ones]] = each[ones, others], found[others]
    return distances, matches


def candidates(truth: Annotations, errors: dict[str, np.ndarray]) -> pd.DataFrame:
    """Return a row per labelled person with enough joints: its place and each method's error.

    Columns person (row in `truth`), video, frame, track_id, file, and one per method.
    """
    enough = truth.present.sum(axis=1) >= MINIMUM_JOINTS
    people = np.flatnonzero(enough & truth.frame_labelled[truth.person_frame])
    frames = truth.person_frame[people]
    table = {
        "person": people,
        "video": [truth.video_names[video] for video in truth.frame_video[frames]],
        "frame": truth.frame_index[frames],
        "track_id": truth.track_id[people],
        "file": [truth.frame_file[frame] for frame in frames],
    }
    return pd.DataFrame(table | {name: values[people] for name, values in errors.items()})


def choose(
    table: pd.DataFrame, methods: list[str], reference: str, disagree: int = 4, hard: int = 3
) -> pd.DataFrame:
    """Return the rows to show, with a column `rule`; ties go to the earlier row.

    First the persons on whom the methods' errors spread most, then those with the largest error of
    `reference`, last one whose error of `reference` is the median. A rule takes each person (track)
    once at most, and no row is taken twice.
    """
    spread = spreads(table, methods)
    error = table[reference].round(6)
    middle = (error - error.quantile(0.5, interpolation="lower")).abs()
    parts, rest = [], table
    for rule, ranking, count in (
        (DISAGREE, -spread, disagree),
        (HARD, -error, hard),
        (TYPICAL, middle, 1),
    ):
        ordered = rest.loc[ranking[rest.index].sort_values(kind="stable").index]
        best = ordered.drop_duplicates(["video", "track_id"]).head(count)
        parts.append(best.assign(rule=rule))
        rest = rest.drop(best.index)
    chosen = pd.concat(parts, ignore_index=True)
    return chosen[["rule", *table]]


def spreads(table: pd.DataFrame, methods: list[str]) -> pd.Series:
    """Return per row the distance between the quantiles MIDDLE of the methods' errors."""
    low, high = (table[methods].quantile(part, axis=1) for part in MIDDLE)
    return (high - low).round(6)  # the last bits of a sum must not decide a tie


def one_per_stretch(table: pd.DataFrame, methods: list[str], count: int) -> pd.DataFrame:
    """Return the row on which the methods spread most, of each of `count` equal stretches."""
    spread = spreads(table, methods).to_numpy()
    stretches = np.array_split(np.arange(len(table)), min(count, len(table)))
    return table.iloc[[rows[np.argmax(spread[rows])] for rows in stretches]]


def clip(table: pd.DataFrame, methods: list[str], length: int) -> pd.DataFrame:
    """Return the `length` successive rows of one person (track) whose mean spread is largest.

    If no person has so many, `length` is that of the longest track.
    """
    track = ["video", "track_id"]
    table = table.assign(spread=spreads(table, methods)).sort_values([*track, "frame"])
    table = table.reset_index(drop=True)
    length = min(length, table.groupby(track).size().max())
    means = table.groupby(track).spread.rolling(length).mean().round(6)
    end = means.idxmax()[-1] + 1
    return table.iloc[end - length : end].drop(columns="spread")


def _frame_keys(annotations: Annotations) -> list[tuple[str, int]]:
    """Return video and position, which identify a frame across the files of one video."""
    names = (annotations.video_names[video] for video in annotations.frame_video)
    return list(zip(names, annotations.frame_index.tolist(), strict=True))
