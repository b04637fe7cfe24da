"""Reliability of scores by hand, and as an identity with precision."""

import numpy as np
import pytest

from tdmi.evaluation.analysis import calibration as reliability
from tdmi.evaluation.protocols.poseval import Statistics, average_precision


def statistics(score: list[float], hit: list[bool]) -> Statistics:
    count = len(score)
    joint, annotated = np.zeros(count, np.int8), np.full(15, count)
    return Statistics(joint, np.array(score), np.array(hit, bool), annotated, 1, 1, 1)


def test_shares_and_mean_scores_by_hand():
    found = reliability.metrics(
        statistics(
            [0.81, 0.83, 0.84, 0.82, 0.05, 1.2, -0.5, float("nan")], [1, 1, 1, 0, 1, 1, 0, 1]
        )
    )
    by_edge = {
        round(low, 2): values
        for low, *values in zip(
            found["edges"], found["joints"], found["mean_score"], found["right"], strict=False
        )
    }
    assert by_edge[0.8] == [4, pytest.approx(0.825), 75]
    # An edge begins its bin; what lies outside 0 to 1 is in the bins at the ends.
    assert by_edge[0.05] == [1, pytest.approx(0.05), 100]
    assert by_edge[0.95] == [1, pytest.approx(1.2), 100]
    assert by_edge[0.0] == [1, pytest.approx(-0.5), 0]
    assert by_edge[0.5] == [0, None, None]
    assert sum(found["joints"]) == 7


def test_all_bins_together_are_the_precision():
    random = np.random.default_rng(0)
    score = random.uniform(size=2000)
    people = statistics(list(score), list(random.uniform(size=2000) < score))
    found = reliability.metrics(people)
    joints = np.array(found["joints"])
    assert joints @ found["right"] / joints.sum() == pytest.approx(
        average_precision(people).precision[0]
    )
    # Scores that are probabilities lie on the diagonal, within the error of 100 tosses.
    np.testing.assert_allclose(found["right"], 100 * np.array(found["mean_score"]), atol=16)
