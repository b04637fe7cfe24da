"""Motion clips: forward kinematics against hand calculation, mirroring, retargeting, splits."""

import json

import numpy as np
import pytest

from tdmi.core.errors import UserError
from tdmi.datasets.mocap.families import FAMILIES, load_library
from tdmi.datasets.mocap.kinematics import (
    LENGTHS,
    OFFSETS,
    POINTS,
    P,
    about_z,
    forward_kinematics,
    mirror,
    replace_arms,
    retarget,
    rotation_matrices,
)
from tdmi.datasets.mocap.motion import RATE, TURNS, Clip, read_pybullet, read_world_positions
from tests.support.mocap_sources import frames_of, make_sources, world_joints

STILL = np.array([[1.0, 0.0, 0.0, 0.0]])


def still_turns():
    return {name: STILL for name in TURNS}


def test_identity_rotations_give_the_offsets():
    root = np.array([[1.0, 2.0, 3.0]])
    points = forward_kinematics(root, still_turns())[0]
    for child, (parent, offset) in OFFSETS.items():
        np.testing.assert_allclose(points[P[child]] - points[P[parent]], offset, atol=1e-12)
    # Pelvis to wrist added up by hand: chest + shoulder + elbow + wrist heights.
    height = 2.0 + 0.236151 + 0.2435 - 0.274788 - 0.258947
    np.testing.assert_allclose(points[P["right_wrist"]], [1 - 0.02405, height, 3.18311], atol=1e-12)


def test_a_quarter_turn_of_the_knee_points_the_shank_backwards():
    turns = still_turns() | {"right_knee": about_z(np.array([-np.pi / 2]))}
    points = forward_kinematics(np.zeros((1, 3)), turns)[0]
    shank = points[P["right_ankle"]] - points[P["right_knee"]]
    np.testing.assert_allclose(shank, [-0.40987, 0.0, 0.0], atol=1e-12)


def test_turns_add_up_along_the_chain():
    third = about_z(np.array([np.pi / 3]))
    turns = still_turns() | {"pelvis": third, "chest": third, "right_shoulder": third}
    points = forward_kinematics(np.zeros((1, 3)), turns)[0]
    # Three times 60 degrees: the hanging arm points straight up.
    arm = points[P["right_elbow"]] - points[P["right_shoulder"]]
    np.testing.assert_allclose(arm, [0.0, 0.274788, 0.0], atol=1e-12)


def test_quaternion_about_y_turns_x_to_minus_z():
    half = np.sqrt(0.5)
    turned = rotation_matrices(np.array([half, 0.0, half, 0.0])) @ np.array([1.0, 0.0, 0.0])
    np.testing.assert_allclose(turned, [0.0, 0.0, -1.0], atol=1e-12)


def test_files_are_read_at_the_common_rate(tmp_path):
    frames = frames_of(0.0)
    path = tmp_path / "clip.txt"
    path.write_text(json.dumps({"Frames": frames.tolist()}))
    clip = read_pybullet(path)
    assert clip.seconds == pytest.approx(39 / 30, abs=1 / RATE)
    # 30 frames a second are every fourth of ours.
    pelvis = clip.points[::4, P["pelvis"]]
    np.testing.assert_allclose(pelvis, frames[: len(pelvis), 1:4], atol=1e-9)
    lengths = np.linalg.norm(clip.points[:, P["left_knee"]] - clip.points[:, P["left_hip"]], axis=1)
    np.testing.assert_allclose(lengths, LENGTHS["left_knee"], atol=1e-9)


def test_world_positions_keep_the_sides_and_look_ahead(tmp_path):
    np.save(tmp_path / "clip.npy", world_joints())
    points = read_world_positions(tmp_path / "clip.npy").points[0]
    assert points[P["right_hip"], 2] > 0 > points[P["left_hip"], 2]
    assert points[P["nose"], 0] > points[P["head"], 0] + 0.5
    assert points[P["neck"], 1] == pytest.approx(1.45)


@pytest.mark.parametrize("text", ["", "{}", "[]", '{"Frames": [[1, 2], [3, 4]]}', '{"Frames": 5}'])
def test_other_files_are_refused_by_name(tmp_path, text):
    path = tmp_path / "odd.txt"
    path.write_text(text)
    with pytest.raises(UserError, match=r"odd\.txt"):
        read_pybullet(path)


def test_mirroring_twice_is_nothing_and_once_swaps_sides():
    points = np.random.default_rng(0).normal(size=(3, len(POINTS), 3))
    np.testing.assert_array_equal(mirror(mirror(points)), points)
    flipped = mirror(points)
    np.testing.assert_array_equal(
        flipped[:, P["left_wrist"]], points[:, P["right_wrist"]] * [1, 1, -1]
    )


def test_retarget_sets_lengths_and_keeps_directions():
    points = forward_kinematics(np.array([[0.0, 0.9, 0.0]]), still_turns())
    scale = {name: 1.0 for name in LENGTHS} | {"left_elbow": 1.5}
    longer = retarget(points, scale)[0]
    arm = longer[P["left_elbow"]] - longer[P["left_shoulder"]]
    np.testing.assert_allclose(arm, [0.0, -1.5 * 0.274788, 0.0], atol=1e-12)
    np.testing.assert_allclose(longer[P["right_wrist"]], points[0, P["right_wrist"]], atol=1e-12)


def test_arms_follow_the_trunk_they_are_put_on():
    standing = forward_kinematics(np.zeros((1, 3)), still_turns())
    raised = forward_kinematics(
        np.zeros((1, 3)), still_turns() | {"left_shoulder": about_z(np.array([np.pi / 2]))}
    )
    lying = forward_kinematics(
        np.zeros((1, 3)), still_turns() | {"pelvis": about_z(np.array([np.pi / 2]))}
    )
    mixed = replace_arms(lying, raised)[0]
    # Raised forward (+x) on a trunk that lies on its back becomes up (+y).
    arm = mixed[P["left_elbow"]] - mixed[P["left_shoulder"]]
    np.testing.assert_allclose(arm, [0.0, 0.274788, 0.0], atol=1e-12)
    np.testing.assert_array_equal(mixed[P["left_knee"]], lying[0, P["left_knee"]])
    same = replace_arms(standing, standing)
    np.testing.assert_allclose(same, standing, atol=1e-12)


def test_clips_play_to_and_fro():
    points = np.zeros((13, len(POINTS), 3))
    points[:, :, 0] = np.arange(13)[:, None]
    clip = Clip("ramp", points, grounded=True)
    seconds = np.array([0.0, 0.05, 0.1, 0.15, 0.2, 0.25])
    np.testing.assert_allclose(clip.at(seconds)[:, 0, 0], [0, 6, 12, 6, 0, 6], atol=1e-9)


def test_no_clip_is_in_two_splits(tmp_path):
    sources = make_sources(tmp_path)
    names = {
        split: {clip.name for _, clip in load_library(sources, split)}
        for split in ("train", "val", "test")
    }
    assert names["train"].isdisjoint(names["val"] | names["test"])
    assert names["val"].isdisjoint(names["test"])
    assert sum(map(len, names.values())) == 25
    # Siblings by name: the two dances, the two getups, everything that kicks or spins.
    homes = {clip: family.split for family in FAMILIES for clip in family.clips}
    for stem in ("dance", "getup", "turn", "kick", "spin", "climb"):
        assert len({split for clip, split in homes.items() if stem in clip}) == 1, stem


def test_missing_clip_names_the_command(tmp_path):
    with pytest.raises(UserError, match="tdmi data fetch pybullet"):
        load_library(tmp_path, "test")
