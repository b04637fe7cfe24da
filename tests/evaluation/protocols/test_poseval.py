"""AP against hand calculation and identities, and on files that the official evaluator refuses."""

import subprocess
import sys
from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest

from tdmi.core.errors import UserError
from tdmi.data.annotations import Annotations, concatenate
from tdmi.data.skeletons import POSETRACK17
from tdmi.evaluation.matching.assignment import assign, frame_pairs, head_sizes
from tdmi.evaluation.matching.ignore_regions import regions_of, strictly_inside
from tdmi.evaluation.matching.scored_videos import misnamed_frames, scored_videos
from tdmi.evaluation.output import official_table, scores_content
from tdmi.evaluation.protocols.poseval import (
    Statistics,
    average_precision,
    best_first,
    combine,
    evaluate,
    total_ap,
    voc_area,
)
from tdmi.formats.files import video_files
from tdmi.formats.posetrack import read_folder
from tests.support.golden_evaluation import cases, write_back

POSEVAL = cases("poseval")
# The official program ends with an exception; what ours answers instead.
NEEDS_NO_TRACK_IDS = (
    "gt_without_track_id",
    "prediction_without_track_id",
    "second_prediction_without_track_id",
    "repeated_track_id",
    "track_id_limit",
)
REFUSED = {
    "missing_head_box": "frame 0: .* no head box",
    "pt18_missing_head_box": "frame 0: .* no head box",
    "missing_file": r"pred/000001_mpii_test\.json: no such file",
    "pt18_prediction_without_categories": r"pred/000011_mpii_test\.json: no 'categories'",
    "region_two_points": "frame 0: ignore region 0 .* 2 corners",
    "too_few_frames": "2 frames in the predictions, 3 in the ground truth",
    "too_many_frames": "3 frames in the predictions, 2 in the ground truth",
}


def inside(points: np.ndarray, polygon: np.ndarray) -> np.ndarray:
    regions = regions_of([[polygon]])
    return strictly_inside(points, np.zeros(len(points), dtype=np.int64), regions)


def read_case(name: str, folder) -> tuple[Annotations, Annotations]:
    truth, predictions = write_back(POSEVAL[name], folder)
    names = video_files(truth)
    return read_folder(truth, names, POSETRACK17), read_folder(predictions, names, POSETRACK17)


@pytest.mark.parametrize("name", NEEDS_NO_TRACK_IDS)
def test_track_ids_are_not_needed(name, tmp_path):
    # These cases predict everybody exactly, so only the ids could spoil the result.
    scores = average_precision(combine(evaluate(*read_case(name, tmp_path)).values()))
    np.testing.assert_array_equal(scores.recall, 100.0)
    np.testing.assert_array_equal(scores.ap, 100.0)


@pytest.mark.parametrize("name", REFUSED)
def test_unusable_files_are_refused_by_name(name, tmp_path):
    with pytest.raises(UserError, match=REFUSED[name]) as error:
        evaluate(*read_case(name, tmp_path))
    assert "\n" not in str(error.value)


def test_frames_are_paired_by_position_with_a_warning(tmp_path):
    truth, predictions = read_case("frames_reordered", tmp_path)
    (line,) = misnamed_frames(truth, predictions)
    assert line.startswith("000001_mpii_test: frame 0")
    assert misnamed_frames(truth, truth) == []


def test_best_first_puts_nan_ahead_and_the_later_of_equals_first():
    score = np.array([0.5, np.nan, 0.9, 0.5, -np.inf, np.nan, -0.0, 0.0])
    assert best_first(score).tolist() == [5, 1, 2, 3, 0, 7, 6, 4]


def test_padding_of_frame_numbers_is_no_difference(tmp_path):
    truth, _ = read_case("perfect", tmp_path)
    renamed = replace(truth, frame_file=[f.replace("0000000", "00") for f in truth.frame_file])
    assert renamed.frame_file != truth.frame_file
    assert misnamed_frames(truth, renamed) == []


