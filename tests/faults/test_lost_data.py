"""Data lost during a run: one line names it, and with the data back the run continues."""

import shutil

import pytest

import tdmi.experiments.predict
from tdmi.clips.frames import FrameStore
from tdmi.core.errors import UserError
from tdmi.core.files import read_json
from tdmi.data.folders import DatasetFolder
from tdmi.experiments.predict import predict_run
from tdmi.training.loop import Loop
from tests.support import tiny_dataset

RUN = "tiny/single_frame/seed3"
FRAME = "images/train/900001_mpiinew_dots/000002.png"
FILES = ("checkpoint.pt", "history.csv")


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """Data, and an undisturbed run on it."""
    folder = tmp_path_factory.mktemp("whole")
    tiny_dataset.write(folder / "data")
    tiny_dataset.train(tiny_dataset.settings(folder / "data"), folder / "runs", RUN)
    return folder


@pytest.fixture
def no_cache(monkeypatch):
    """Read every frame from disk each time, as in a data set larger than the memory."""
    read = FrameStore.read

    def anew(store, file):
        store._frames.clear()
        return read(store, file)

    monkeypatch.setattr(FrameStore, "read", anew)


@pytest.mark.parametrize("workers", [0, 1])
@pytest.mark.parametrize("lost", [FRAME, "images/train", "."])
def test_training_names_lost_data_and_continues_when_it_is_back(
    whole, tmp_path, monkeypatch, no_cache, lost, workers
):
    root, away = whole / "data", tmp_path / "away"
    settings = tiny_dataset.settings(root, workers=workers)
    update = Loop.update

    def losing(loop, parts):
        if loop.step == 2:
            (root / lost).rename(away)
        return update(loop, parts)

    try:
        with monkeypatch.context() as patched, pytest.raises(UserError) as raised:
            patched.setattr(Loop, "update", losing)
            tiny_dataset.train(settings, tmp_path, RUN)
    finally:
        away.rename(root / lost)
    (line,) = str(raised.value).splitlines()
    assert (
        line.startswith(f"{root}/images/")
        and "no such frame; restore it, or fetch or generate" in line
    )
    run = tmp_path / RUN
    assert not (run / "checkpoint.pt").exists() and (run / "resume.pt").exists()
    tiny_dataset.train(settings, tmp_path, RUN)
    for file in FILES:
        assert (run / file).read_bytes() == (whole / "runs" / RUN / file).read_bytes()


def test_prediction_names_a_lost_frame_and_writes_nothing(whole, tmp_path):
    frame = whole / "data" / "images" / "test" / "900003_mpiinew_dots" / "000003.png"
    frame.rename(tmp_path / "away.png")
    try:
        with pytest.raises(UserError, match=r"000003\.png: no such frame"):
            predict_run(whole / "runs" / RUN, "test", tmp_path / "out")
    finally:
        (tmp_path / "away.png").rename(frame)
    assert not list((tmp_path / "out").rglob("*.json"))


def test_labels_lost_in_the_middle_of_a_prediction_are_recorded_as_they_were_read(
    whole, tmp_path, monkeypatch
):
    root = whole / "data"
    expected = DatasetFolder(root).labels_hashes(["test"])["test"]
    predict = tdmi.experiments.predict.predict

    def losing(*arguments, **more):
        shutil.rmtree(root / "annotations", ignore_errors=True)
        return predict(*arguments, **more)

    monkeypatch.setattr(tdmi.experiments.predict, "predict", losing)
    shutil.copytree(root / "annotations", tmp_path / "copy")
    try:
        predict_run(whole / "runs" / RUN, "test", tmp_path / "out")
    finally:
        (tmp_path / "copy").rename(root / "annotations")
    record = read_json(tmp_path / "out" / "predictions.provenance.json")
    assert record["labels_sha256"] == expected


@pytest.mark.parametrize("lost", ["annotations/test", "."])
def test_prediction_without_labels_or_data_names_the_folder(whole, tmp_path, lost):
    root = whole / "data"
    (root / lost).rename(tmp_path / "away")
    try:
        with pytest.raises(UserError, match=rf"^{root}/annotations/test: no such folder; make"):
            predict_run(whole / "runs" / RUN, "test", tmp_path / "out")
    finally:
        (tmp_path / "away").rename(root / lost)
