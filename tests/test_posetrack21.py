"""PoseTrack21 AP against the recorded numbers of the kit, and what is answered where it crashes."""

from dataclasses import replace

import numpy as np
import pytest
from golden_evaluation import cases, write_back

from tdmi.annotations import select_frames
from tdmi.datasets.parsing import video_files
from tdmi.datasets.posetrack import read_folder
from tdmi.errors import UserError
from tdmi.evaluation.average_precision import combine, tie_bounds
from tdmi.evaluation.pairing import judged_videos
from tdmi.evaluation.posetrack21 import (
    as_judged,
    average_precision,
    evaluate,
    notes,
    suspicions,
)
from tdmi.evaluation.table import group_means
from tdmi.skeletons import POSETRACK17

CASES = cases("posetrack21")
SCORED = [name for name, c in CASES.items() if c["expected"]["map"]["status"] == "ok"]
REFUSED = {
    "pt18_prediction_image_order": "frame 0: the image id is .* in the predictions and",
    "pt18_missing_head_box": "frame 0: .* no head box",
}
# Nobody to find in a judged frame: the kit crashes, here its predictions are false.
ANSWERED = ("pt18_unlabelled_frame", "labelled_frame_without_people", "all_gt_ignored")
COLUMNS = ("Head", "Shou", "Elb", "Wri", "Hip", "Knee", "Ankl", "Total")


def sides(name: str, folder):
    paths = write_back(CASES[name], folder)
    names = video_files(paths[0])
    return [read_folder(path, names, POSETRACK17) for path in paths]


def as_the_kit_reads_scores(predictions, files: dict):
    """Cut scores where all `keypoints` of a frame are whole numbers: the kit's array is integer."""
    numbers: dict[int, list] = {}
    for content in files.values():
        for person in content["annotations"]:
            numbers.setdefault(person["image_id"], []).extend(person["keypoints"])
    whole = [image for image, values in numbers.items() if all(type(v) is int for v in values)]
    cut = np.isin(predictions.frame_id[predictions.person_frame], whole)
    score = predictions.joint_score.copy()
    score[cut] = np.trunc(score[cut])
    return replace(predictions, joint_score=score)


@pytest.mark.parametrize("name", SCORED)
def test_equals_the_official_kit(name, tmp_path):
    expected = CASES[name]["expected"]
    official = expected["map"]
    truth, predictions = sides(name, tmp_path)
    predictions = as_the_kit_reads_scores(predictions, CASES[name]["pred"])
    videos = evaluate(truth, predictions)
    pooled = combine(videos.values())
    ours = average_precision(pooled)

    order = [*(POSETRACK17.index(joint) for joint in official["joint_order"]), -1]
    for measure in ("precision", "recall"):
        values = getattr(ours, measure)
        np.testing.assert_allclose(values[order], official[measure], rtol=0, atol=1e-9)
        table = [official[f"table_{measure}"][column] for column in COLUMNS]
        np.testing.assert_allclose(group_means(values), table, rtol=0, atol=1e-9)
    if name == "r_ties":  # longer lists of equal scores, whose order NumPy leaves open
        lowest, highest = (bound.ap[order] for bound in tie_bounds(pooled))
        assert (lowest <= np.array(official["ap"]) + 1e-9).all()
        assert (np.array(official["ap"]) <= highest + 1e-9).all()
        return
    np.testing.assert_allclose(ours.ap[order], official["ap"], rtol=0, atol=1e-9)
    table = [official["table_ap"][column] for column in COLUMNS]
    np.testing.assert_allclose(group_means(ours.ap), table, rtol=0, atol=1e-9)
    for file, columns in official["per_video_table_ap"].items():
        values = group_means(average_precision(videos[file.removesuffix(".json")]).ap)
        np.testing.assert_allclose(values, [columns[c] for c in COLUMNS], rtol=0, atol=1e-9)


def test_every_recorded_case_is_tested():
    assert set(CASES) == {*SCORED, *REFUSED, *ANSWERED}


