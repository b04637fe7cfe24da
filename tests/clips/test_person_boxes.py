"""Ground-truth boxes and the official geometry; numbers without a source are calculated by hand."""

import numpy as np
import pytest

from tdmi.clips.augmentation import Augmentation
from tdmi.clips.frames import FrameStore
from tdmi.clips.person_boxes import cleaned, clip_boxes, extent_boxes
from tdmi.clips.samples import CropOptions, TrainingSamples, Windows
from tdmi.core.errors import UserError
from tdmi.data.annotations import on_skeleton
from tdmi.data.skeletons import POSETRACK17
from tdmi.experiments.build import read_split
from tdmi.prediction.predict import ground_truth_boxes
from tests.support import tiny_dataset
from tests.support.golden import processing_cases


@pytest.mark.parametrize(
    ("box", "expected"),
    [
        ((10, 20, 30, 40), (10, 20, 29, 39)),  # inside: one pixel less
        ((-5, -6, 30, 40), (0, 0, 29, 39)),  # the width is kept, not the right edge
        ((90, 70, 30, 40), (90, 70, 9, 9)),  # cut at the last pixel, (99, 79)
        ((10, 20, 0.5, 40), (10, 20, 0, 39)),
        ((120, 20, 30, 40), (120, 20, -21, 39)),  # outside
        ((10.5, 20.25, 200, 200), (10.5, 20.25, 88.5, 58.75)),
    ],
)
def test_boxes_are_clipped_as_official_loaders_do(box, expected):
    clipped = clip_boxes(np.array([box], float), np.array([[100, 80]]))
    assert clipped[0].tolist() == list(expected)


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
    result = cleaned(truth, "official", root)
    assert ground_truth_boxes(result).frame.tolist() == [4]
    assert result.box[4].tolist() == [10, 20, 29, 39]
    assert cleaned(truth, "none", root) is truth


def test_frame_sizes_are_read_from_the_pictures_unless_stated(five):
    root, truth = five
    truth.box[:] = [100, 100, 500, 500]
    assert cleaned(truth, "official", root).box[0].tolist() == [100, 100, 59, 19]
    truth.frame_size[:] = [300, 200]
    assert cleaned(truth, "official", root / "nowhere").box[0].tolist() == [100, 100, 199, 99]
    truth.frame_size[2] = 0
    with pytest.raises(UserError, match=r"000002\.png: no such frame, expected one"):
        cleaned(truth, "official", root / "nowhere")
    (root / truth.frame_file[2]).write_bytes(b"not a picture")
    with pytest.raises(UserError, match=r"000002\.png: no picture, expected one"):
        cleaned(truth, "official", root)


def test_a_split_is_cleaned_for_training_and_prediction(five):
    root, _ = five
    settings = tiny_dataset.settings(root)
    raw = read_split(settings, "train")
    settings["crop"]["box_cleaning"] = "official"
    official = read_split(settings, "train")
    np.testing.assert_array_equal(ground_truth_boxes(official).box, raw.box - [0, 0, 1, 1])


def test_training_leaves_out_persons_without_a_box(five):
    root, truth = five
    truth.box[1:3] = np.nan
    windows = Windows(truth, FrameStore(root), (0,), CropOptions((64, 48)))
    assert TrainingSamples(windows, Augmentation(), 0).persons.tolist() == [0, 3, 4]


def test_boxes_from_joints_follow_their_rules():
    truth = tiny_dataset.annotations("test", frames=3)
    truth.present[:2] = False
    truth.present[0, [5, 8]] = True
    truth.keypoints[0, 5], truth.keypoints[0, 8] = (10, 100), (49, 119)
    truth.present[1, 7] = True
    truth.keypoints[1, 7] = (np.nan, 3)
    # Extent 39 x 19 from (10, 100); with the pixel 40 x 20, a tenth of which goes on each side.
    boxes = extent_boxes(truth, "detect_and_track")
    np.testing.assert_allclose(boxes[0], [6, 98, 48, 24])
    assert np.isnan(boxes[1]).all()
    boxes = extent_boxes(truth, "poseval")
    np.testing.assert_allclose(boxes[0], [10 - 0.15 * 39, 100 - 0.15 * 19, 1.3 * 39, 1.3 * 19])
    assert np.isnan(boxes[1]).all()
    assert np.isfinite(boxes[2]).all()
    with pytest.raises(UserError, match="rule: found 'mine'"):
        extent_boxes(truth, "mine")


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