def people(keypoints: np.ndarray, score: float = 1.0, name: str = "000001_mpii_test"):
    """One video, one frame, people [N, 15, 2] with head boxes of head size 6."""
    count = len(keypoints)
    return Annotations(
        skeleton=POSETRACK17,
        video_names=[name],
        frame_video=np.zeros(1, dtype=np.int64),
        frame_index=np.zeros(1, dtype=np.int64),
        frame_file=["images/val/v/000000.jpg"],
        frame_id=np.zeros(1, dtype=np.int64),
        frame_labelled=np.ones(1, dtype=bool),
        frame_annotated=np.array([count > 0]),
        ignore_regions=[[]],
        person_frame=np.zeros(count, dtype=np.int64),
        track_id=np.arange(count),
        keypoints=keypoints,
        present=np.ones((count, 15), dtype=bool),
        visible=np.ones((count, 15), dtype=bool),
        joint_score=np.full((count, 15), score),
        box=np.full((count, 4), np.nan),
        head_box=np.tile([0.0, 0.0, 6.0, 8.0], (count, 1)),
        score=np.full(count, score),
    )


def test_ground_truth_against_itself_is_100():
    generator = np.random.Generator(np.random.PCG64(3))
    truth = people(generator.uniform(0, 500, (4, 15, 2)))
    scores = average_precision(combine(evaluate(truth, truth).values()))
    for values in (scores.ap, scores.precision, scores.recall):
        np.testing.assert_array_equal(values, 100.0)


def test_half_of_the_people_found_gives_half():
    truth = people(np.arange(2 * 15 * 2).reshape(2, 15, 2) * 50.0)
    found = people(truth.keypoints[:1])
    scores = average_precision(combine(evaluate(truth, found).values()))
    np.testing.assert_array_equal(scores.ap, 50.0)
    np.testing.assert_array_equal(scores.precision, 100.0)
    np.testing.assert_array_equal(scores.recall, 50.0)


def test_videos_are_pooled_and_extra_predictions_ignored():
    right, wrong = np.zeros((1, 15, 2)), np.full((1, 15, 2), 99.0)
    truth = concatenate([people(right, name="a"), people(right, name="b")])
    predictions = concatenate(
        [people(right, 0.2, "a"), people(wrong, 0.9, "b"), people(wrong, 1.0, "c")]
    )
    videos = evaluate(truth, predictions)
    assert list(videos) == ["a", "b"]
    # Best first: false, true. Recall 1/2 at precision 1/2.
    np.testing.assert_allclose(average_precision(combine(videos.values())).ap, 25.0)
    assert average_precision(videos["a"]).ap[-1] == 100.0
    with pytest.raises(UserError, match="b: no predictions"):
        evaluate(truth, people(right, name="a"))


def test_voc_area_by_hand():
    # Hits 1, 0, 1 of 4: steps at recall 1/4 (envelope 1) and 2/4 (envelope 2/3).
    assert voc_area(np.array([0.25, 0.25, 0.5]), np.array([1, 0.5, 2 / 3])) == pytest.approx(
        0.25 + 0.25 * 2 / 3
    )


def test_undefined_joints_are_left_out_of_the_total():
    statistics = Statistics(
        joint=np.array([0, 1]),
        score=np.array([0.5, 0.5]),
        hit=np.array([True, False]),
        annotated=np.array([1, 0, 1]),
        frames=1,
        truth_persons=1,
        predicted_persons=1,
    )
    scores = average_precision(statistics)
    np.testing.assert_array_equal(scores.ap, [100, np.nan, 0, 50])
    np.testing.assert_array_equal(scores.recall, [100, np.nan, 0, 50])
    np.testing.assert_allclose(scores.precision, [100, 0, 0, 100 / 3])


def test_head_size_by_hand():
    np.testing.assert_allclose(head_sizes(np.array([[10, 10, 13, 14], [13, 14, 10, 10]])), [3, 3])


def test_assignment_has_no_second_choice():
    # Both predictions prefer person 0; the worse one is not given person 1.
    prediction, truth = frame_pairs(np.array([0, 0]), np.array([0, 0]))
    np.testing.assert_array_equal(prediction, [0, 0, 1, 1])
    np.testing.assert_array_equal(truth, [0, 1, 0, 1])
    np.testing.assert_array_equal(assign(np.array([0.6, 0.5, 0.9, 0.1]), prediction, truth), [2])
    # Nobody is assigned without a hit.
    assert len(assign(np.zeros(4), prediction, truth)) == 0


