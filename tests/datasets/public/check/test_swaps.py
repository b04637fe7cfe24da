"""Swapped left and right: found where they are, and not where people merely turn."""

import numpy as np
import pytest

from tdmi.data.annotations import select_frames
from tdmi.data.skeletons import HIEVE, POSETRACK17, POSETRACK18
from tdmi.datasets.public.check.swaps import beyond_chance, steps
from tests.support.check_trees import video

FILES = [f"images/v/{k:06d}.jpg" for k in range(40)]


def turning(seed, degrees_per_frame, skeleton=POSETRACK18, people=3, noise=1.0):
    """Walkers who turn about their own axis at up to this rate, labelled `noise` px inexactly."""
    rng = np.random.default_rng(seed)
    a = video("v", FILES, skeleton, people=people)
    rate = rng.uniform(-degrees_per_frame, degrees_per_frame, people)
    angle = np.radians(rng.uniform(0, 360, people)[a.track_id] + rate[a.track_id] * a.person_frame)
    middle = a.keypoints[:, skeleton.index("nose"), :1].copy()
    a.keypoints[..., 0] = middle + (a.keypoints[..., 0] - middle) * np.cos(angle)[:, None]
    a.keypoints += rng.normal(0, noise, a.keypoints.shape)
    return a


def swap(a, persons):
    order = a.skeleton.flip_order
    a.keypoints[persons] = a.keypoints[persons][:, order]
    return a


def flagged(*videos):
    found = [steps(a) for a in videos]
    return beyond_chance([s.compared for s in found], [len(s.reversed) for s in found]).tolist()


def test_a_person_seen_from_the_front_and_swapped_in_one_frame_reverses_twice():
    a = video("v", FILES, POSETRACK18, people=2)
    found = steps(swap(a, [20]))
    assert found.compared == 2 * 39
    assert found.reversed.tolist() == [20, 22]


def test_a_swap_that_lasts_reverses_where_it_starts_and_ends():
    a = video("v", FILES, POSETRACK18, people=1)
    assert steps(swap(a, slice(10, 25))).reversed.tolist() == [10, 25]


def test_hips_alone_swapped_count():
    a = video("v", FILES, POSETRACK18, people=1)
    hips = [POSETRACK18.index("left_hip"), POSETRACK18.index("right_hip")]
    a.keypoints[10, hips] = a.keypoints[10, hips[::-1]]
    assert steps(a).reversed.tolist() == [10, 11]


@pytest.mark.parametrize("skeleton", [POSETRACK17, POSETRACK18, HIEVE])
def test_every_tenth_label_swapped_is_found_in_any_joint_set(skeleton):
    for seed in range(20):
        a = turning(seed, 10, skeleton)
        rng = np.random.default_rng(seed)
        assert flagged(swap(a, rng.random(a.persons) < 0.1)) == [True]


def test_people_who_turn_up_to_20_degrees_per_frame_are_never_named():
    assert not any(flagged(*[turning(seed, 20) for seed in range(200)]))


def test_one_reversal_is_no_more_than_chance_and_the_bound_is_shared_by_the_videos():
    # P(at least 4 of 100 | 1 %) = 0.0184, P(at least 7) = 0.0000711 (binomial distribution).
    assert beyond_chance([100, 100], [4, 7]).tolist() == [False, True]
    assert beyond_chance([100] * 100, [7] * 100).tolist() == [False] * 100
    assert beyond_chance([0], [0]).tolist() == [False]
    assert beyond_chance([], []).tolist() == []


def test_side_views_and_people_far_apart_in_time_are_left_out():
    side = turning(0, 0, people=1, noise=0.0)
    middle = side.keypoints[:, :1, 0]
    side.keypoints[..., 0] = middle
    assert steps(side).compared == 0
    sparse = select_frames(video("v", FILES, POSETRACK18, 1), np.arange(40) % 6 == 0)
    assert steps(sparse).compared == 0
    dense = select_frames(video("v", FILES, POSETRACK18, 1), np.arange(40) % 4 == 0)
    assert steps(dense).compared == 9


def test_people_without_track_or_with_a_double_one_are_not_compared():
    a = video("v", FILES, POSETRACK18, people=2)
    a.track_id[:] = 0
    assert steps(a).compared == 39
    a.track_id[:] = np.iinfo(np.int64).min
    assert steps(a).compared == 0
