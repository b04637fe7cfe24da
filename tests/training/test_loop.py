import hashlib
import math
import re
import subprocess
import sys

import pandas as pd
import pytest
import torch
from lightning_fabric import Fabric
from lightning_fabric.plugins import MixedPrecision

from tdmi.checkpoints.own import FORMAT, load_checkpoint
from tdmi.core.errors import UserError
from tdmi.core.files import read_json
from tdmi.experiments.build import build_method
from tdmi.experiments.predict import predict_run
from tdmi.training.loop import Loop
from tests.support import tiny_dataset

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
    tiny_dataset.train(tiny_dataset.settings(root), runs, RUN)
    return runs


def test_same_settings_give_the_same_bytes(root, finished, tmp_path):
    tiny_dataset.train(tiny_dataset.settings(root), tmp_path, RUN)
    assert content(tmp_path) == content(finished)
    tiny_dataset.train(tiny_dataset.settings(root) | {"seed": 4}, tmp_path, RUN)
    assert content(tmp_path)[0] != content(finished)[0]


def stop_at(monkeypatch, step):
    """Interrupt the next training before this step; later ones run on."""
    update, seen = Loop.update, []

    def interrupted(loop, parts):
        seen.append(loop.step)
        if loop.step == step and seen.count(step) == 1:
            raise KeyboardInterrupt
        return update(loop, parts)

    monkeypatch.setattr(Loop, "update", interrupted)
    return seen


# States are saved every third step and at the ends of epochs of five samples, in batches of four:
# after steps 2, 3, 4, 5, 6 and 7.
@pytest.mark.parametrize(("stop", "resumed"), [(1, 0), (2, 2), (6, 6)])
def test_interrupted_run_ends_with_the_same_bytes(
    root, finished, tmp_path, monkeypatch, stop, resumed
):
    seen = stop_at(monkeypatch, stop)
    with pytest.raises(KeyboardInterrupt):
        tiny_dataset.train(tiny_dataset.settings(root), tmp_path, RUN)
    assert not (tmp_path / RUN / "checkpoint.pt").exists()
    tiny_dataset.train(tiny_dataset.settings(root, workers=1), tmp_path, RUN)
    assert seen[stop + 1] == resumed
    assert content(tmp_path)[:2] == content(finished)[:2]
    assert not (tmp_path / RUN / "resume.pt").exists()


@pytest.mark.parametrize(("recipe", "stop", "resumed"), [({}, 7, 5), ({"minutes": 1e-9}, 4, 4)])
def test_state_is_saved_at_the_end_of_epochs_and_every_few_minutes(
    root, tmp_path, monkeypatch, recipe, stop, resumed
):
    """With batches of one, an epoch of the five samples ends after step 5."""
    settings = tiny_dataset.settings(root, batch_size=1)
    del settings["recipe"]["checkpoint_every"]
    settings["recipe"] |= {f"checkpoint_{key}": value for key, value in recipe.items()}
    seen = stop_at(monkeypatch, stop)
    with pytest.raises(KeyboardInterrupt):
        tiny_dataset.train(settings, tmp_path, RUN)
    tiny_dataset.train(settings, tmp_path, RUN)
    assert seen[stop + 1] == resumed


def test_state_of_other_settings_is_refused_with_the_difference(
    root, tmp_path, monkeypatch, caplog
):
    seen = stop_at(monkeypatch, 4)
    with pytest.raises(KeyboardInterrupt):
        tiny_dataset.train(tiny_dataset.settings(root), tmp_path, RUN)
    config = (tmp_path / RUN / "config.yaml").read_bytes()
    changed = tiny_dataset.settings(root, learning_rate=0.001)
    message = (
        r"resume\.pt: step 4 of a training that differs in recipe\.learning_rate "
        r"\(found 0\.003, expected 0\.001\); .* --fresh"
    )
    with pytest.raises(UserError, match=message):
        tiny_dataset.train(changed, tmp_path, RUN)
    assert (tmp_path / RUN / "config.yaml").read_bytes() == config
    assert (tmp_path / RUN / "resume.pt").exists()
    tiny_dataset.train(changed, tmp_path, RUN, restart=True)
    assert seen[5] == 0
    assert re.search(message, caplog.text)