def test_pairs_stay_in_their_frames():
    prediction, truth = frame_pairs(np.array([0, 2, 2, 3]), np.array([1, 2, 3, 3]))
    np.testing.assert_array_equal(prediction, [1, 2, 3, 3])
    np.testing.assert_array_equal(truth, [1, 1, 2, 3])


def test_inside_is_strict_and_even_odd():
    square = np.array([[0, 0], [10, 0], [10, 10], [0, 10]], dtype=float)
    points = np.array([[5, 5], [0, 5], [10, 10], [5, 0], [11, 5], [np.nan, 5]], dtype=float)
    expected = [True, False, False, False, False, False]
    for polygon in (square, square[::-1], np.vstack([square, square[:1]])):
        np.testing.assert_array_equal(inside(points, polygon), expected)
    bow_tie = square[[0, 2, 1, 3]]
    np.testing.assert_array_equal(
        inside(np.array([[1.0, 5.0], [9.0, 5.0], [5.0, 1.0], [5.0, 5.0]]), bow_tie),
        [True, True, False, False],
    )
    # Twice around: every point is crossed an even number of times.
    assert not inside(points, np.vstack([square, square])).any()


def test_side_of_an_edge_is_exact_where_rounding_hides_it():
    start, end, point = np.array([0.9, 0.0]), np.array([0.2, 0.6]), np.array([0.34, 0.48])
    left, right = start - point, end - point
    assert left[0] * right[1] - left[1] * right[0] == 0  # in float64; exactly it is negative
    exact = [[Fraction(float(v)) for v in p] for p in (start, end, point)]
    (ax, ay), (bx, by), (px, py) = exact
    assert (ax - px) * (by - py) < (ay - py) * (bx - px)
    assert inside(point[None], np.array([start, end, [1.0, 1.0]])).all()
    assert not inside(point[None], np.array([start, end, [0.0, 0.0]])).any()


def test_persons_without_joints_go_only_where_there_are_regions(tmp_path):
    for name, count in (("odd_annopoints", 4), ("odd_annopoints_with_region", 2)):
        (video,) = scored_videos(*read_case(name, tmp_path / name))
        assert len(video.truth) == len(video.predictions) == count


def test_entries_and_row_hold_the_same_numbers(tmp_path):
    sides = read_case("joint_never_annotated_but_predicted", tmp_path)
    pooled = combine(evaluate(*sides).values())
    content = scores_content("poseval", pooled, average_precision(pooled))
    expected = POSEVAL["joint_never_annotated_but_predicted"]["expected"]["ap"]
    columns = ["head", "shoulder", "elbow", "wrist", "hip", "knee", "ankle", "total"]
    assert [content["ap"][column] for column in columns] == expected["table_ap"]
    assert list(content["ap"]["per_joint"].values()) == expected["ap"][:15]
    assert content["recall"]["ankle"] is None
    assert content["ap"]["total"] == expected["ap"][15] == total_ap(*sides)


def test_official_row_format():
    values = np.arange(16) * 6.25
    heading, row = official_table(values).splitlines()
    assert heading == r"& Head & Shou & Elb  & Wri  & Hip  & Knee & Ankl & Total\\"
    assert row == r"& 81.2 & 53.1 & 53.1 & 53.1 & 15.6 & 15.6 & 15.6 & 93.8 \\"


@pytest.mark.parametrize(
    ("modules", "unwanted"),
    [
        (
            "tdmi.evaluation.output, tdmi.evaluation.protocols.oks, tdmi.evaluation.tracking.mota",
            ("torch",),
        ),
        ("tdmi.evaluation.run, tdmi.cli.evaluate", ("torch", "scipy", "pandas", "cv2")),
    ],
)
def test_evaluation_never_imports_what_it_does_not_need(modules, unwanted):
    program = f"import sys, {modules}; print([m for m in {unwanted} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.stdout == "[]\n", done.stderr
