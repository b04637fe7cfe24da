"""PoseTrack21 AP: its rules one by one, and what is answered where the kit crashes."""

from dataclasses import replace

import numpy as np
import pytest

from tdmi.core.errors import UserError
from tdmi.data.annotations import Annotations, select_frames
from tdmi.data.skeletons import POSETRACK17
from tdmi.evaluation.matching.scored_videos import scored_videos
from tdmi.evaluation.protocols import poseval
from tdmi.evaluation.protocols.posetrack21 import (
    as_scored,
    average_precision,
    cut_scores,
    refusals,
    whole_number_images,
)
from tdmi.evaluation.protocols.poseval import Statistics, combine
from tdmi.formats.files import video_files
from tdmi.formats.posetrack import read_folder
from tests.support.golden_evaluation import cases, write_back

CASES = cases("posetrack21")
REFUSED = {
    "pt18_prediction_image_order": "frame 0: the image id is .* in the predictions and",
    "pt18_missing_head_box": "frame 0: .* no head box",
}


def evaluate(truth: Annotations, predictions: Annotations) -> dict[str, Statistics]:
    return poseval.evaluate(*as_scored(truth, predictions))


def sides(name: str, folder):
    paths = write_back(CASES[name], folder)
    names = video_files(paths[0])
    return [read_folder(path, names, POSETRACK17) for path in paths]


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
    (video,) = scored_videos(*as_scored(truth, predictions))
    (line,) = map(str, refusals(video))
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
    with pytest.raises(UserError, match="5 frames in the predictions, 8 in the ground truth"):
        evaluate(truth, select_frames(predictions, predictions.frame_index < 5))


def test_frames_are_judged_by_their_flag_alone(tmp_path):
    truth, predictions = sides("r_small", tmp_path)
    some = replace(truth, frame_labelled=truth.frame_labelled & (truth.frame_index % 2 == 0))
    pooled = combine(evaluate(some, predictions).values())
    assert pooled.frames == some.frame_labelled.sum() < truth.frame_labelled.sum()


def written(*keypoints: list) -> dict:
    people = [{"image_id": k // 2, "keypoints": values} for k, values in enumerate(keypoints)]
    return {"annotations": people}


def test_only_frames_written_in_whole_numbers_alone_are_cut():
    content = written([1, 2, 1], [3, 4, 1], [1, 2, 1], [3.0, 4, 1], [5, 6, 1.0])
    assert whole_number_images(content) == [0]


def test_scores_are_cut_towards_zero(tmp_path):
    _, predictions = sides("r_small", tmp_path)
    predictions.joint_score[0, :2] = 1.75, -1.75
    frame = predictions.person_frame[0]
    cut = cut_scores(predictions, [predictions.frame_id[frame]])
    here = predictions.person_frame == frame
    assert cut.joint_score[0, :2].tolist() == [1.0, -1.0]
    np.testing.assert_array_equal(cut.joint_score[here], np.trunc(predictions.joint_score[here]))
    np.testing.assert_array_equal(cut.joint_score[~here], predictions.joint_score[~here])