def test_damaged_state_is_refused_or_left_and_a_newer_one_always_refused(root, tmp_path):
    path = tmp_path / RUN / "resume.pt"
    path.parent.mkdir(parents=True)
    path.write_bytes(b"half a file")
    settings = tiny_dataset.settings(root, steps=1)
    with pytest.raises(UserError, match=r"resume\.pt: not a training state .* --fresh"):
        tiny_dataset.train(settings, tmp_path, RUN)
    tiny_dataset.train(settings, tmp_path, RUN, restart=True)
    assert (tmp_path / RUN / "checkpoint.pt").exists()
    torch.save({"format": FORMAT + 1}, path)
    for restart in (False, True):
        with pytest.raises(UserError, match=r"resume\.pt: written by a newer version"):
            tiny_dataset.train(settings, tmp_path, RUN, restart=restart)
    tiny_dataset.train(settings, tmp_path, RUN, fresh=True)


def test_state_without_a_format_is_one_of_the_first(root, finished, tmp_path, monkeypatch):
    seen = stop_at(monkeypatch, 4)
    with pytest.raises(KeyboardInterrupt):
        tiny_dataset.train(tiny_dataset.settings(root), tmp_path, RUN)
    path = tmp_path / RUN / "resume.pt"
    state = torch.load(path, weights_only=True)
    del state["format"]
    torch.save(state, path)
    tiny_dataset.train(tiny_dataset.settings(root), tmp_path, RUN)
    assert content(tmp_path) == content(finished)
    assert seen == [0, 1, 2, 3, 4, *range(4, len(set(seen)))]


def test_worker_processes_change_nothing(root, finished, tmp_path):
    tiny_dataset.train(tiny_dataset.settings(root, workers=2), tmp_path, RUN)
    assert content(tmp_path)[:2] == content(finished)[:2]


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
    tiny_dataset.train(settings, tmp_path, RUN)
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
    tiny_dataset.train(settings, finished, "tiny/temporal_concatenation/seed3")
    state = load_checkpoint(finished / "tiny/temporal_concatenation/seed3/checkpoint.pt")
    start = load_checkpoint(finished / RUN / "checkpoint.pt")
    for name, value in start.items():
        torch.testing.assert_close(state[name], value, atol=1e-6, rtol=0)


@pytest.mark.parametrize(
    ("modules", "unwanted"),
    [
        (
            "tdmi.experiments.predict",
            ("scipy", "pandas", "triton", "lightning_fabric", "torch._dynamo"),
        ),
        (
            "tdmi.experiments.train",
            ("scipy", "pandas", "torchvision"),
        ),
    ],
)
def test_jobs_never_import_what_they_do_not_need(modules, unwanted):
    """Every job of the workflow is a process of its own."""
    program = f"import sys, {modules}; print([m for m in {unwanted} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.stdout == "[]\n", done.stderr


def test_loss_that_is_not_finite_stops_with_a_cure(root, tmp_path, monkeypatch):
    monkeypatch.setattr(
        "tdmi.models.method.heatmap_loss", lambda prediction, *_, **__: prediction.sum() * math.nan
    )
    with pytest.raises(
        UserError, match=r"loss is nan at step 0; .*look at the initial weights.*nan_batch\.pt"
    ):
        tiny_dataset.train(tiny_dataset.settings(root), tmp_path, RUN)
    assert not (tmp_path / RUN / "checkpoint.pt").exists()
    kept = torch.load(tmp_path / RUN / "nan_batch.pt", weights_only=True)
    assert kept["step"] == 0
    assert kept["positions"] == [0, 1, 2, 3]
    assert kept["frames"].shape == (4, 1, 64, 48, 3)
    assert math.isnan(kept["values"]["loss"])
    assert all(value.isfinite().all() for value in kept["model"].values())


