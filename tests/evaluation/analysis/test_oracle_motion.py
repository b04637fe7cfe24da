"""Predictions of neighbouring frames brought to the key frame by the labels' motion."""

from dataclasses import replace

import numpy as np
import pytest

from tdmi.core.errors import UserError
from tdmi.evaluation.analysis.oracle_motion import along_true_motion
from tdmi.formats import posetrack18
from tests.support.report_suite import VIDEOS, video_file


@pytest.fixture
def truth():
    """One video of two people who move in eight frames."""
    return posetrack18.parse(video_file(1, 0.0, 0, False), f"{VIDEOS[1]}.json")


def predicted(truth, error, score):
    """The truth off by `error` [N] px to the right, every joint with `score` [N]."""
    return replace(
        truth,
        keypoints=truth.keypoints + np.array([1.0, 0.0]) * np.asarray(error)[:, None, None],
        joint_score=np.tile(np.asarray(score, dtype=float)[:, None], (1, 17)),
    )


def test_what_is_exact_stays_exact_however_people_move(truth):
    exact = predicted(truth, np.zeros(truth.persons), np.full(truth.persons, 0.5))
    for rule in ("surest", "mean"):
        moved, neighbours = along_true_motion(exact, truth, 2, rule)
        np.testing.assert_allclose(
            moved.keypoints[truth.present], truth.keypoints[truth.present], atol=1e-9
        )
        np.testing.assert_allclose(moved.joint_score[truth.present], 0.5)
    # Frames 0 and 7 have two neighbours within two frames, 1 and 6 three, the others four.
    assert neighbours == 2 * (2 + 3 + 4 * 4 + 3 + 2)


def test_errors_join_as_by_hand(truth):
    frame = truth.frame_index[truth.person_frame]
    error, score = np.where(frame == 3, 4.0, 0.0), np.where(frame == 4, 0.9, 0.3)
    of = predicted(truth, error, score)
    key = frame == 3
    surest, _ = along_true_motion(of, truth, 1, "surest")
    off = (surest.keypoints - truth.keypoints)[key][truth.present[key]]
    np.testing.assert_allclose(off, 0, atol=1e-9)
    np.testing.assert_allclose(surest.joint_score[key][:, :3], 0.9)
    mean, _ = along_true_motion(of, truth, 1, "mean")
    off = (mean.keypoints - truth.keypoints)[key][truth.present[key]]
    # Frames 2, 3 and 4 with scores 0.3, 0.3 and 0.9.
    np.testing.assert_allclose(off, np.tile([4 * 0.3 / 1.5, 0], (len(off), 1)), atol=1e-9)
    np.testing.assert_allclose(mean.joint_score[key][:, :3], 0.5)


def test_joints_without_a_label_take_no_part(truth):
    hidden = truth.present.copy()
    frame = truth.frame_index[truth.person_frame]
    hidden[frame == 4] = False
    of = predicted(truth, np.where(frame == 4, 50.0, 2.0), np.where(frame == 4, 0.9, 0.3))
    moved, _ = along_true_motion(of, replace(truth, present=hidden), 1, "surest")
    off = (moved.keypoints - truth.keypoints)[frame != 4][truth.present[frame != 4]]
    np.testing.assert_allclose(off, np.tile([2.0, 0], (len(off), 1)), atol=1e-9)
    # Of frame 4 itself nothing is known but its own prediction.
    np.testing.assert_array_equal(moved.keypoints[frame == 4], of.keypoints[frame == 4])


def test_other_people_and_frames_out_of_reach_change_nothing(truth):
    frame = truth.frame_index[truth.person_frame]
    of = predicted(truth, frame * 1.0, np.full(truth.persons, 0.4))
    alone, neighbours = along_true_motion(of, truth, 0, "mean")
    np.testing.assert_array_equal(alone.keypoints, of.keypoints)
    assert neighbours == 0
    strangers = replace(of, track_id=of.track_id + 100)
    alone, neighbours = along_true_motion(strangers, truth, 2, "mean")
    np.testing.assert_array_equal(alone.keypoints, of.keypoints)
    assert neighbours == 0
    with pytest.raises(UserError, match="rule"):
        along_true_motion(of, truth, 2, "best")