@pytest.mark.parametrize("name", REFUSED)
def test_unusable_files_are_refused_by_name(name, tmp_path):
    with pytest.raises(UserError, match=REFUSED[name]) as error:
        evaluate(*sides(name, tmp_path))
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("name", ["pt18_unlabelled_frame", "labelled_frame_without_people"])
def test_in_a_frame_without_people_all_predictions_are_false(name, tmp_path):
    # Three frames, one of them empty; the same person is predicted exactly in all of them.
    truth, predictions = sides(name, tmp_path)
    pooled = combine(evaluate(truth, predictions).values())
    assert pooled.frames == 3
    ours = average_precision(pooled)
    np.testing.assert_allclose(ours.precision, 200 / 3)
    np.testing.assert_array_equal(ours.recall, 100.0)
    (line,) = notes(list(judged_videos(*as_judged(truth, predictions))))
    assert "000011_mpii_test: frame 1 (1 in all)" in line and "are false" in line


def test_nothing_is_left_where_everybody_is_ignored(tmp_path):
    pooled = combine(evaluate(*sides("all_gt_ignored", tmp_path)).values())
    assert pooled.annotated.sum() == 0
    np.testing.assert_array_equal(average_precision(pooled).ap, 0.0)


def test_ground_truth_against_itself_is_100(tmp_path):
    truth, _ = sides("m_medium", tmp_path)
    truth = replace(truth, frame_labelled=truth.frame_labelled & truth.frame_annotated)
    ours = average_precision(combine(evaluate(truth, truth).values()))
    for values in (ours.ap, ours.precision, ours.recall):
        np.testing.assert_array_equal(values, 100.0)


def test_a_joint_predicted_but_never_annotated_counts_with_0(tmp_path):
    truth, predictions = sides("pt18_plain", tmp_path)
    wrist = POSETRACK17.index("left_wrist")
    truth.present[:, wrist] = False
    ours = average_precision(combine(evaluate(truth, predictions).values()))
    assert (ours.ap[wrist], ours.precision[wrist], ours.recall[wrist]) == (0, 0, 0)
    assert ours.ap[-1] == pytest.approx(ours.ap[:15].sum() / 15)


def test_joints_need_positive_coordinates_on_both_axes(tmp_path):
    truth, predictions = sides("pt18_plain", tmp_path)
    truth.keypoints[:, 0] = (0.0, 5.0)
    truth.keypoints[:, 1] = (5.0, -1.0)
    truth.keypoints[:, 2] = (5.0, 1.0)
    pooled = combine(evaluate(truth, predictions).values())
    assert pooled.annotated[:3].tolist() == [0, 0, truth.persons]


def test_frames_behind_the_end_are_ignored_and_missing_ones_refused(tmp_path):
    truth, predictions = sides("r_small", tmp_path)
    complete = average_precision(combine(evaluate(truth, predictions).values()))
    short = select_frames(truth, truth.frame_index < 5)
    shorter = average_precision(
        combine(evaluate(short, select_frames(predictions, predictions.frame_index < 5)).values())
    )
    longer = average_precision(combine(evaluate(short, predictions).values()))
    np.testing.assert_array_equal(longer.ap, shorter.ap)
    assert longer.ap[-1] != complete.ap[-1]
    (line,) = suspicions(short, predictions)
    assert "3 such videos" in line
    with pytest.raises(UserError, match="5 frames in the predictions, 8 in the ground truth"):
        evaluate(truth, select_frames(predictions, predictions.frame_index < 5))


def test_frames_are_judged_by_their_flag_alone(tmp_path):
    truth, predictions = sides("r_small", tmp_path)
    some = replace(truth, frame_labelled=truth.frame_labelled & (truth.frame_index % 2 == 0))
    pooled = combine(evaluate(some, predictions).values())
    assert pooled.frames == some.frame_labelled.sum() < truth.frame_labelled.sum()


def test_whole_numbers_get_a_warning(tmp_path):
    truth, predictions = sides("pt18_plain", tmp_path)
    (line,) = suspicions(truth, predictions)
    assert "whole numbers" in line
    predictions.keypoints[0, 0, 0] += 0.5
    assert suspicions(truth, predictions) == []
