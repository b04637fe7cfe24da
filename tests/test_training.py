import hashlib
import math
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest
import tiny_dataset
import torch
from lightning_fabric import Fabric
from lightning_fabric.plugins import MixedPrecision

from tdmi import training
from tdmi.building import build_method, load_checkpoint
from tdmi.errors import UserError
from tdmi.files import read_json
from tdmi.models.output import Target
from tdmi.runs import perform, predict_run

RUN = "tiny/single_frame/seed3"


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    root = tmp_path_factory.mktemp("dots")
    tiny_dataset.write(root)
    return root


def content(runs):
    """Bytes of what must not depend on the machine's load."""
    files = ["checkpoint.pt", "history.csv", "config.yaml", "cost.json"]
    return [hashlib.sha256((runs / RUN / file).read_bytes()).hexdigest() for file in files]


@pytest.fixture(scope="module")
def finished(root, tmp_path_factory):
    runs = tmp_path_factory.mktemp("runs")
    perform(tiny_dataset.settings(root), runs, RUN)
    return runs


def test_same_settings_give_the_same_bytes(root, finished, tmp_path):
    perform(tiny_dataset.settings(root), tmp_path, RUN)
    assert content(tmp_path) == content(finished)
    perform(tiny_dataset.settings(root) | {"seed": 4}, tmp_path, RUN)
    assert content(tmp_path)[0] != content(finished)[0]


@pytest.mark.parametrize("stop", [2, 5, 7])
def test_interrupted_run_ends_with_the_same_bytes(root, finished, tmp_path, monkeypatch, stop):
    update = training.Loop.update

    def interrupted(loop, *batch):
        if loop.step == stop:
            raise KeyboardInterrupt
        return update(loop, *batch)

    monkeypatch.setattr(training.Loop, "update", interrupted)
    with pytest.raises(KeyboardInterrupt):
        perform(tiny_dataset.settings(root), tmp_path, RUN)
    assert not (tmp_path / RUN / "checkpoint.pt").exists()
    steps = []

    def counted(loop, *batch):
        steps.append(loop.step)
        return update(loop, *batch)

    monkeypatch.setattr(training.Loop, "update", counted)
    perform(tiny_dataset.settings(root), tmp_path, RUN)
    assert steps[0] == stop // 3 * 3
    assert content(tmp_path) == content(finished)
    assert not (tmp_path / RUN / "resume.pt").exists()


def test_state_of_other_settings_is_not_resumed(root, tmp_path, monkeypatch):
    update = training.Loop.update
    steps = []

    def interrupted(loop, *batch):
        steps.append(loop.step)
        if loop.step == 4 and len(steps) < 6:
            raise KeyboardInterrupt
        return update(loop, *batch)

    monkeypatch.setattr(training.Loop, "update", interrupted)
    with pytest.raises(KeyboardInterrupt):
        perform(tiny_dataset.settings(root), tmp_path, RUN)
    perform(tiny_dataset.settings(root, learning_rate=0.001), tmp_path, RUN)
    assert steps[5] == 0


def test_worker_processes_change_nothing(root, finished, tmp_path):
    perform(tiny_dataset.settings(root, workers=2), tmp_path, RUN)
    assert content(tmp_path)[:2] == content(finished)[:2]


