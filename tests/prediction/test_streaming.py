import cv2
import numpy as np
import pytest
import torch
from torch import nn

from tdmi.clips.crops import crop_matrix, invert, transform
from tdmi.config.inference import Inference
from tdmi.core.errors import UserError
from tdmi.experiments.build import build_method, read_split, split_windows
from tdmi.models.output import PoseOutput
from tdmi.prediction import streaming
from tdmi.prediction.predict import Boxes, ground_truth_boxes, predict
from tdmi.prediction.streaming import between_crops, linked
from tests.support import tiny_dataset

CLASSES = {
    "temporal_concatenation": "baselines.temporal_concatenation.TemporalConcatenation",
    "dcpose": "baselines.dcpose.DCPose",
    "tdmi": "tdmi.models.tdmi.TDMI",
    "tdmi_st": "tdmi.models.tdmi_st.TDMIST",
}


def people(frames, boxes, videos=None, reach=4):
    """Rows of each person's boxes."""
    videos = np.zeros(len(frames), int) if videos is None else np.array(videos)
    person = linked(videos, np.array(frames), np.array(boxes), reach)
    return sorted(np.flatnonzero(person == p).tolist() for p in set(person.tolist()))


def test_boxes_are_linked_while_windows_share_frames_and_boxes_overlap():
    here, there = [10.0, 20.0, 60.0, 80.0], [200.0, 20.0, 60.0, 80.0]
    assert people([0, 1, 2], [here, here, there]) == [[0, 1], [2]]
    assert people([0, 4, 9], [here] * 3) == [[0, 1], [2]]
    assert people([3, 2, 0], [here] * 3) == [[0, 1, 2]]
    assert people([1, 2], [here] * 2, videos=[0, 1]) == [[0], [1]]
    assert people([0, 0], [here] * 2, reach=0) == [[0], [1]]


def test_people_side_by_side_are_not_exchanged():
    left, right = [10.0, 20.0, 60.0, 100.0], [50.0, 20.0, 60.0, 100.0]
    step = np.array([3.0, 0, 0, 0])
    assert people([0, 0, 1, 1], [left, right, right + step, left + step]) == [[0, 3], [1, 2]]


def test_places_move_between_crops_as_through_the_frame():
    size = (96, 72)
    key = crop_matrix(np.array([50.0, 40.0]), 60.0, size)
    other = crop_matrix(np.array([58.0, 37.0]), 66.0, size)
    for stride in (1, 4):
        cells = np.array([[0.0, 0.0], [10.0, 3.0]])
        pixels = (cells + 0.5) * stride - 0.5
        expected = transform(transform(pixels, invert(key)), other)
        extent = np.array([72, 96]) / stride
        units = (2 * cells + 1) / extent - 1
        moved = (transform(units, between_crops(key, other, size)) + 1) * extent / 2 - 0.5
        np.testing.assert_allclose((moved + 0.5) * stride - 0.5, expected)
    np.testing.assert_allclose(between_crops(key, key, size), np.eye(2, 3), atol=1e-12)


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    root = tmp_path_factory.mktemp("dots")
    tiny_dataset.write(root)
    return root


def prepared(root, name):
    """A method of random weights whose every part matters, and the test split's windows."""
    settings = tiny_dataset.settings(root)
    settings["method"] |= {"name": name, "class": CLASSES[name]}
    settings["crop"] = {"size": [96, 72], "sigma": 1.5}
    torch.manual_seed(0)
    method = build_method(tiny_dataset.typed(settings))
    with torch.no_grad():
        for parameter in method.parameters():
            parameter.add_(0.02 * torch.randn_like(parameter))
    return method, split_windows(
        tiny_dataset.typed(settings),
        read_split(tiny_dataset.typed(settings), "test"),
        method.window,
    )


def predicted(method, windows, boxes, **options):
    options = Inference(decoder="argmax", batch_size=2, **options)
    return predict(method, windows, boxes, options)


def one_box(windows):
    """The same box, which holds the person in all five frames, for every frame."""
    own = ground_truth_boxes(windows.annotations)
    low = own.box[:, :2].min(axis=0)
    high = (own.box[:, :2] + own.box[:, 2:]).max(axis=0)
    box = np.tile(np.concatenate([low, high - low]), (len(own.frame), 1))
    return Boxes(own.frame, box, own.score)


