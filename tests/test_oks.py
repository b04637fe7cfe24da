"""OKS AP and AR against recorded numbers of xtcocotools, and against simple truths."""

from dataclasses import replace

import numpy as np
import pytest
from golden_evaluation import cases

from tdmi.annotations import Annotations
from tdmi.datasets import posetrack18
from tdmi.errors import UserError
from tdmi.evaluation import oks

OKS = cases("oks")


def read_case(name: str) -> tuple[Annotations, Annotations]:
    """The case as two PoseTrack18 files; COCO judges every image, so all count as labelled."""
    case = OKS[name]
    images = [image | {"is_labeled": True} for image in case["gt"]["images"]]
    truth = posetrack18.parse(case["gt"] | {"images": images}, "video.json")
    detections = {
        "images": images,
        "annotations": case["pred"],
        "categories": case["gt"]["categories"],
    }
    if not case["expected"]["use_area"]:
        truth = replace(truth, area=np.full(truth.persons, np.nan))
    return truth, posetrack18.parse(detections, "video.json")


@pytest.mark.parametrize("name", OKS)
def test_equals_xtcocotools(name):
    summary = oks.evaluate(*read_case(name))
    expected = OKS[name]["expected"]["oks"]["stats"].values()
    np.testing.assert_allclose(list(summary.values()), list(expected), rtol=0, atol=1e-12)


def test_ground_truth_against_itself_is_1():
    truth, _ = read_case("small_random")
    found = replace(truth, score=np.linspace(1, 0.5, truth.persons))
    summary = oks.evaluate(truth, found)
    assert summary["ap"] == pytest.approx(1)
    assert summary["ar"] == pytest.approx(1)


def test_scores_of_joints_stand_in_for_a_missing_person_score():
    truth, predictions = read_case("small_random")
    scores = np.repeat(predictions.score[:, None], 17, axis=1)
    unscored = replace(predictions, score=np.full(predictions.persons, np.nan), joint_score=scores)
    expected = list(oks.evaluate(truth, predictions).values())
    np.testing.assert_allclose(list(oks.evaluate(truth, unscored).values()), expected, atol=1e-12)


def test_frames_without_labels_are_not_judged():
    truth, predictions = read_case("empty_images")
    judged = oks.metrics(truth, predictions)
    unlabelled = replace(truth, frame_labelled=np.zeros(truth.frames, dtype=bool))
    fewer = oks.metrics(unlabelled, predictions)
    assert fewer["frames"] == truth.frame_annotated.sum() < judged["frames"]
    assert fewer["predicted_persons"] < judged["predicted_persons"]
    assert fewer["oks"]["ap"] > judged["oks"]["ap"]


def test_undefined_numbers_are_null():
    metrics = oks.metrics(*read_case("no_ground_truth"))
    assert metrics["oks"]["ap"] is None
    assert metrics["ground_truth_persons"] == 0


def test_ground_truth_without_boxes_is_refused():
    truth, predictions = read_case("missing_area_key")
    truth = replace(truth, box=np.full((truth.persons, 4), np.nan))
    with pytest.raises(UserError, match=r"000000\.jpg: .* no 'bbox'"):
        oks.evaluate(truth, predictions)
