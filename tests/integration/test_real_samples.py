"""Readers, crops and the demo on a real PoseTrack18 frame and clip, where those lie beside us."""

import cv2
import numpy as np
import pytest
import torch

from tdmi.cli.main import main
from tdmi.clips.crops import transform
from tdmi.clips.frames import FrameStore
from tdmi.clips.person_boxes import clean, frame_sizes
from tdmi.clips.samples import Windows
from tdmi.clips.video import VideoFrames
from tdmi.config.inputs import Crop
from tdmi.core.files import write_json
from tdmi.data.boxes import box_of_joints
from tdmi.experiments.build import build_method
from tdmi.formats.posetrack18 import read_file
from tdmi.prediction.predict import ground_truth_boxes
from tests.support import tiny_dataset
from tests.support.paths import ROOT

SAMPLES = ROOT.parent / "shared" / "real-samples" / "posetrack18"
VIDEO = SAMPLES / "videos" / "000001_mpiinew_test.mp4"

pytestmark = pytest.mark.skipif(
    not SAMPLES.is_dir(), reason="real PoseTrack18 samples are not part of the project"
)


@pytest.fixture
def truth():
    return read_file(SAMPLES / "annotations" / "val" / "003418_mpii_test.json")


def test_the_official_annotation_is_read(truth):
    assert truth.video_names == ["003418_mpii_test"]
    assert (truth.frames, truth.persons) == (1, 1)
    assert truth.frame_id.tolist() == [10034180000]
    assert truth.present[0].sum() == 11
    assert truth.keypoints[0, truth.skeleton.index("nose")].tolist() == [621, 471]
    assert truth.head_box[0].tolist() == [346, 337, 346 + 296, 337 + 237]


def test_the_official_box_is_the_extent_of_the_joints_and_three_tenths(truth):
    np.testing.assert_allclose(box_of_joints(truth.keypoints, truth.present), truth.box)
    assert truth.box.tolist() == [[214.25, 15, 1358.5, 1092]]


def test_the_box_is_cleaned_to_the_picture(truth):
    stated = truth.frame_size.copy()
    truth.frame_size[:] = 0
    np.testing.assert_array_equal(frame_sizes(truth, SAMPLES), [[1920, 1080]])
    np.testing.assert_array_equal(stated, [[1920, 1080]])
    # Width 1358.5 - 1; the lower edge is the last row, 1079.
    box = clean(truth, "official", SAMPLES).box
    assert box.tolist() == [[214.25, 15, 1357.5, 1064]]


def test_the_crop_shows_the_person(truth):
    crop = Crop((384, 288), window_ends="nearest")
    windows = Windows(truth, FrameStore(SAMPLES), (-2, -1, 0, 1, 2), crop)
    matrix = windows.matrices(ground_truth_boxes(truth).box)[0]
    frames, offsets = windows.crop_window(0, matrix)
    assert offsets.tolist() == [0, 0, 0, 0, 0]  # one frame only
    points = transform(truth.keypoints[0], matrix)[truth.present[0]]
    assert (points > 0).all()
    assert (points < [288, 384]).all()
    picture = cv2.imread(str(SAMPLES / truth.frame_file[0]))[:, :, ::-1]
    for (x, y), (u, v) in zip(truth.keypoints[0][truth.present[0]], points, strict=True):
        around = picture[int(y) - 8 : int(y) + 9, int(x) - 8 : int(x) + 9].mean(axis=(0, 1))
        cell = frames[2][int(v) - 1 : int(v) + 2, int(u) - 1 : int(u) + 2].mean(axis=(0, 1))
        assert np.abs(around - cell).max() < 40


def test_the_video_shows_its_frames_in_order():
    frames = VideoFrames(VIDEO, keep=5)
    pictures = [cv2.imread(str(SAMPLES / "videos" / f"{i:06d}.jpg"))[:, :, ::-1] for i in range(5)]
    for i in range(5):
        decoded = frames.read(f"{i:06d}.jpg").astype(int)
        distances = [np.abs(decoded - picture).mean() for picture in pictures]
        assert np.argmin(distances) == i


@pytest.mark.parametrize("source", [VIDEO, VIDEO.parent])
def test_the_demo_runs_on_the_clip(tmp_path, source):
    settings = tiny_dataset.settings(tmp_path)
    write_json(tmp_path / "run" / "config.yaml", settings)
    state = {"model": build_method(tiny_dataset.typed(settings)).state_dict()}
    torch.save(state, tmp_path / "run" / "checkpoint.pt")
    write_json(
        tmp_path / "boxes.json",
        [
            {"image_id": i, "category_id": 1, "bbox": [360, 290, 120, 310], "score": 0.9}
            for i in range(5)
        ],
    )
    command = ["demo", str(source), "--run", str(tmp_path / "run"), "--out", str(tmp_path / "out")]
    assert main([*command, "--boxes", str(tmp_path / "boxes.json"), "--threads", "1"]) == 0
    people = read_file(tmp_path / "out" / "predictions.json")
    assert people.person_frame.tolist() == [0, 1, 2, 3, 4]
    assert cv2.imread(str(tmp_path / "out" / "poster.png")).shape == (720, 1280, 3)