@pytest.mark.parametrize("flip", [False, True])
@pytest.mark.parametrize("name", CLASSES)
def test_equal_boxes_give_the_exact_result_from_one_pass_per_frame(root, monkeypatch, name, flip):
    method, windows = prepared(root, name)
    boxes = one_box(windows)
    exact = predicted(method, windows, boxes, flip=flip)
    passes, features = [], method.features
    monkeypatch.setattr(
        method, "features", lambda frames, depths: passes.append(frames) or features(frames, depths)
    )
    streamed = predicted(method, windows, boxes, flip=flip, streaming=True)
    assert sum(frames.shape[1] for frames in passes) == windows.annotations.frames * (1 + flip)
    np.testing.assert_allclose(streamed.joint_score, exact.joint_score, rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(streamed.keypoints, exact.keypoints)
    assert np.ptp(exact.joint_score) > 1e-3


def test_boxes_that_share_nothing_give_the_exact_result_in_their_order(root, monkeypatch):
    method, windows = prepared(root, "tdmi")
    boxes = ground_truth_boxes(windows.annotations)
    exact = predicted(method, windows, boxes, flip=False)
    shared = predicted(method, windows, boxes, flip=False, streaming=True)
    assert not np.allclose(shared.joint_score, exact.joint_score, rtol=1e-3)
    monkeypatch.setattr(streaming, "OVERLAP", 1.1)
    alone = predicted(method, windows, boxes, flip=False, streaming=True)
    np.testing.assert_allclose(alone.keypoints, exact.keypoints)
    np.testing.assert_allclose(alone.joint_score, exact.joint_score, rtol=1e-4, atol=1e-6)


class NeighbourBrightness(nn.Module):
    """Every joint's heatmap is the brightness of one frame of the window."""

    streams, feature_depths, window = True, None, (-2, -1, 0, 1, 2)

    def __init__(self, index):
        super().__init__()
        self.index = index

    def features(self, frames, depths):
        light = frames.mean(dim=2).flatten(0, 1)
        light = (light - light.amin(dim=(1, 2), keepdim=True)).pow(2)
        return [nn.functional.avg_pool2d(light[None], 4).unflatten(1, (-1, 1))]

    def aggregate(self, features, offsets):
        return PoseOutput(features[0][:, self.index].repeat(1, 17, 1, 1))


@pytest.mark.parametrize("flip", [False, True])
def test_neighbours_are_moved_into_the_crop_of_the_key_frame(root, tmp_path, flip):
    """The nose alone is drawn; boxes move and grow from frame to frame."""
    tiny_dataset.write(tmp_path)
    truth = tiny_dataset.annotations("test")
    nose = np.arange(17) == 0
    for row, file in enumerate(truth.frame_file):
        cv2.imwrite(str(tmp_path / file), tiny_dataset.draw(truth.keypoints[row], nose))
    settings = tiny_dataset.settings(tmp_path)
    settings["crop"] = {"size": [256, 192], "sigma": 2}
    windows = split_windows(
        tiny_dataset.typed(settings),
        read_split(tiny_dataset.typed(settings), "test"),
        NeighbourBrightness.window,
    )
    own = ground_truth_boxes(windows.annotations)
    drift = np.arange(5)[:, None] * [3.0, -2.0, 4.0, 3.0]
    boxes = Boxes(own.frame, own.box + drift, own.score)
    options = Inference(flip=flip, blur_kernel=3, batch_size=2, streaming=True)
    found = predict(NeighbourBrightness(1), windows, boxes, options).keypoints[:, 0]
    # The frame before; at the start the key frame: windows (0, 0, 0, 1, 2) and (-1, 0, 0, 1, 2).
    expected = truth.keypoints[[0, 1, 1, 2, 3], 0]
    np.testing.assert_allclose(found, expected, atol=0.35)


def test_half_precision_is_near(root):
    method, windows = prepared(root, "tdmi")
    boxes = ground_truth_boxes(windows.annotations)
    exact = predicted(method, windows, boxes)
    for streams in (False, True):
        half = predicted(method, windows, one_box(windows), precision="bf16", streaming=streams)
        whole = predicted(method, windows, one_box(windows), streaming=streams)
        error = np.abs(half.joint_score - whole.joint_score).max()
        assert 0 < error < 0.05 * np.abs(exact.joint_score).max()


def test_prediction_without_memory_names_the_batch_to_try(root, monkeypatch):
    method, windows = prepared(root, "tdmi")
    monkeypatch.setattr(method, "features", lambda *_: torch.empty(2**60, dtype=torch.uint8))
    with pytest.raises(UserError, match=r"2 windows at a time; set inference/batch_size: 1"):
        predicted(method, windows, ground_truth_boxes(windows.annotations))
