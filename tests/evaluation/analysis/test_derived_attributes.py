"""Size, speed, crowding and visibility of people, by hand."""

import numpy as np

from tdmi.data.annotations import NO_TRACK, UNSCORED, Annotations
from tdmi.data.skeletons import POSETRACK17
from tdmi.evaluation.analysis.derived_attributes import crowd_index, derived_attributes, speed


def people(rows: list[tuple[int, int, float]], numbers: list[int]) -> Annotations:
    """Upright people as (frame, track, x), head size 6; `numbers` are those of the frames."""
    frame, track, x = (np.array(column) for column in zip(*rows, strict=True))
    count, frames, joints = len(rows), len(numbers), len(POSETRACK17)
    keypoints = np.zeros((count, joints, 2))
    keypoints[..., 0] = x[:, None]
    keypoints[..., 1] = np.arange(joints) * 10.0
    return Annotations(
        skeleton=POSETRACK17,
        video_names=["000001_mpii_test"],
        frame_video=np.zeros(frames, dtype=np.int64),
        frame_index=np.arange(frames),
        frame_file=[f"images/val/000001_mpii_test/{n:06d}.jpg" for n in numbers],
        frame_id=1000 + np.arange(frames),
        frame_labelled=np.ones(frames, dtype=bool),
        frame_annotated=np.ones(frames, dtype=bool),
        ignore_regions=[[] for _ in numbers],
        person_frame=frame,
        track_id=track,
        keypoints=keypoints,
        present=np.ones((count, joints), dtype=bool),
        visible=np.ones((count, joints), dtype=bool),
        joint_score=np.full((count, joints), UNSCORED),
        box=np.full((count, 4), np.nan),
        head_box=np.tile([0.0, 0.0, 6.0, 8.0], (count, 1)),
        score=np.full(count, np.nan),
    )


def test_speed_is_the_way_per_frame_in_head_sizes():
    # 12 px in 2 frames, then 3 px in 1 frame: 6, mean of 6 and 3, and 3 px per frame.
    truth = people([(0, 5, 0.0), (1, 5, 12.0), (2, 5, 15.0)], [10, 12, 13])
    np.testing.assert_allclose(speed(truth), [6 / 6, 4.5 / 6, 3 / 6])


def test_speed_of_who_cannot_be_followed_is_unknown():
    rows = [(0, 1, 0.0), (0, 2, 0.0), (0, NO_TRACK, 0.0), (1, 2, 9.0), (1, NO_TRACK, 1.0)]
    assert np.isnan(speed(people(rows, [0, 5]))).all()  # five frames are too many
    found = speed(people(rows, [0, 4]))
    np.testing.assert_allclose(found, [np.nan, 9 / 4 / 6, np.nan, 9 / 4 / 6, np.nan])


def test_speed_counts_joints_that_both_labels_have():
    truth = people([(0, 1, 0.0), (1, 1, 6.0)], [0, 1])
    truth.keypoints[1, 3, 0] = 12.0
    truth.present[0, 4:] = False
    np.testing.assert_allclose(speed(truth), [(3 * 6 + 12) / 4 / 6] * 2)
    truth.present[0] = False
    assert np.isnan(speed(truth)).all()


def test_size_crowding_and_visible_fraction():
    truth = people([(0, 1, 50.0), (0, 2, 52.0), (0, 3, 500.0)], [0])
    truth.visible[0, :6] = False
    truth.box[0] = [40, 0, 30, 65]  # seven joints of person 2 (0 to 60 px)
    truth.box[1] = [400, 0, 200, 200]  # all 15 of person 3
    found = derived_attributes(truth)
    np.testing.assert_allclose(found["size"], 6)
    np.testing.assert_allclose(found["crowding"], [7 / 15, 1, 0])
    np.testing.assert_allclose(found["visible_fraction"], [9 / 15, 1, 1])
    # The Crowd Index has nobody in a box that is missing; here that box holds nobody anyway.
    np.testing.assert_allclose(found["crowding"].mean(), crowd_index(truth))