def test_gradient_that_is_not_finite_stops_with_a_cure(root, tmp_path, monkeypatch):
    def steep(prediction, *_, **__):
        return (prediction - prediction.detach()).abs().sqrt().sum()  # slope 0 / 0 at 0

    monkeypatch.setattr("tdmi.models.method.heatmap_loss", steep)
    with pytest.raises(UserError, match=r"gradient_norm_backbone is nan at step 0; lower learning"):
        tiny_dataset.train(tiny_dataset.settings(root), tmp_path, RUN)


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
            monkeypatch.setattr("tdmi.training.loop.Fabric", Half)
        settings = tiny_dataset.settings(root, gradient_clip=0.01, validate_every=8)
        tiny_dataset.train(settings, tmp_path, name)
        histories[name] = pd.read_csv(tmp_path / name / "history.csv")
    whole, half = (histories[name].gradient_norm_backbone for name in ("whole", "half"))
    assert half.to_numpy() == pytest.approx(whole.to_numpy(), rel=0.1)


def test_the_optimiser_gets_clipped_gradients(root, tmp_path, monkeypatch):
    step, norms = torch.optim.Adam.step, []

    def watched(optimiser, *arguments, **more):
        parameters = [p for group in optimiser.param_groups for p in group["params"]]
        gradients = [p.grad for p in parameters if p.grad is not None]
        norms.append(float(torch.nn.utils.get_total_norm(gradients)))
        return step(optimiser, *arguments, **more)

    monkeypatch.setattr(torch.optim.Adam, "step", watched)
    settings = tiny_dataset.settings(root, gradient_clip=0.001, steps=2, log_every=1)
    tiny_dataset.train(settings, tmp_path, RUN)
    recorded = pd.read_csv(tmp_path / RUN / "history.csv").gradient_norm_backbone
    assert len(norms) == 2 and (recorded > 0.002).all(), "the history has them unclipped"
    assert norms == pytest.approx([0.001, 0.001], rel=1e-3)


def test_an_overflow_of_half_precision_leaves_the_step_out(root, tmp_path, monkeypatch):
    monkeypatch.setattr("tdmi.training.loop.Fabric", Half)
    monkeypatch.setattr(
        "tdmi.models.method.heatmap_loss",
        lambda prediction, target, *_, **__: 1e6 * (prediction - target).square().mean(),
    )
    settings = tiny_dataset.settings(root, validate_every=8, steps=1)
    tiny_dataset.train(settings, tmp_path, RUN)
    history = pd.read_csv(tmp_path / RUN / "history.csv")
    assert not math.isfinite(history.gradient_norm_backbone[0])
    torch.manual_seed(settings["seed"])
    before, after = (
        build_method(tiny_dataset.typed(settings)),
        load_checkpoint(tmp_path / RUN / "checkpoint.pt"),
    )
    for name, value in before.named_parameters():
        assert torch.equal(after[name], value)


def test_interrupted_half_precision_goes_on_with_its_scale(root, tmp_path, monkeypatch):
    """The scale doubles with every step here; the state of step 4, an epoch's end, is resumed."""
    monkeypatch.setattr("tdmi.training.loop.Fabric", Half)
    update, scales = Loop.update, []

    def watched(loop, *batch):
        if loop.step == 4 and len(scales) < 5:
            raise KeyboardInterrupt
        scales.append(loop.fabric.strategy.precision.scaler.get_scale())
        return update(loop, *batch)

    monkeypatch.setattr(Loop, "update", watched)
    settings = tiny_dataset.settings(root, validate_every=8, steps=5)
    with pytest.raises(KeyboardInterrupt):
        tiny_dataset.train(settings, tmp_path, RUN)
    scales.append(None)
    tiny_dataset.train(settings, tmp_path, RUN)
    assert scales == [1024.0, 2048.0, 4096.0, 8192.0, None, 16384.0]
