"""Damaged files of data, runs and results are never used: the error names them and the cure."""

import json
import shutil

import pytest

from tdmi.cli.main import main
from tdmi.core.errors import UserError
from tdmi.reporting.data.runs import read_runs
from tdmi.reporting.data.spec import Method
from tdmi.reporting.figures.gallery import check_predictions_unchanged
from tdmi.training.loop import Loop
from tests.support import tiny_dataset, tiny_runs
from tests.support.tiny_runs import SINGLE, TEMPORAL

DAMAGES = ("cut", "emptied", "flipped")
VIDEO = "900003_mpiinew_dots.json"


def damage(path, how):
    """Cut a file to half, empty it, or flip one bit in each of 64 bytes in its middle.

    Fewer bytes might all lie in the padding between the parts of a checkpoint, without effect.
    """
    content = bytearray(path.read_bytes())
    middle = len(content) // 2
    if how == "flipped":
        content[middle : middle + 64] = [byte ^ 1 for byte in content[middle : middle + 64]]
    path.write_bytes(content if how == "flipped" else content[: middle if how == "cut" else 0])


@pytest.fixture(scope="module")
def recorded(tmp_path_factory):
    folder = tmp_path_factory.mktemp("recorded")
    tiny_runs.record(folder)
    return folder


@pytest.fixture
def runs(recorded, tmp_path):
    """Run folders that a test may damage; their data stays where the settings say."""
    return shutil.copytree(recorded / "runs", tmp_path / "runs")


@pytest.fixture
def restored(recorded):
    """The data, put back after a test that damages it."""
    copy = shutil.copytree(recorded / "data", recorded / "copy")
    yield recorded / "data"
    shutil.rmtree(recorded / "data")
    copy.rename(recorded / "data")


def line(capsys) -> str:
    """The last line on standard error: progress bars come before."""
    return capsys.readouterr().err.strip().splitlines()[-1]


def report(runs):
    """Read the runs as a report does."""
    methods = [Method(run.split("/")[1], "", "single", seeds=(3,)) for run in (SINGLE, TEMPORAL)]
    return read_runs(runs / "tiny", methods, tiny_runs.BOXES)


@pytest.mark.parametrize("how", DAMAGES)
@pytest.mark.parametrize("file", ["checkpoint.pt", "config.yaml", "provenance.json"])
def test_prediction_refuses_a_damaged_run(runs, capsys, file, how):
    damage(runs / SINGLE / file, how)
    assert main(["predict", "--run", str(runs / SINGLE)]) == 2
    found = line(capsys)
    assert found.startswith(f"tdmi predict: {runs / SINGLE / file}: ")
    assert any(cure in found for cure in ("train that run again", "run `tdmi train`", "regenerate"))
    assert not (runs / SINGLE / "detected_boxes").exists()


@pytest.mark.parametrize("how", DAMAGES)
def test_training_refuses_to_start_from_a_damaged_checkpoint(runs, recorded, how):
    damage(runs / SINGLE / "checkpoint.pt", how)
    with pytest.raises(UserError, match=r"checkpoint\.pt: not a checkpoint .* train that run"):
        tiny_dataset.train(tiny_runs.temporal_settings(recorded / "data", steps=2), runs, TEMPORAL)


@pytest.mark.parametrize("how", DAMAGES)
def test_damaged_state_is_refused_by_hand_and_left_by_the_workflow(
    recorded, tmp_path, monkeypatch, caplog, how
):
    settings = tiny_dataset.settings(recorded / "data", steps=2, checkpoint_every=1)
    update = Loop.update

    def stopped(loop, parts):
        if loop.step == 1:
            raise KeyboardInterrupt
        return update(loop, parts)

    with monkeypatch.context() as patched, pytest.raises(KeyboardInterrupt):
        patched.setattr(Loop, "update", stopped)
        tiny_dataset.train(settings, tmp_path, SINGLE)
    state = tmp_path / SINGLE / "resume.pt"
    damage(state, how)
    with pytest.raises(UserError, match=r"resume\.pt: not a training state .* --fresh"):
        tiny_dataset.train(settings, tmp_path, SINGLE)
    tiny_dataset.train(settings, tmp_path, SINGLE, restart=True)
    assert f"{state}: not a training state" in caplog.text
    expected = (recorded / "runs" / SINGLE / "checkpoint.pt").read_bytes()
    assert (tmp_path / SINGLE / "checkpoint.pt").read_bytes() == expected


