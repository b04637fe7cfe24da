"""Reliability of joint scores: of the predicted joints with a score near s, how many are right.

Right is what the evaluator counts as a true positive: within half a head size of the joint of the
person that the prediction is assigned to. A joint that its person does not have and every joint of
a prediction without a person is wrong. A score is reliable if the share of right joints equals it
(DeGroot and Fienberg 1983, The Comparison and Evaluation of Forecasters); AP knows the order of the
scores alone and says nothing of it.
"""

from __future__ import annotations

import numpy as np

from tdmi.evaluation.protocols.poseval import Statistics

EDGES = np.arange(21) / 20
"""Bins of 0.05, enough joints in each for a share and fine enough for a curve (choice of this
project). A score below 0 is in the first, one above 1 in the last."""


def metrics(statistics: Statistics) -> dict:
    """Content of ``reliability`` in ``metrics.json``: a value for each bin between two edges.

    "joints": how many; "mean_score"; "right" in per cent; None in an empty bin. Joints whose score
    is NaN are left out.
    """
    known = ~np.isnan(statistics.score)
    score, hit = statistics.score[known], statistics.hit[known]
    place = np.clip(np.searchsorted(EDGES, score, side="right") - 1, 0, len(EDGES) - 2)
    joints, scores, right = (
        np.bincount(place, weights, minlength=len(EDGES) - 1)
        for weights in (np.ones(len(score)), score, 100.0 * hit)
    )
    return {
        "edges": EDGES.tolist(),
        "joints": joints.astype(int).tolist(),
        "mean_score": _means(scores, joints),
        "right": _means(right, joints),
    }


def _means(total: np.ndarray, count: np.ndarray) -> list[float | None]:
    return [float(t / n) if n else None for t, n in zip(total, count, strict=True)]
