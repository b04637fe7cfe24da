"""HiEve's pose labels: by hand, round trips, refusals, damage, and the splits."""

import tempfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tdmi.core.errors import UserError
from tdmi.core.files import write_json
from tdmi.data.annotations import NO_TRACK, UNSCORED
from tdmi.data.skeletons import HIEVE, POSETRACK18
from tdmi.formats import hieve
from tdmi.formats.hieve import annolist
from tests.support.annotation_sets import assert_read_or_refused
from tests.support.hieve_samples import labels, one_line, scene
from tests.support.mutations import mutated_json
from tests.support.posetrack17_samples import assert_same_bits


def test_pose_labels_by_hand():
    a = annolist.parse(labels(), "labels/7.json")
    assert a.skeleton == HIEVE and a.video_names == ["7"]
    assert a.frame_file == [f"images/7/0000{n}.jpg" for n in (10, 11, 12)]
    assert a.frame_number.tolist() == [10, 11, 12]
    assert a.frame_annotated.tolist() == a.frame_labelled.tolist() == [True, True, False]
    assert a.person_frame.tolist() == [0, 1, 1]
    assert a.track_id.tolist() == [3, 4, 3]
    assert a.box.tolist() == [[5, 6, 40, 100], [1, 2, 2, 3], [5, 6, 40, 100]]
    assert np.isnan(a.head_box).all()
    assert [HIEVE.joints[j] for j in np.flatnonzero(a.present[0])] == [
        "nose", "chest", "left_ankle",
    ]  # fmt: skip
    assert not a.present[1].any()
    assert a.keypoints[0, 13].tolist() == [23, 33.5]
    assert a.joint_score[0, [0, 1, 2]].tolist() == [1, 0, UNSCORED]
    assert a.score[0] == 0.5 and np.isnan(a.score[1])


@pytest.mark.parametrize("seed", range(3))
def test_pose_labels_round_trip(tmp_path, seed):
    a = scene(seed=seed)
    annolist.write_folder(a, tmp_path)
    assert_same_bits(annolist.read_file(tmp_path / "7.json"), a)


def test_regions_and_missing_values_come_back(tmp_path):
    a = scene()
    a.ignore_regions[0] = [np.array([[0, 0], [5.5, 0], [5, 5]]), np.zeros((0, 2))]
    a.box[0], a.score[1], a.track_id[2] = np.nan, np.nan, NO_TRACK
    a.joint_score[3] = UNSCORED
    annolist.write_folder(a, tmp_path)
    assert_same_bits(annolist.read_file(tmp_path / "7.json"), a)


def test_a_repeated_joint_counts_once():
    content = labels()
    points = content["annolist"][0]["annorect"][0]["annopoints"][0]["point"]
    points.append({"id": [0], "x": [99], "y": [99]})
    assert annolist.parse(content, "7.json").keypoints[0, 0].tolist() == [10, 20.5]


def test_joints_of_another_data_set_are_refused_by_number():
    content = labels()
    content["annolist"][0]["annorect"][0]["annopoints"][0]["point"][0]["id"] = [14]
    with pytest.raises(UserError, match=r"annorect\[0\].*joint 14, expected 0 to 13") as error:
        annolist.parse(content, "x/7.json")
    assert one_line(error, "x/7.json")


@given(st.lists(st.floats(-1e4, 1e4), min_size=4, max_size=4))
@settings(max_examples=100, derandomize=True, deadline=None, database=None)
def test_corners_give_the_same_box_again(corners):
    content = labels()
    content["annolist"] = content["annolist"][:1]
    for key, value in zip(("x1", "y1", "x2", "y2"), corners, strict=True):
        content["annolist"][0]["annorect"][0][key] = [value]
    read = annolist.parse(content, "7.json")
    with tempfile.TemporaryDirectory() as folder:
        annolist.write_folder(read, folder)
        again = annolist.read_file(Path(folder, "7.json"))
    assert again.box.tolist() == read.box.tolist()


def test_a_box_without_all_corners_is_refused():
    content = labels()
    del content["annolist"][0]["annorect"][0]["x2"]
    with pytest.raises(UserError, match=r"annorect\[0\]: found some of x1, y1, x2, y2") as error:
        annolist.parse(content, "x/7.json")
    assert one_line(error, "x/7.json")


def test_numbers_that_are_not_finite_are_refused():
    content = labels()
    content["annolist"][0]["annorect"][0]["annopoints"][0]["point"][1]["y"] = [float("nan")]
    with pytest.raises(UserError, match=r"annolist\[0\]\.annorect\[0\].*point\[1\]: y: found nan"):
        annolist.parse(content, "7.json")


def test_labels_of_several_videos_have_image_ids_of_their_own(tmp_path):
    for video in ("4", "12"):
        write_json(tmp_path / f"HIE20/labels/train/track2&3/{video}.json", labels())
    a = hieve.read_labels(tmp_path, ["12", "4"])
    assert a.video_names == ["12", "4"]
    assert a.frame_id.tolist() == [12000010, 12000011, 12000012, 4000010, 4000011, 4000012]
    assert a.frame_file[3] == "images/4/000010.jpg"
    with pytest.raises(UserError, match=r"5\.json: no such file, expected the pose labels") as e:
        hieve.read_labels(tmp_path, ["4", "5"])
    assert one_line(e, "5.json")


def test_the_split_is_a_partition_of_the_labelled_videos():
    numbers = sorted(int(v) for v in (*hieve.TRAIN_VIDEOS, *hieve.VALIDATION_VIDEOS))
    assert numbers == list(range(1, 20))
    assert hieve.VALIDATION_VIDEOS == ("4", "8", "12", "16")
    assert [int(v) for v in hieve.TEST_VIDEOS] == list(range(20, 33))


def test_another_joint_set_is_not_written(tmp_path):
    with pytest.raises(UserError, match="joints are posetrack18, expected hieve"):
        annolist.write_folder(replace(scene(), skeleton=POSETRACK18), tmp_path)
    assert list(tmp_path.iterdir()) == []


@settings(max_examples=200, derandomize=True, deadline=None, database=None)
@given(seed=st.integers(0, 2**32 - 1))
def test_damaged_files_are_read_or_refused_in_one_line(seed):
    assert_read_or_refused(annolist.read_file, mutated_json(labels(), seed))
