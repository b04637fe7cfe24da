"""PCKh curves, normalised errors and calibration, by hand and as identities."""

from dataclasses import replace

import numpy as np
import pytest

from tdmi.data.skeletons import POSETRACK17
from tdmi.evaluation.analysis import curves
from tdmi.evaluation.matching.assignment import match_video
from tdmi.evaluation.matching.scored_videos import People, ScoredVideo, scored_videos
from tdmi.evaluation.protocols import poseval
from tdmi.formats.files import video_files
from tdmi.formats.posetrack import read_folder
from tests.support.golden_evaluation import cases, write_back


def people(x: list[list[float]]) -> People:
    """One frame, people with joints at (x, 0); NaN is absent. Head size 6."""
    keypoints = np.stack([np.array(x), np.zeros_like(x)], axis=2)
    count = len(x)
    return People(
        row=np.arange(count),
        frame=np.zeros(count, dtype=np.int64),
        track_id=np.arange(count),
        keypoints=np.nan_to_num(keypoints),
        present=~np.isnan(np.array(x)),
        score=np.ones((count, len(x[0]))),
        head_box=np.tile([0.0, 0.0, 6.0, 8.0], (count, 1)),
    )


def statistics(truth: list, predictions: list) -> curves.Statistics:
    video = ScoredVideo("video", np.arange(1), people(truth), people(predictions))
    return curves.video_statistics(video, match_video(video))


NAN = float("nan")
# Two people with three joints each; the first is found (errors 0.6, 3 px, and one joint not
# predicted), the second is not.
HALF = statistics([[0, 100, 200], [500, 600, NAN]], [[0.6, 103, NAN], [900, 900, 900]])


def test_errors_are_distances_in_head_sizes():
    assert HALF.joint.tolist() == [0, 1]
    np.testing.assert_allclose(HALF.error, [0.1, 0.5])
    assert HALF.matched.tolist() == [1, 1, 1]
    assert HALF.annotated.tolist() == [2, 2, 1]


def test_curve_by_hand():
    thresholds = np.array([0, 0.1 + 1e-12, 0.5])
    matched = curves.curve(HALF, HALF.matched, thresholds)
    np.testing.assert_allclose(
        matched, [[0, 0, 0, 0], [100, 0, 0, 100 / 3], [100, 100, 0, 200 / 3]]
    )
    annotated = curves.curve(HALF, HALF.annotated, thresholds)
    np.testing.assert_allclose(annotated, [[0, 0, 0, 0], [50, 0, 0, 50 / 3], [50, 50, 0, 100 / 3]])


def test_an_error_of_exactly_the_threshold_is_within():
    found = statistics([[0, 100]], [[0, 103]])
    np.testing.assert_array_equal(
        curves.curve(found, found.matched, np.array([0.0, 0.5])), [[100, 0, 50], [100, 100, 100]]
    )


def test_joints_that_nobody_has_are_left_out_of_the_total():
    found = statistics([[0, NAN]], [[0, 5]])
    np.testing.assert_array_equal(
        curves.curve(found, found.annotated, np.array([0.5])), [[100, np.nan, 100]]
    )


def test_quantiles_are_errors_that_occurred():
    errors = np.array([0.4, 0.1, 0.3, 0.2])
    found = curves.error_quantiles(errors, [0.25, 0.5, 0.51, 0.75, 1])
    assert found.tolist() == [0.1, 0.2, 0.3, 0.3, 0.4]
    assert np.isnan(curves.error_quantiles(np.array([]), [0.5])).all()
    assert curves.error_quantiles(np.array([0.1, np.inf]), [0.5, 0.9]).tolist() == [0.1, np.inf]


def judged(name: str, folder) -> list[ScoredVideo]:
    sides = write_back(cases("poseval")[name], folder)
    names = video_files(sides[0])
    return list(scored_videos(*(read_folder(side, names, POSETRACK17) for side in sides)))


@pytest.mark.parametrize("name", ["m_medium", "r_ignore_pt18", "nan_coordinates", "no_predictions"])
def test_at_half_a_head_size_the_share_of_annotated_joints_is_the_recall(name, tmp_path):
    videos = judged(name, tmp_path)
    matches = [match_video(video) for video in videos]
    pairs = list(zip(videos, matches, strict=True))
    found = curves.combine(curves.video_statistics(*pair) for pair in pairs)
    scores = poseval.average_precision(
        poseval.combine(poseval.video_statistics(*pair) for pair in pairs)
    )
    curve = curves.curve(found, found.annotated)
    annotated = found.annotated > 0
    np.testing.assert_allclose(
        curve[-1, :-1][annotated], scores.recall[:-1][annotated], rtol=0, atol=1e-12
    )
    assert (np.diff(curve[:, :-1][:, annotated], axis=0) >= 0).all()
    at_least = curves.curve(found, found.matched)[:, :-1] >= curve[:, :-1]
    assert at_least[:, found.matched > 0].all()


def test_ground_truth_against_itself_is_100_from_the_first_threshold(tmp_path):
    for video in judged("m_medium", tmp_path):
        same = replace(video, predictions=video.truth)
        found = curves.video_statistics(same, match_video(same))
        there = found.annotated > 0
        np.testing.assert_array_equal(curves.curve(found, found.annotated)[:, :-1][:, there], 100.0)
        assert (found.error == 0).all()


def test_metrics_have_a_curve_and_quantiles_for_every_group(tmp_path):
    videos = judged("m_medium", tmp_path)
    found = curves.combine(curves.video_statistics(v, match_video(v)) for v in videos)
    content = curves.pckh(found)
    groups = ["head", "shoulder", "elbow", "wrist", "hip", "knee", "ankle", "total"]
    assert content["thresholds"][0] == 0 and content["thresholds"][-1] == 0.5
    for share in ("matched", "annotated"):
        assert list(content[share]) == [*groups, "per_joint"]
        assert list(content[share]["per_joint"]) == list(POSETRACK17.joints)
        assert all(len(content[share][group]) == 51 for group in groups)
        left, right = (
            content[share]["per_joint"][f"{side}_knee"][20] for side in ("left", "right")
        )
        assert content[share]["knee"][20] == pytest.approx((left + right) / 2)
    errors = content["normalised_error"]
    assert list(errors) == ["assignment_threshold", "quantiles", *groups]
    knees = np.isin(found.joint, [POSETRACK17.index(f"{s}_knee") for s in ("left", "right")])
    assert errors["knee"][1] == np.sort(found.error[knees])[(knees.sum() + 1) // 2 - 1]


def scored_joints(score: list[float], hit: list[bool]) -> poseval.Statistics:
    count = len(score)
    joint, annotated = np.zeros(count, np.int8), np.full(15, count)
    return poseval.Statistics(joint, np.array(score), np.array(hit, bool), annotated, 1, 1, 1)


def test_shares_and_mean_scores_by_hand():
    found = curves.reliability(
        scored_joints(
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
    people = scored_joints(list(score), list(random.uniform(size=2000) < score))
    found = curves.reliability(people)
    joints = np.array(found["joints"])
    assert joints @ found["right"] / joints.sum() == pytest.approx(
        poseval.average_precision(people).precision[0]
    )
    # Scores that are probabilities lie on the diagonal, within the error of 100 tosses.
    np.testing.assert_allclose(found["right"], 100 * np.array(found["mean_score"]), atol=16)
