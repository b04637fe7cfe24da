"""Scores of predicted persons and removal of duplicates, as HRNet's evaluation code does for COCO.

Both are off by default: DCPose's and TDMI's code for PoseTrack does neither.
"""

from __future__ import annotations

import numpy as np

from tdmi.config.inference import Rescoring
from tdmi.data.annotations import Annotations, select_persons

SURE_JOINT = 0.2
"""Least heatmap maximum of a joint that counts for a person's score (HRNet's configuration)."""


def rescore(maxima: np.ndarray, box_score: np.ndarray, kind: Rescoring) -> np.ndarray:
    """Person scores [N] from heatmap maxima [N, J] and box scores [N].

    ``none``: the box's; ``mean_joint``: that times the mean of the maxima above `SURE_JOINT`, 0 for
    a person without such a joint.
    """
    if kind == "none":
        return box_score
    sure = maxima > SURE_JOINT
    mean = np.where(sure, maxima, 0).sum(axis=1) / np.maximum(sure.sum(axis=1), 1)
    return mean * box_score


def oks(one: int, others: np.ndarray, people: Annotations, sigmas: np.ndarray) -> np.ndarray:
    """Object keypoint similarity of a person (a row) to others [K]; in 0..1.

    OKS = mean over joints present in both of exp(-d^2 / (2 k^2 A)) with k = 2 sigma, `sigmas` [J],
    and A the mean area of the two boxes.
    """
    offset = people.keypoints[others] - people.keypoints[one]
    areas = people.box[:, 2] * people.box[:, 3]
    area = (areas[one] + areas[others])[:, None] / 2
    closeness = np.exp(-np.square(offset).sum(axis=2) / (2 * np.square(2 * sigmas) * area))
    both = people.present[one] & people.present[others]
    return np.where(both, closeness, 0).sum(axis=1) / np.maximum(both.sum(axis=1), 1)


def oks_nms(people: Annotations, threshold: float) -> Annotations:
    """Drop the persons whose OKS to a better scored one of their frame exceeds `threshold`.

    Greedy, best score first, of equal ones the earlier row. Boxes have to be known. The persons
    that stay keep their order; track ids become their places in the frame again.
    """
    sigmas = people.skeleton.oks_sigmas
    keep = np.zeros(people.persons, bool)
    for frame in np.unique(people.person_frame):
        left = np.flatnonzero(people.person_frame == frame)
        left = left[np.argsort(-people.score[left], kind="stable")]
        while len(left):
            best, left = left[0], left[1:]
            keep[best] = True
            left = left[oks(best, left, people, sigmas) <= threshold]
    chosen = select_persons(people, keep)
    frames = chosen.person_frame
    chosen.track_id[:] = np.arange(len(frames)) - np.searchsorted(frames, frames)
    return chosen
