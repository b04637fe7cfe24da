"""Videos that are shorter than a window, and frames that do not move: every method, end to end."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pandas as pd
import pytest
import torch

from tdmi.clips.crops import crop_matrix
from tdmi.data.annotations import Annotations
from tdmi.experiments.build import build_method, read_split, split_windows
from tdmi.experiments.predict import predict_run
from tdmi.formats.posetrack18 import write_folder
from tests.support import tiny_dataset

METHODS = {
    "temporal_concatenation": ("baselines.temporal_concatenation.TemporalConcatenation", {}),
    "flow_pooling": ("baselines.flow_pooling.FlowPooling", {}),
    "flow_pooling_of_frames": (
        "baselines.flow_pooling.FlowPooling",
        {"flow": {"where": "frame", "occlusion": True}},
    ),
    "flow_fusion": ("baselines.flow_fusion.FlowFusion", {}),
    "flow_motion": ("baselines.flow_motion.FlowMotion", {}),
    "dcpose": ("baselines.dcpose.DCPose", {"channels": 8, "dilations": [1, 2]}),
    "posewarper": (
        "baselines.posewarper.PoseWarper",
        {"channels": 8, "blocks": 1, "dilations": [1, 2]},
    ),
    "fami_pose": ("baselines.fami_pose.FAMIPose", {"halvings": 2, "dilation": 1}),
    "tdmi": ("tdmi.models.tdmi.TDMI", {"encoder": {"depths": [1, 2], "blocks": [1, 1]}}),
    "tdmi_st": ("tdmi.models.tdmi_st.TDMIST", {"encoder": {"depths": [1, 2], "blocks": [1, 1]}}),
}


def write(root: Path, frames: int, moving: bool = True) -> None:
    """The tiny data set with videos of `frames` frames; all show the first one if not `moving`."""
    tiny_dataset.write(root)
    for split in tiny_dataset.NUMBERS:
        truth: Annotations = tiny_dataset.annotations(split, frames)
        (file,) = (root / "annotations" / split).iterdir()
        file.unlink()
        write_folder(truth, root / "annotations" / split)
        folder = (root / truth.frame_file[0]).parent
        first = cv2.imread(str(root / truth.frame_file[0]))
        for path in folder.iterdir():
            path.unlink()
        for row, name in enumerate(truth.frame_file):
            picture = tiny_dataset.draw(truth.keypoints[row], truth.present[row])
            cv2.imwrite(str(root / name), picture if moving else first)


def settings_of(name: str, root: Path, **recipe) -> dict:
    settings = tiny_dataset.settings(root, **recipe)
    cls, options = METHODS[name]
    if "flow" in options:
        options = options | {"flow": options["flow"] | {"cache": str(root / "flow")}}
    settings["method"] = settings["method"] | {"name": name, "class": cls, "options": options}
    return settings


@pytest.mark.parametrize(
    ("name", "frames"),
    [*((name, 1) for name in METHODS), ("flow_pooling_of_frames", 3), ("posewarper", 3)],
)
def test_methods_train_and_predict_on_videos_shorter_than_their_window(tmp_path, name, frames):
    write(tmp_path, frames)
    settings = settings_of(name, tmp_path, steps=2, batch_size=2, log_every=1, validate_every=None)
    settings["recipe"] = {k: v for k, v in settings["recipe"].items() if v is not None}
    for detections in (tmp_path / "boxes").iterdir():
        detections.write_text("[]")
    tiny_dataset.train(settings, tmp_path / "runs", name)
    run = tmp_path / "runs" / name
    assert np.isfinite(pd.read_csv(run / "history.csv").loss).all()
    predict_run(run, "test", run)
    assert list((run / "ground_truth_boxes" / "predictions").glob("*.json"))


@pytest.mark.parametrize("name", METHODS)
def test_a_lone_frame_is_a_window_of_copies(tmp_path, name):
    """One frame alone and five copies of it, with real offsets, give the same heatmaps."""
    torch.manual_seed(0)
    outputs = []
    for frames in (1, 5):
        root = tmp_path / str(frames)
        write(root, frames, moving=False)
        settings = settings_of(name, root)
        torch.manual_seed(1)
        method = build_method(tiny_dataset.typed(settings)).eval()
        with torch.no_grad():
            for parameter in method.parameters():
                parameter += 0.05 * torch.randn_like(parameter)
        annotations = read_split(tiny_dataset.typed(settings), "test")
        windows = split_windows(tiny_dataset.typed(settings), annotations, method.window)
        key = frames // 2
        matrix = crop_matrix(np.array([80.0, 60.0]), 90.0, (64, 48))
        crops, offsets = windows.crop_window(key, matrix)
        cue = []
        if method.frame_cue is not None:
            cut = windows.auxiliary_input(method.frame_cue, key, matrix)
            cue = [torch.from_numpy(cut)[None]]
        given = torch.from_numpy(crops).permute(0, 3, 1, 2)[None].float() / 128 - 1
        with torch.no_grad():
            outputs.append(method(given, torch.from_numpy(offsets)[None], *cue).heatmaps)
        assert offsets.any() == (frames > 1)
    assert outputs[0].std() > 0
    torch.testing.assert_close(outputs[0], outputs[1], rtol=1e-3, atol=1e-3)
