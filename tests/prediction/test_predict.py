from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn

from tdmi.clips.crops import DEVIATION, MEAN, normalise
from tdmi.config.inference import Inference
from tdmi.core.errors import UserError
from tdmi.data.annotations import NO_PERSON_ID
from tdmi.data.detections import Detections, read_detections
from tdmi.experiments.build import read_split, split_windows
from tdmi.models.output import PoseOutput
from tdmi.prediction.predict import Boxes, detected_boxes, ground_truth_boxes, predict
from tests.support import tiny_dataset


class Brightness(nn.Module):
    """Every joint's heatmap is the brightness of one frame of the window, four times smaller."""

    frame_cue = None

    def __init__(self, index):
        super().__init__()
        self.index = index

    def forward(self, frames, offsets):
        light = frames[:, self.index].mean(dim=1, keepdim=True)
        light = (light - light.amin(dim=(2, 3), keepdim=True)).pow(2)
        return PoseOutput(nn.functional.avg_pool2d(light, 4).repeat(1, 17, 1, 1))


@pytest.fixture
def one_blob(tmp_path):
    """Windows on a data set where only the nose is drawn, so that the brightest spot is known."""
    tiny_dataset.write(tmp_path)
    import cv2

    truth = tiny_dataset.annotations("test")
    for row, file in enumerate(truth.frame_file):
        nose = np.arange(17) == 0
        cv2.imwrite(str(tmp_path / file), tiny_dataset.draw(truth.keypoints[row], nose))
    settings = tiny_dataset.settings(tmp_path)
    settings["crop"] = {"size": [256, 192], "sigma": 2}
    return split_windows(
        tiny_dataset.typed(settings),
        read_split(tiny_dataset.typed(settings), "test"),
        (-2, -1, 0, 1, 2),
    )


@pytest.mark.parametrize("flip", [False, True])
@pytest.mark.parametrize("decoder", ["dark", "quarter", "argmax"])
def test_predictions_land_on_the_blob_in_the_full_frame(one_blob, flip, decoder):
    truth = one_blob.annotations
    boxes = ground_truth_boxes(truth)
    options = Inference(flip=flip, decoder=decoder, blur_kernel=3, batch_size=2)
    predicted = predict(Brightness(2), one_blob, boxes, options)
    error = np.abs(predicted.keypoints[:, 0] - truth.keypoints[:, 0])
    assert error.max() < {"dark": 0.25, "quarter": 0.7, "argmax": 1.3}[decoder]
    assert not predicted.present[:, tiny_dataset.EARS].any()


def test_people_without_joints_get_no_ground_truth_box():
    truth = tiny_dataset.annotations("test")
    truth.present[1] = False
    truth.box[2, 2] = 0
    assert ground_truth_boxes(truth).frame.tolist() == [0, 3, 4]


def test_window_is_given_in_order(one_blob):
    """The slot before the key frame shows the blob two pixels to the left, where it exists."""
    truth = one_blob.annotations
    options = Inference(flip=False, blur_kernel=3)
    predicted = predict(Brightness(1), one_blob, ground_truth_boxes(truth), options)
    shift = predicted.keypoints[:, 0, 0] - truth.keypoints[:, 0, 0]
    np.testing.assert_allclose(shift, [0, 0, -2, -2, -2], atol=0.25)


def test_scores_are_heatmap_maximum_times_box_score(one_blob):
    boxes = ground_truth_boxes(one_blob.annotations)
    halved = Boxes(boxes.frame, boxes.box, boxes.score * 0.5)
    options = Inference(blur_kernel=3)
    full = predict(Brightness(2), one_blob, boxes, options).joint_score
    half = predict(Brightness(2), one_blob, halved, options).joint_score
    np.testing.assert_allclose(half, full / 2)
    assert full[:, 0].min() > 0


def test_doubled_boxes_give_one_person_where_duplicates_are_suppressed(one_blob):
    boxes = ground_truth_boxes(one_blob.annotations)
    twice = Boxes(
        np.repeat(boxes.frame, 2), np.repeat(boxes.box, 2, axis=0), np.tile([0.5, 1.0], 5)
    )
    options = Inference(flip=False, blur_kernel=3, rescoring="mean_joint")
    plain = predict(Brightness(2), one_blob, twice, options)
    kept = predict(Brightness(2), one_blob, twice, replace(options, suppression=0.9))
    assert plain.persons == 10 and kept.persons == 5
    np.testing.assert_array_equal(kept.joint_score, plain.joint_score[1::2])
    np.testing.assert_allclose(plain.score[::2], plain.score[1::2] / 2)
    # The stand-in's maps are all alike, so the mean over the joints is each joint's score.
    np.testing.assert_allclose(kept.score, kept.joint_score[:, 0])


def test_predictions_take_no_column_over_from_the_labels(one_blob):
    """Fewer boxes than labelled persons, who have ids, actions, areas and head boxes."""
    truth = one_blob.annotations
    truth.track_id[:] = 5
    truth.person_id[:], truth.action[:], truth.area[:] = 7, ["walk"] * 5, 99
    boxes = ground_truth_boxes(truth)
    two = Boxes(boxes.frame[:2], boxes.box[:2], boxes.score[:2])
    predicted = predict(Brightness(2), one_blob, two, Inference(blur_kernel=3))
    assert predicted.track_id.tolist() == [0, 0]
    assert predicted.person_id.tolist() == [NO_PERSON_ID] * 2
    assert predicted.action == ["", ""]
    assert np.isnan(predicted.area).all()
    assert np.isnan(predicted.head_box).all()
    assert len(predicted.crowd) == len(predicted.keypoints) == 2


def test_detected_boxes_are_filtered_and_ordered(tmp_path):
    tiny_dataset.write(tmp_path)
    truth = tiny_dataset.annotations("val")
    truth.frame_labelled[4] = False
    box = np.array([1.0, 2.0, 3.0, 4.0])
    ids = truth.frame_id[[3, 0, 3, 4, 1, 2, 2]]
    category = np.array([1, 1, 1, 1, 2, 1, 1])
    score = np.array([0.9, 0.8, 0.7, 0.9, 0.9, 0.1, 0.2])
    boxes = detected_boxes(truth, Detections(ids, category, np.tile(box, (7, 1)), score), 0.2)
    assert boxes.frame.tolist() == [0, 2, 3, 3]
    assert boxes.score.tolist() == [0.8, 0.2, 0.9, 0.7]
    other = read_detections(tmp_path / "boxes" / "test.json")
    with pytest.raises(
        UserError, match="image_id 39000030000 and 4 more are in no annotated video"
    ):
        detected_boxes(truth, other, 0.2)


def test_normalise_moves_channels_and_scales():
    frames = np.zeros((2, 3, 4, 5, 3), np.uint8)
    frames[..., 0] = 255
    tensor = normalise(frames)
    assert tensor.shape == (2, 3, 3, 4, 5)
    expected = [(v - m) / d for v, m, d in zip((255, 0, 0), MEAN, DEVIATION, strict=True)]
    torch.testing.assert_close(tensor[0, 0, :, 0, 0], torch.tensor(expected))