def test_two_processes_share_a_batch_and_learn_the_same(root, tmp_path):
    """Gradients are averaged over processes, so that only the order of summation differs."""
    script = tmp_path / "train.py"
    script.write_text(
        "import sys, pathlib, torch\n"
        f"sys.path.insert(0, {str(Path(__file__).parent)!r})\n"
        "import tiny_dataset\n"
        "from tdmi.runs import perform\n"
        "torch.set_num_threads(1)\n"
        "devices, runs = int(sys.argv[1]), pathlib.Path(sys.argv[2])\n"
        f"settings = tiny_dataset.settings(pathlib.Path({str(root)!r}), devices=devices)\n"
        "settings['method']['options'] = {'backbone_norm': 'frozen'}\n"
        "del settings['recipe']['validate_every']\n"
        f"perform(settings, runs, {RUN!r})\n"
    )
    for devices in ("1", "2"):
        command = [sys.executable, script, devices, tmp_path / devices]
        done = subprocess.run(command, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr[-3000:]
    one, two = (load_checkpoint(tmp_path / n / RUN / "checkpoint.pt") for n in ("1", "2"))
    for name, value in one.items():
        torch.testing.assert_close(two[name], value, atol=1e-4, rtol=1e-3)


def test_run_folder_is_complete_and_its_hashes_hold(root, finished):
    record = read_json(finished / RUN / "provenance.json")
    digest = hashlib.sha256((finished / RUN / "checkpoint.pt").read_bytes()).hexdigest()
    assert record["checkpoint_sha256"] == digest
    boxes = hashlib.sha256((root / "boxes" / "test.json").read_bytes()).hexdigest()
    assert record["boxes_sha256"] == boxes
    assert record["seed"] == 3
    assert record["packages"]["torch"] == torch.__version__.split("+")[0]
    history = pd.read_csv(finished / RUN / "history.csv")
    assert history["step"].tolist() == [2, 4, 6, 8]
    assert history["val_ap"].notna().tolist() == [False, True, False, True]
    assert {"loss", "loss_heatmap", "gradient_norm_backbone", "train_pck"} <= set(history)


def test_training_learns_the_blobs_and_prediction_writes_them(root, tmp_path):
    settings = tiny_dataset.settings(
        root, steps=120, learning_rate=0.01, backbone_rate=1.0, batch_size=8
    )
    settings["method"]["options"] = {"loss_foreground": 9.0}
    perform(settings, tmp_path, RUN)
    history = pd.read_csv(tmp_path / RUN / "history.csv")
    assert history["loss"].iloc[-1] < 0.5 * history["loss"].iloc[0]
    predict_run(tmp_path / RUN, "test", tmp_path / RUN)
    for boxes, persons in (("ground_truth_boxes", 5), ("detected_boxes", 4)):
        (file,) = (tmp_path / RUN / boxes / "predictions").glob("*.json")
        assert len(read_json(file)["annotations"]) == persons
    assert read_json(tmp_path / RUN / "timing.json")["predict_ms_per_person"] > 0


def test_temporal_run_starts_from_the_single_frame_checkpoint(root, finished, tmp_path):
    settings = tiny_dataset.settings(root, steps=1, learning_rate=1e-12)
    settings["method"]["class"] = "baselines.temporal_concatenation.TemporalConcatenation"
    settings["start_from"] = RUN
    perform(settings, finished, "tiny/temporal_concatenation/seed3")
    state = load_checkpoint(finished / "tiny/temporal_concatenation/seed3/checkpoint.pt")
    start = load_checkpoint(finished / RUN / "checkpoint.pt")
    for name, value in start.items():
        torch.testing.assert_close(state[name], value, atol=1e-6, rtol=0)


def test_rates_and_schedules(root):
    settings = tiny_dataset.settings(root)
    settings["method"]["class"] = "baselines.temporal_concatenation.TemporalConcatenation"
    method = build_method(settings)
    recipe = {**training.RECIPE, "learning_rate": 1.0, "backbone_rate": 0.25, "steps": 10}
    optimiser = training.make_optimiser(method, recipe)
    assert [group["lr"] for group in optimiser.param_groups] == [0.25, 1.0]
    recipe |= {"schedule": "milestones", "milestones": [2, 3], "milestone_factor": 0.1}
    schedule = training.make_schedule(optimiser, recipe)
    rates = []
    for _ in range(4):
        rates.append(optimiser.param_groups[1]["lr"])
        optimiser.step()
        schedule.step()
    assert rates == pytest.approx([1.0, 1.0, 0.1, 0.01])


@pytest.mark.parametrize("steps", [1, 2, 3, 4, 5, 6, 10])
def test_one_cycle_of_any_length_ends_near_nothing(steps):
    optimiser = torch.optim.Adam([torch.nn.Parameter(torch.zeros(1))], 2.0)
    schedule = training.make_schedule(optimiser, {"schedule": "one_cycle", "steps": steps})
    for _ in range(steps - 1):
        optimiser.step()
        schedule.step()
    assert steps == 1 or optimiser.param_groups[0]["lr"] < 0.01


def test_cosine_schedule_falls_from_the_whole_rate_to_nothing():
    optimiser = torch.optim.Adam([torch.nn.Parameter(torch.zeros(1))], 2.0)
    schedule = training.make_schedule(optimiser, {"schedule": "cosine", "steps": 10})
    rates = []
    for _ in range(11):
        rates.append(optimiser.param_groups[0]["lr"])
        optimiser.step()
        schedule.step()
    assert rates == pytest.approx([1 + math.cos(math.pi * step / 10) for step in range(11)])


def test_epochs_become_steps():
    recipe = {"epochs": 20, "batch_size": 24, "milestones": [6, 12], "learning_rate": 1.0}
    steps = training.in_steps(recipe, 24 * 10 + 5)
    assert steps == {"steps": 200, "milestones": [60, 120], "batch_size": 24, "learning_rate": 1.0}
    assert training.in_steps(recipe, 3)["steps"] == 20
    assert training.in_steps(steps, 99) is steps


def test_train_pck_by_hand():
    target = torch.zeros(1, 3, 6, 6)
    target[0, :, 2, 2] = 1
    prediction = torch.zeros(1, 3, 6, 6)
    prediction[0, 0, 2, 3] = 1  # one cell off: counts
    prediction[0, 1, 3, 3] = 1  # diagonal: does not
    prediction[0, 2, 2, 2] = 1  # not labelled
    weight = torch.tensor([[1.0, 1.0, 0.0]])
    assert training.train_pck(prediction, Target(target, weight)) == 0.5
    assert math.isnan(training.train_pck(prediction, Target(target, weight * 0)))


def test_loss_that_is_not_finite_stops_with_a_cure(root, tmp_path, monkeypatch):
    monkeypatch.setattr(
        "tdmi.models.method.heatmap_loss", lambda prediction, *_, **__: prediction.sum() * math.nan
    )
    with pytest.raises(UserError, match=r"loss is nan at step 0; lower learning_rate"):
        perform(tiny_dataset.settings(root), tmp_path, RUN)
    assert not (tmp_path / RUN / "checkpoint.pt").exists()


def test_gradient_that_is_not_finite_stops_with_a_cure(root, tmp_path, monkeypatch):
    def steep(prediction, *_, **__):
        return (prediction - prediction.detach()).abs().sqrt().sum()  # slope 0 / 0 at 0

    monkeypatch.setattr("tdmi.models.method.heatmap_loss", steep)
    with pytest.raises(UserError, match=r"the gradient is not finite at step 0; lower learning"):
        perform(tiny_dataset.settings(root), tmp_path, RUN)


class Half(Fabric):
    """Half precision with a loss scale from 1024 on, which Lightning has for GPUs only."""

    def __init__(self, **_):
        scaler = torch.amp.GradScaler("cpu", init_scale=1024.0, growth_interval=1)
        super().__init__(
            accelerator="cpu", plugins=[MixedPrecision("16-mixed", "cpu", scaler=scaler)]
        )


def test_scaled_gradients_are_recorded_and_clipped_as_they_are(root, tmp_path, monkeypatch):
    histories = {}
    for name in ("whole", "half"):
        if name == "half":
            monkeypatch.setattr(training, "Fabric", Half)
        settings = tiny_dataset.settings(root, gradient_clip=0.01, validate_every=8)
        perform(settings, tmp_path, name)
        histories[name] = pd.read_csv(tmp_path / name / "history.csv")
    whole, half = (histories[name].gradient_norm_backbone for name in ("whole", "half"))
    assert half.to_numpy() == pytest.approx(whole.to_numpy(), rel=0.1)


def test_an_overflow_of_half_precision_leaves_the_step_out(root, tmp_path, monkeypatch):
    monkeypatch.setattr(training, "Fabric", Half)
    monkeypatch.setattr(
        "tdmi.models.method.heatmap_loss",
        lambda prediction, target, *_, **__: 1e6 * (prediction - target).square().mean(),
    )
    settings = tiny_dataset.settings(root, validate_every=8, steps=1)
    perform(settings, tmp_path, RUN)
    history = pd.read_csv(tmp_path / RUN / "history.csv")
    assert not math.isfinite(history.gradient_norm_backbone[0])
    torch.manual_seed(settings["seed"])
    before, after = build_method(settings), load_checkpoint(tmp_path / RUN / "checkpoint.pt")
    for name, value in before.named_parameters():
        assert torch.equal(after[name], value)


def test_interrupted_half_precision_goes_on_with_its_scale(root, tmp_path, monkeypatch):
    """The scale doubles with every step here; a state is saved every third step."""
    monkeypatch.setattr(training, "Fabric", Half)
    update, scales = training.Loop.update, []

    def watched(loop, *batch):
        if loop.step == 4 and len(scales) < 5:
            raise KeyboardInterrupt
        scales.append(loop.fabric.strategy.precision.scaler.get_scale())
        return update(loop, *batch)

    monkeypatch.setattr(training.Loop, "update", watched)
    settings = tiny_dataset.settings(root, validate_every=8, steps=5)
    with pytest.raises(KeyboardInterrupt):
        perform(settings, tmp_path, RUN)
    scales.append(None)
    perform(settings, tmp_path, RUN)
    assert scales == [1024.0, 2048.0, 4096.0, 8192.0, None, 8192.0, 16384.0]


def test_unusable_checkpoints_are_named(tmp_path):
    with pytest.raises(UserError, match="no such checkpoint; train that run first"):
        load_checkpoint(tmp_path / "checkpoint.pt")
    (tmp_path / "checkpoint.pt").write_bytes(b"half a file")
    with pytest.raises(UserError, match="not a checkpoint of this project"):
        load_checkpoint(tmp_path / "checkpoint.pt")


def test_class_that_does_not_exist_is_named(root):
    settings = tiny_dataset.settings(root)
    settings["method"]["class"] = "baselines.nowhere.Method"
    with pytest.raises(UserError, match=r"'baselines\.nowhere\.Method' cannot be imported"):
        build_method(settings)
