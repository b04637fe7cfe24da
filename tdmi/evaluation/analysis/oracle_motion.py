"""What time could give: predictions of the window's frames brought to the key frame by true motion.

A temporal method has to find how a person moves and to use it. Here the labels tell how: a joint
that was predicted in a neighbouring frame is moved by as much as its label moves. Two ways of using
it bound from below what the window holds beyond the key frame, for single-frame predictions of a
given quality (choice of this project; a diagnosis, never a method, for it looks at the labels).
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
    """Predictions of ground-truth boxes, each joint taken from all labelled frames in reach.

    Args:
        predictions: of every labelled person, with the label's track id (N predicted people).
        truth: the same videos on the same skeleton.
        reach: largest distance of a neighbouring frame in real frames.
        rule: "surest": position and score of the frame whose score is highest; "mean": mean of the
            positions weighted by their scores, and mean of the scores.

    Returns:
        The predictions with other positions and scores, and how many neighbouring people they were
        taken from. A joint that is not labelled in both frames stays out of the neighbour's part; a
        joint absent in the key frame stays absent.
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
    """Video, number of the frame and track of every person."""
    frames = people.person_frame
    videos = [people.video_names[v] for v in people.frame_video[frames]]
    numbers, tracks = people.frame_number[frames].tolist(), people.track_id.tolist()
    return list(zip(videos, numbers, tracks, strict=True))


def _joined(moved: Array, score: Array, known: Array, rule: str) -> tuple[Array, Array]:
    """Positions [J, 2] and scores [J] from those of K frames, [K, J, 2] and [K, J]."""
    if rule == "surest":
        best = score.argmax(axis=0)
        return np.take_along_axis(moved, best[None, :, None], 0)[0], score.max(axis=0)
    # Without any score the key frame's own position counts alone.
    weight = np.where(score.sum(axis=0) > 0, score, np.eye(len(score), 1))
    position = np.einsum("kj,kjc->jc", weight, moved) / weight.sum(axis=0)[:, None]
    return position, score.sum(axis=0) / known.sum(axis=0)
