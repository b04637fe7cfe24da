"""OKS AP and AR against simple truths."""

from dataclasses import replace

import numpy as np
import pytest

from tdmi.core.errors import UserError
from tdmi.data.annotations import Annotations
from tdmi.evaluation.protocols import oks
from tests.support.golden_evaluation import cases, oks_sides

OKS = cases("oks")


def read_case(name: str) -> tuple[Annotations, Annotations]:
    return oks_sides(OKS[name])


def test_ground_truth_against_itself_is_1():
    truth, _ = read_case("small_random")
    found = replace(truth, score=np.linspace(1, 0.5, truth.persons))
    summary = oks.metrics(truth, found)["oks"]
    assert summary["ap"] == pytest.approx(1)
    assert summary["ar"] == pytest.approx(1)


def test_scores_of_joints_stand_in_for_a_missing_person_score():
    truth, predictions = read_case("small_random")
    scores = np.repeat(predictions.score[:, None], 17, axis=1)
    unscored = replace(predictions, score=np.full(predictions.persons, np.nan), joint_score=scores)
    expected = oks.metrics(truth, predictions)["oks"]
    assert oks.metrics(truth, unscored)["oks"] == pytest.approx(expected, abs=1e-12)


def test_frames_without_labels_are_not_scored():
    truth, predictions = read_case("empty_images")
    scored = oks.metrics(truth, predictions)
    unlabelled = replace(truth, frame_labelled=np.zeros(truth.frames, dtype=bool))
    fewer = oks.metrics(unlabelled, predictions)
    assert fewer["frames"] == truth.frame_annotated.sum() < scored["frames"]
    assert fewer["predicted_persons"] < scored["predicted_persons"]
    assert fewer["oks"]["ap"] > scored["oks"]["ap"]


def test_undefined_numbers_are_null():
    metrics = oks.metrics(*read_case("no_ground_truth"))
    assert metrics["oks"]["ap"] is None
    assert metrics["ground_truth_persons"] == 0


def test_ground_truth_without_boxes_is_refused():
    truth, predictions = read_case("missing_area_key")
    truth = replace(truth, box=np.full((truth.persons, 4), np.nan))
    with pytest.raises(UserError, match=r"000000\.jpg: .* no 'bbox'"):
        oks.metrics(truth, predictions)
