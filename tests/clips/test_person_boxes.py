"""Ground-truth boxes as official loaders clean them."""

import numpy as np
import pytest

from tdmi.clips.frames import FrameStore
from tdmi.clips.person_boxes import clean
from tdmi.clips.samples import TrainingSamples, Windows
from tdmi.config.inputs import Augmentation, Crop
from tdmi.core.errors import UserError
from tdmi.data.annotations import on_skeleton
from tdmi.data.skeletons import POSETRACK17
from tdmi.experiments.build import read_split
from tdmi.prediction.predict import ground_truth_boxes
from tests.support import tiny_dataset
from tests.support.golden import processing_cases


@pytest.fixture
def five(tmp_path):
    """Five frames of 160x120 with one person each, sizes not stated."""
    tiny_dataset.write(tmp_path)
    return tmp_path, tiny_dataset.annotations("test")


def test_official_cleaning_drops_who_has_no_joints_or_no_area(five):
    root, truth = five
    truth.box[:] = [10, 20, 30, 40]
    truth.keypoints[0], truth.visible[0] = 0, False
    truth.keypoints[1, 1:], truth.keypoints[1, 0], truth.visible[1] = 0, (-3, -4), False
    truth.area[2] = 0
    truth.box[3] = [200, 20, 30, 40]
    result = clean(truth, "official", root)
    assert ground_truth_boxes(result).frame.tolist() == [4]
    assert result.box[4].tolist() == [10, 20, 29, 39]
    assert clean(truth, "none", root) is truth


def test_frame_sizes_are_read_from_the_pictures_unless_stated(five):
    root, truth = five
    truth.box[:] = [100, 100, 500, 500]
    assert clean(truth, "official", root).box[0].tolist() == [100, 100, 59, 19]
    truth.frame_size[:] = [300, 200]
    assert clean(truth, "official", root / "nowhere").box[0].tolist() == [100, 100, 199, 99]
    truth.frame_size[2] = 0
    with pytest.raises(UserError, match=r"000002\.png: no such frame; restore it"):
        clean(truth, "official", root / "nowhere")
    (root / truth.frame_file[2]).write_bytes(b"not a picture")
    with pytest.raises(UserError, match=r"000002\.png: found no readable picture"):
        clean(truth, "official", root)


def test_a_split_is_cleaned_for_training_and_prediction(five):
    root, _ = five
    settings = tiny_dataset.settings(root)
    raw = read_split(tiny_dataset.typed(settings), "train")
    settings["crop"]["box_cleaning"] = "official"
    official = read_split(tiny_dataset.typed(settings), "train")
    np.testing.assert_array_equal(ground_truth_boxes(official).box, raw.box - [0, 0, 1, 1])


def test_training_leaves_out_persons_without_a_box(five):
    root, truth = five
    truth.box[1:3] = np.nan
    windows = Windows(truth, FrameStore(root), (0,), Crop((64, 48)))
    assert TrainingSamples(windows, Augmentation(), 0).persons.tolist() == [0, 3, 4]


@pytest.mark.golden
@pytest.mark.parametrize("case", processing_cases("keypoints_17_to_15"))
def test_predicted_joints_go_to_the_official_fifteen(case):
    """Order and scores of the evaluation's joints; the person's score is multiplied in by us."""
    people = tiny_dataset.annotations("test", frames=1)
    people.keypoints[0] = np.stack([case["x"], case["y"]], axis=1)
    people.present[:] = True
    people.joint_score[0] = np.array(case["score"]) * case["global_score"]
    fifteen = on_skeleton(people, POSETRACK17)
    np.testing.assert_allclose(fifteen.keypoints[0, :, 0], case["out_x"])
    np.testing.assert_allclose(fifteen.keypoints[0, :, 1], case["out_y"])
    np.testing.assert_allclose(fifteen.joint_score[0], case["out_score"])
