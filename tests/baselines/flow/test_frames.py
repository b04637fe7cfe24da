"""Flow of whole frames, kept on disk and cut like the crops."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pandas as pd
import pytest
import torch

from baselines.flow import WindowFlow
from baselines.flow.frames import FrameFlow
from baselines.flow_pooling import FlowPooling
from tdmi.clips.crops import crop_matrix, warp
from tdmi.clips.frames import FrameStore
from tdmi.core.errors import UserError
from tdmi.experiments.build import build_method
from tdmi.experiments.predict import predict_run
from tdmi.models.cost import cost
from tdmi.models.hrnet import HRNet
from tests.support import tiny_dataset
from tests.support.flow_scenes import normalised, scene

SIZE = (64, 48)
SHIFTS = {"a.png": (0, 0), "b.png": (3, -2), "c.png": (-2, 4)}


@pytest.fixture
def store(tmp_path) -> FrameStore:
    """Three frames of 120x160 px, moved by `SHIFTS`."""
    for file, shift in SHIFTS.items():
        image = scene(shift, height=120, width=160).permute(1, 2, 0).numpy() * 255
        cv2.imwrite(str(tmp_path / file), image.round().astype(np.uint8)[..., ::-1])
    return FrameStore(tmp_path)


class Counting:
    """The flow (2, -1) px, everywhere and for every pair; counts the pairs."""

    asked = 0

    def __call__(self, first, second):
        self.asked += 1
        flow = torch.tensor([2.0, -1.0]).view(1, 2, 1, 1)
        return flow.expand(1, 2, *first.shape[-2:])


def frame_flow(tmp_path, estimator, backward: bool = False, name: str = "dis") -> FrameFlow:
    return FrameFlow(estimator, name, tmp_path / "cache", backward)


def test_vectors_are_turned_and_scaled_with_the_crop(store, tmp_path):
    """A crop twice as large as its region, turned by 90 degrees: (2, -1) becomes 2 (-1, -2)."""
    matrix = crop_matrix(np.array([80.0, 60.0]), 24.0, SIZE, rotation=90.0)
    found = frame_flow(tmp_path, Counting()).cut(store, "a.png", ["a.png", "b.png"], matrix, SIZE)
    assert found.shape == (2, 2, *SIZE) and found.dtype == np.float16
    assert not found[0].any()
    np.testing.assert_allclose(found[1, 0], -2, atol=2e-3)
    np.testing.assert_allclose(found[1, 1], -4, atol=2e-3)


@pytest.mark.parametrize("flip", [False, True])
def test_agrees_with_flow_between_the_crops(store, tmp_path, flip):
    """DIS on frames, cut, against DIS on the crops themselves; and both against the real motion."""
    matrix = crop_matrix(np.array([80.0, 60.0]), 60.0, SIZE, rotation=20.0, flip=flip)
    files = list(SHIFTS)
    window = WindowFlow(where="frame", cache=tmp_path / "cache")
    cut = window.of_frames.cut(store, "a.png", files, matrix, SIZE)
    crops = np.stack([warp(store.read(file), matrix, SIZE) for file in files])
    frames = normalised(torch.from_numpy(crops).permute(0, 3, 1, 2) / 255)[None]
    offsets = torch.tensor([[0, 1, 2]])
    of_crops = window(frames, offsets, 0).flow[0]
    for t, file in enumerate(files):
        real = matrix[:, :2] @ np.array(SHIFTS[file], float)
        inner = (slice(None), slice(12, -12), slice(12, -12))
        ours = np.median(cut[t][inner].reshape(2, -1), axis=1)
        theirs = of_crops[t][inner].flatten(1).median(dim=1).values.numpy()
        np.testing.assert_allclose(ours, real, atol=0.1)
        np.testing.assert_allclose(theirs, real, atol=0.1)
    known = window(frames, offsets, 0, torch.from_numpy(cut)[None])
    torch.testing.assert_close(known.flow[0].numpy(), cut.astype(np.float32))


def test_half_a_pixel_is_where_it_belongs(store, tmp_path):
    """A flow that equals the place of its pixel is still so in a crop that is the frame itself."""

    def places(first, second):
        y, x = np.mgrid[: first.shape[-2], : first.shape[-1]].astype(np.float32)
        return torch.from_numpy(np.stack([x, y]))[None]

    matrix = np.array([[1.0, 0.0, 0.0], [0.0, 1.0, 0.0]])
    cut = frame_flow(tmp_path, places).cut(store, "a.png", ["b.png"], matrix, (120, 160))
    y, x = np.mgrid[:120, :160]
    np.testing.assert_allclose(cut[0, 0, 2:-2, 2:-2], x[2:-2, 2:-2], atol=0.13)
    np.testing.assert_allclose(cut[0, 1, 2:-2, 2:-2], y[2:-2, 2:-2], atol=0.13)


def test_a_pair_is_estimated_once_whatever_the_crop(store, tmp_path):
    estimator = Counting()
    flow = frame_flow(tmp_path, estimator)
    for width in (30.0, 50.0, 70.0):
        matrix = crop_matrix(np.array([80.0, 60.0]), width, SIZE)
        flow.cut(store, "a.png", ["c.png", "a.png", "b.png"], matrix, SIZE)
    assert estimator.asked == 2
    frame_flow(tmp_path, estimator).of_pair(store, "a.png", "b.png")
    assert estimator.asked == 2
    frame_flow(tmp_path, estimator, name="dis-fast").of_pair(store, "a.png", "b.png")
    assert estimator.asked == 3
    flow.of_pair(store, "b.png", "a.png")
    assert estimator.asked == 4


def test_damaged_files_and_changed_images_are_estimated_again(store, tmp_path):
    estimator = Counting()
    whole = frame_flow(tmp_path, estimator).of_pair(store, "a.png", "b.png")
    (file,) = (tmp_path / "cache").rglob("*.npy")
    assert list((tmp_path / "cache" / "dis").iterdir()) == [file], "nothing temporary is left"
    for content in (file.read_bytes()[:1000], b"", b"no array"):
        file.write_bytes(content)
        again = frame_flow(tmp_path, estimator).of_pair(store, "a.png", "b.png")
        assert np.array_equal(again, whole) and np.array_equal(np.load(file), whole)
    assert estimator.asked == 4
    (tmp_path / "b.png").write_bytes((tmp_path / "c.png").read_bytes())
    frame_flow(tmp_path, estimator).of_pair(FrameStore(tmp_path), "a.png", "b.png")
    assert estimator.asked == 5


def test_mirrored_flow_is_that_of_the_mirrored_crop(store, tmp_path):
    flow = WindowFlow(where="frame", cache=tmp_path / "cache", occlusion=True).of_frames
    centre = np.array([80.0, 60.0])
    plain, mirrored = (
        torch.from_numpy(
            flow.cut(store, "a.png", ["b.png"], crop_matrix(centre, 40.0, SIZE, 15.0, flip), SIZE)
        ).float()
        for flip in (False, True)
    )
    assert plain.shape == (1, 4, *SIZE)
    difference = (flow.mirrored(plain) - mirrored).abs()
    assert difference.max() < 0.1 and difference.mean() < 0.01
    assert (plain[:, :2] + plain[:, 2:]).abs().median() < 0.1, "the flow back is behind it"


def test_hidden_pixels_are_found_in_known_flow():
    window = WindowFlow(where="frame", occlusion=True)
    known = torch.zeros(1, 2, 4, 8, 8)
    known[0, 1, 0], known[0, 1, 2] = 2, -2
    known[0, 1, 2, :4] = 3  # does not return there
    found = window(torch.rand(1, 2, 3, 8, 8), torch.tensor([[0, 1]]), 0, known)
    assert found.visible[0, 0].all()
    assert found.visible[0, 1, 0, :4].sum() == 0
    assert found.visible[0, 1, 0, 4:].tolist() == [[1] * 6 + [0] * 2] * 4


def test_frames_of_odd_size_are_taken(tmp_path):
    for file in ("a.png", "b.png"):
        cv2.imwrite(str(tmp_path / file), np.full((41, 55, 3), 90, np.uint8))
    field = frame_flow(tmp_path, Counting()).of_pair(FrameStore(tmp_path), "a.png", "b.png")
    assert field.shape == (21, 28, 2) and (field == np.array([2, -1])).all()


@pytest.mark.parametrize("estimator", ["raft_small", Counting()])
def test_other_estimators_work_on_crops_alone(estimator):
    with pytest.raises(UserError, match=r"with flow\.where: frame, expected dis or farneback"):
        WindowFlow(estimator, where="frame")
    with pytest.raises(UserError, match=r"option flow\.where: found 'video', expected one of crop"):
        WindowFlow(where="video")


def settings(root: Path, cache: Path, **recipe) -> dict:
    chosen = tiny_dataset.settings(root, **recipe)
    chosen["method"] = {
        "name": "flow_pooling",
        "label": "Flow pooling",
        "family": "flow",
        "class": "baselines.flow_pooling.FlowPooling",
        "options": {"flow": {"where": "frame", "preset": "fast", "cache": str(cache)}},
    }
    return chosen


@pytest.mark.parametrize("workers", [0, 2])
def test_a_run_takes_its_flow_from_frames(tmp_path, monkeypatch, workers):
    """Trained and predicted twice: from an empty cache, then from a full one without estimating."""
    tiny_dataset.write(tmp_path / "data")
    chosen = settings(tmp_path / "data", tmp_path / "cache", workers=workers)
    results = []
    for name in ("first", "second"):
        tiny_dataset.train(chosen, tmp_path / "runs", name)
        run = tmp_path / "runs" / name
        predict_run(run, "test", run)
        files = ["history.csv", "checkpoint.pt"]
        files += [p.relative_to(run) for p in sorted(run.rglob("predictions/*.json"))]
        results.append([(run / file).read_bytes() for file in files])
        assert pd.read_csv(run / "history.csv").loss.notna().all()
        monkeypatch.setattr("baselines.flow.frames._image", None)  # nothing can be estimated
    assert results[0] == results[1]
    # Five frames a split, all pairs up to two frames apart: 4 + 4 of one frame, 3 + 3 of two.
    made = [p.parent.name for p in (tmp_path / "cache").rglob("*.npy")]
    assert set(made) == {"dis-fast"} and len(made) <= 3 * 14


def test_without_frames_at_hand_the_crops_serve():
    """What counts a method's cost has no video."""
    trunk = HRNet(4, 2, modules=(1,), blocks=1, stem_width=4, stem_blocks=1)
    methods = [FlowPooling(trunk, 2, flow={"where": where}) for where in ("frame", "crop")]
    assert cost(methods[0], 64, 48) == cost(methods[1], 64, 48)
    assert methods[0].frame_cue is not None and methods[1].frame_cue is None


def test_methods_without_a_cue_get_none(tmp_path):
    assert build_method(tiny_dataset.typed(tiny_dataset.settings(tmp_path))).frame_cue is None