@pytest.mark.parametrize("how", DAMAGES)
@pytest.mark.parametrize(
    "file", ["images/test/900003_mpiinew_dots/000002.png", f"annotations/test/{VIDEO}"]
)
def test_prediction_refuses_damaged_data(restored, runs, capsys, file, how):
    damage(restored / file, how)
    assert main(["predict", "--run", str(runs / SINGLE)]) == 2
    found = line(capsys)
    # Where the file itself can be read, only the record of the split tells that it was changed.
    expected = (file,) if how != "flipped" else (file, "dataset-test.json")
    assert found.startswith(f"tdmi predict: {restored}") and any(n in found for n in expected)
    assert not (runs / SINGLE / "detected_boxes").exists()


@pytest.mark.parametrize("how", DAMAGES)
def test_training_refuses_damaged_data(restored, tmp_path, how):
    damage(restored / "images" / "train" / "900001_mpiinew_dots" / "000000.png", how)
    with pytest.raises(
        UserError,
        match=r"000000\.png: found (no readable|a truncated) picture|dataset-train\.json: files",
    ):
        tiny_dataset.train(tiny_dataset.settings(restored, steps=2), tmp_path, SINGLE)


@pytest.mark.parametrize("how", DAMAGES)
@pytest.mark.parametrize("name", [VIDEO, "predictions.provenance.json"])
def test_evaluation_refuses_damaged_predictions(recorded, runs, capsys, name, how):
    run = runs / TEMPORAL
    folder = run / "detected_boxes" / "predictions"
    path = folder / name if name == VIDEO else run / name
    damage(path, how)
    assert tiny_runs.evaluate(recorded / "data", run, "detected_boxes", *tiny_runs.JUDGED[0]) == 2
    found = line(capsys)
    assert str(path) in found and ("tdmi predict" in found or "regenerate" in found)
    with pytest.raises(UserError, match=name):
        check_predictions_unchanged(folder)


@pytest.mark.parametrize("given", ["folder", "file", "relative"])
@pytest.mark.parametrize("change", ["shifted", "added"])
def test_whoever_reads_predictions_refuses_changed_ones(
    recorded, runs, tmp_path, monkeypatch, capsys, given, change
):
    """`compare` and `track` stop where `evaluate` does: at a file that is not as recorded."""
    folder = runs / TEMPORAL / "detected_boxes" / "predictions"
    path = folder / VIDEO
    if change == "shifted":
        content = json.loads(path.read_text())
        for person in content["annotations"]:
            person["keypoints"][::3] = [x + 50 for x in person["keypoints"][::3]]
        path.write_text(json.dumps(content))
    else:
        path = shutil.copy(path, folder / "another.json")
    monkeypatch.chdir(folder)
    where = {"folder": folder, "file": path, "relative": "."}[given]
    assert main(["track", "--predictions", str(where), "--out", str(tmp_path / "out")]) == 2
    found = line(capsys)
    assert str(path) in found and "tdmi predict" in found
    assert not (tmp_path / "out").exists()
    if given == "folder" and change == "shifted":
        truth = recorded / "data" / "annotations" / "test"
        words = ["--gt", truth, "--a", folder, "--b", folder, "--out", tmp_path / "c.json"]
        assert main(["compare", *map(str, words)]) == 2
        assert str(path) in line(capsys) and not (tmp_path / "c.json").exists()


@pytest.mark.parametrize("how", DAMAGES)
@pytest.mark.parametrize(
    "file",
    [
        "detected_boxes/metrics.json",
        "ground_truth_boxes/tracking.json",
        "detected_boxes/metrics.provenance.json",
        "history.csv",
        "cost.json",
        "provenance.json",
    ],
)
def test_report_refuses_damaged_results(runs, file, how):
    assert len(report(runs).history) == 2
    damage(runs / TEMPORAL / file, how)
    with pytest.raises(UserError, match=rf"^{runs / TEMPORAL / file}: .*(again|regenerate)"):
        report(runs)
