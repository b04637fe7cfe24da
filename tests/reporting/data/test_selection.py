"""Errors on people, and the rules that choose whom to show."""

import json
import math

import numpy as np
import pandas as pd

from tdmi.formats import posetrack18
from tdmi.reporting.data import selection
from tests.support.report_suite import video_file

HEAD = 0.6 * math.hypot(24, 30)


def annotations(tmp_path, name: str, change=lambda record: None):
    content = video_file(1, 0, 0, name == "prediction")
    for record in content["annotations"]:
        change(record)
    path = tmp_path / name / "900002_mpiinew_mocap.json"
    path.parent.mkdir()
    path.write_text(json.dumps(content))
    return posetrack18.read_file(path)


def shifted(pixels: float):
    def change(record):
        points = np.array(record["keypoints"]).reshape(-1, 3)
        points[points[:, 2] > 0, 0] += pixels
        record["keypoints"] = points.ravel().tolist()
        record["id"] = -record["id"]

    return change


def test_a_shift_of_every_joint_is_the_error_in_head_sizes(tmp_path):
    truth = annotations(tmp_path, "truth")
    prediction = annotations(tmp_path, "prediction", shifted(6))
    distances, matches = selection.joint_distances(truth, prediction, selection.head_sizes(truth))
    assert matches.tolist() == list(range(truth.persons))
    np.testing.assert_allclose(distances[truth.present], 6 / HEAD)
    assert np.isnan(distances[~truth.present]).all()


def test_persons_are_matched_by_place_and_not_by_order(tmp_path):
    truth = annotations(tmp_path, "truth")
    prediction = annotations(tmp_path, "prediction")
    prediction.keypoints[:2] = prediction.keypoints[:2][::-1]
    distances, matches = selection.joint_distances(truth, prediction, selection.head_sizes(truth))
    assert matches[:2].tolist() == [1, 0]
    assert np.nanmax(distances) == 0


def test_a_person_that_nobody_predicted_has_the_largest_error(tmp_path):
    truth = annotations(tmp_path, "truth")
    prediction = annotations(tmp_path, "prediction")
    prediction.person_frame[prediction.person_frame == 3] = 2
    distances, matches = selection.joint_distances(truth, prediction, selection.head_sizes(truth))
    lost = truth.person_frame == 3
    assert (matches[lost] == -1).all()
    assert np.nanmin(distances[lost]) == selection.CAP


def test_the_rule_picks_what_a_hand_calculation_picks():
    single = [0.1, 0.9, 0.5, 0.2, 0.8, 0.3]
    other = [0.1, 0.8, 0.1, 0.7, 0.7, 0.2]
    # spread:  0    0.1  0.4  0.5  0.1  0.1
    table = pd.DataFrame(
        {
            "person": range(6),
            "video": ["a", "a", "b", "b", "c", "d"],
            "frame": range(6),
            "track_id": [0, 0, 0, 0, 0, 0],
            "single": single,
            "other": other,
        }
    )
    chosen = selection.choose(table, ["single", "other"], "single", disagree=2, hard=2)
    # Disagree: row 3 (0.5); row 2 (0.4) is the same person as row 3, so the first row of 0.1.
    # Hard: of the rest 4 (0.8), then 2 (0.5). Typical: the lower median of `single` is 0.3.
    assert list(zip(chosen.rule, chosen.person, strict=True)) == [
        (selection.DISAGREE, 3),
        (selection.DISAGREE, 1),
        (selection.HARD, 4),
        (selection.HARD, 2),
        (selection.TYPICAL, 5),
    ]


def disagreement(spread: list[float]) -> pd.DataFrame:
    """Rows of persons 0 (first video), 1 and 2 (second), whose two methods differ by `spread`."""
    return pd.DataFrame(
        {
            "video": ["a"] * 4 + ["b"] * 4,
            "track_id": [0] * 4 + [1, 2, 1, 1],
            "frame": [0, 1, 2, 3, 5, 5, 7, 6],
            "one": 0.5,
            "other": 0.5 + np.array(spread),
        }
    )


def test_a_method_that_is_always_behind_does_not_choose():
    errors = np.full((3, 11), 0.2)
    errors[:, 0] = [0.9, 0.3, 0.2]  # one method, far behind on the first person
    errors[:, 1:4] = [[0.2], [0.3], [0.2]]  # four of eleven differ on the second
    table = pd.DataFrame(errors, columns=[f"m{i}" for i in range(11)])
    np.testing.assert_allclose(selection.spreads(table, list(table)), [0, 0.1, 0])


def test_the_clip_is_the_stretch_of_one_person_where_methods_differ_most():
    # Single rows differ most at the end of `a`, but two successive ones most at frames 6 and 7 of
    # person 1, whose rows stand in disorder; row 3 and row 4 are not the same person.
    table = disagreement([0.1, 0.1, 0.1, 0.4, 0.0, 0.4, 0.3, 0.3])
    chosen = selection.clip(table, ["one", "other"], 2)
    assert list(zip(chosen.video, chosen.track_id, chosen.frame, strict=True)) == [
        ("b", 1, 6), ("b", 1, 7)
    ]  # fmt: skip


def test_a_clip_is_as_long_as_the_longest_person_at_most():
    table = disagreement([0.1, 0.1, 0.1, 0.1, 0.4, 0.4, 0.4, 0.4])
    assert selection.clip(table, ["one", "other"], 9).frame.tolist() == [0, 1, 2, 3]


def test_along_a_video_each_stretch_gives_its_largest_spread():
    table = disagreement([0.1, 0.2, 0.0, 0.0, 0.4, 0.5, 0.3, 0.6])
    assert selection.one_per_stretch(table, ["one", "other"], 3).index.tolist() == [1, 5, 7]
    assert len(selection.one_per_stretch(table, ["one", "other"], 20)) == 8


def test_a_person_with_few_labelled_joints_is_no_candidate(tmp_path):
    truth = annotations(tmp_path, "truth")
    truth.present[4, : 17 - 7] = False
    table = selection.candidates(truth, {"m": np.zeros(truth.persons)})
    assert 4 not in set(table.person)
    assert len(table) == truth.persons - 1
