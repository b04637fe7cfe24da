"""Oracle motion: predictions of neighbouring frames moved to the key frame by the labels' motion.

A temporal method has to estimate how a person moves. Here a joint predicted in a neighbouring frame
moves by as much as its label does. Two rules of combination bound from below what the window holds
beyond the key frame, for single-frame predictions of a given quality (choice of this project). It
is a diagnosis, never a method, because it uses the labels.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import replace

import numpy as np

from tdmi.core.checks import choose
from tdmi.data.annotations import Annotations
from tdmi.evaluation.arrays import Array

RULES = ("surest", "mean")


def along_true_motion(
    predictions: Annotations, truth: Annotations, reach: int, rule: str = "surest"
) -> tuple[Annotations, int]:
    """Combine predictions of ground-truth boxes over all labelled frames in reach.

    Args:
        predictions: of every labelled person, with the label's track id (N predicted people).
        truth: the same videos on the same skeleton.
        reach: largest distance of a neighbouring frame in real frames.
        rule: "surest": position and score of the frame whose score is highest; "mean": mean of the
            positions weighted by their scores, and mean of the scores.

    Returns:
        The predictions with other positions and scores, and the number of neighbouring people that
        they were taken from. A neighbour's joint counts only where both frames label it; a joint
        absent in the key frame stays absent.
    """
    choose("rule", rule, RULES)
    labels = {key: row for row, key in enumerate(_keys(truth))}
    keys = _keys(predictions)
    tracks = defaultdict(list)
    for row, (video, number, track) in enumerate(keys):
        if (video, number, track) in labels:
            tracks[video, track].append((number, row, labels[video, number, track]))
    keypoints, scores = predictions.keypoints.copy(), predictions.joint_score.copy()
    neighbours = 0
    for people in tracks.values():
        for number, row, label in people:
            near = [p for p in people if p[1] != row and abs(p[0] - number) <= reach]
            if not near:
                continue
            neighbours += len(near)
            rows, own = [row, *(p[1] for p in near)], [label, *(p[2] for p in near)]
            moved = predictions.keypoints[rows] + truth.keypoints[label] - truth.keypoints[own]
            known = truth.present[own] & truth.present[label] & predictions.present[rows]
            known[0] = True
            score = np.where(known, predictions.joint_score[rows], 0.0)
            keypoints[row], scores[row] = _joined(moved, score, known, rule)
    return replace(predictions, keypoints=keypoints, joint_score=scores), neighbours


def _keys(people: Annotations) -> list[tuple[str, int, int]]:
    """Return video, frame number and track of every person."""
    frames = people.person_frame
    videos = [people.video_names[v] for v in people.frame_video[frames]]
    numbers, tracks = people.frame_number[frames].tolist(), people.track_id.tolist()
    return list(zip(videos, numbers, tracks, strict=True))


def _joined(moved: Array, score: Array, known: Array, rule: str) -> tuple[Array, Array]:
    """Return positions [J, 2] and scores [J] from those of K frames, [K, J, 2] and [K, J]."""
    if rule == "surest":
        best = score.argmax(axis=0)
        return np.take_along_axis(moved, best[None, :, None], 0)[0], score.max(axis=0)
    # Without any score only the key frame's own position counts.
    weight = np.where(score.sum(axis=0) > 0, score, np.eye(len(score), 1))
    position = np.einsum("kj,kjc->jc", weight, moved) / weight.sum(axis=0)[:, None]
    return position, score.sum(axis=0) / known.sum(axis=0)
