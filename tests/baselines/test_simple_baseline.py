"""SimpleBaseline against the official implementation's numbers; its trunk under every method."""

import copy
import re
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
import torch
import yaml

from baselines.single_frame import SingleFrame
from tdmi.checkpoints import convert, load_published, names
from tdmi.config.files import WORKFLOW
from tdmi.config.keys import SmallSize, SuiteKey
from tdmi.config.settings import Settings
from tdmi.config.suites import load_suite
from tdmi.core.errors import UserError
from tdmi.data.skeletons import COCO, POSETRACK18
from tdmi.experiments.build import build_method
from tdmi.models.cost import cost
from tdmi.models.output import Target
from tdmi.models.resnet import PoseResNet
from tests.support import tiny_dataset
from tests.support.golden_models import (
    Recorder,
    assert_equals_golden,
    assert_step_equals_golden,
    formula_input,
    read,
    reference_state,
    runs,
    step_buffers,
    steps,
    training_target,
)
from tests.support.methods import JOINTS, METHODS, TEMPORAL


def our_name(name: str) -> str:
    return names.simple_baseline(name)


def golden_model(name: str, dtype: torch.dtype) -> SingleFrame:
    (layers,) = re.findall(r"simplebaseline_r(\d+)", name)
    model = SingleFrame(PoseResNet(int(layers))).to(dtype)
    model.load_single_frame(convert(reference_state(name)).tensors)
    return model


@pytest.mark.golden
@pytest.mark.parametrize(("name", "run", "dtype"), runs("simplebaseline_r"))
def test_equals_official_outputs(name, run, dtype):
    model = golden_model(name, dtype).eval()
    golden = read(name)["runs"][run]
    parts = {key.split("#")[0] for key in golden["intermediates"]}
    recorder = Recorder({part: model.backbone.get_submodule(part) for part in parts})
    x = formula_input(golden["input"]["shapes"]["x"], golden["input"]["seed"]).to(dtype)
    with torch.no_grad():
        heatmaps = model(x[:, None], torch.zeros(len(x), 1)).heatmaps
    assert_equals_golden(heatmaps, golden["outputs"]["heatmaps"])
    for key, wanted in golden["intermediates"].items():
        part, call = key.split("#")
        assert_equals_golden(recorder.calls[part][int(call)], wanted)


@pytest.mark.golden
@pytest.mark.usefixtures("reference_layout")
@pytest.mark.parametrize(("name", "dtype"), steps("simplebaseline_r"))
def test_equals_official_training_step(name, dtype):
    model = golden_model(name, dtype).train()
    model.loss_factor = 0.5
    step = read(name, "train_step.json")
    recipe = step["input"]
    x = formula_input((recipe["batch"], 3, recipe["h"], recipe["w"]), recipe["seed"]).to(dtype)
    heatmaps, weight = training_target(step)
    output = model(x[:, None], torch.zeros(len(x), 1))
    loss = model.loss(output, Target(heatmaps.to(dtype), weight.to(dtype)))["heatmap"]
    loss.backward()
    parameters, buffers = dict(model.named_parameters()), dict(model.named_buffers())
    assert_step_equals_golden(
        step,
        loss,
        {name: parameters[our_name(name)].grad for name in step["float64"]["grads"]},
        {name: buffers[our_name(name)] for name in step_buffers(step)},
    )


@pytest.mark.parametrize(
    ("height", "width", "gflops"), [(256, 192, 10.8527616), (384, 288, 24.4187136)]
)
def test_cost_of_50_layers_as_counted_elsewhere(height, width, gflops):
    """The official model's count: 33,999,697 parameters."""
    found = cost(SingleFrame(PoseResNet(50)), height, width)
    assert found.parameters == found.trainable_parameters == 33999697
    assert found.gflops == pytest.approx(gflops, rel=1e-12)


@pytest.mark.parametrize(("layers", "millions"), [(101, 53.0), (152, 68.6)])
def test_parameters_of_the_larger_trunks(layers, millions):
    with torch.device("meta"):
        model = SingleFrame(PoseResNet(layers))
    assert sum(p.numel() for p in model.parameters()) / 1e6 == pytest.approx(millions, abs=0.05)


def trained_trunk() -> PoseResNet:
    """A thin one whose features are not all but zero, as a fresh one's are."""
    torch.manual_seed(0)
    trunk = PoseResNet(width=2)
    for layer in trunk.deconv_layers:
        if isinstance(layer, torch.nn.ConvTranspose2d):
            torch.nn.init.kaiming_normal_(layer.weight)
    return trunk


@pytest.mark.parametrize(("height", "width"), [(96, 72), (64, 48), (50, 38)])
def test_features_are_a_quarter_of_any_size(height, width):
    trunk = PoseResNet(width=4).eval()
    (features,) = trunk(torch.randn(1, 3, height, width))
    assert tuple(features.shape) == (1, trunk.channels, -(-height // 4), -(-width // 4))


def test_what_lies_beyond_is_cut_off_right_and_below():
    trunk = trained_trunk().eval()
    recorder = Recorder({"deconv_layers": trunk.deconv_layers})
    (features,) = trunk(torch.randn(1, 3, 72, 48))
    (whole,) = recorder.calls["deconv_layers"]
    assert tuple(whole.shape[2:]) == (24, 16) and whole.std() > 0.1
    assert torch.equal(features, whole[:, :, :18, :12])


def test_there_is_one_depth():
    trunk = PoseResNet(width=4)
    assert [m.shape[1] for m in trunk(torch.zeros(2, 3, 32, 32), (1, 1))] == [16, 16]
    with pytest.raises(ValueError, match="depths"):
        trunk(torch.zeros(2, 3, 32, 32), (2,))


@pytest.mark.parametrize("name", [n for n in TEMPORAL if n.split("_")[0] != "tdmi"])
def test_every_temporal_baseline_starts_from_it(name):
    single = SingleFrame(trained_trunk(), JOINTS)
    torch.nn.init.normal_(single.head.weight)
    method = replace(METHODS[name], resnet=True).build()
    method.load_single_frame(single.state_dict())
    single.eval(), method.eval()
    frames = torch.rand(1, len(method.window), 3, 64, 48)
    with torch.no_grad():
        ours = method(frames, torch.tensor([method.window])).heatmaps
        wanted = single(frames[:, method.key, None], torch.zeros(1, 1)).heatmaps
    assert wanted.std() > 0.05
    torch.testing.assert_close(ours, wanted, rtol=1e-5, atol=1e-5)


def settings(backbone: dict) -> Settings:
    return tiny_dataset.typed(tiny_dataset.settings(Path("data")) | {"backbone": backbone})


def test_a_run_names_its_backbone():
    trunk = build_method(settings({"kind": "resnet", "layers": 50, "width": 2})).backbone
    assert isinstance(trunk, PoseResNet) and trunk.channels == 8
    small = {"width": 4, "stages": 2, "modules": [1], "blocks": 1, "stem_width": 4}
    for backbone in (small, {"kind": "hrnet", **small}):
        assert type(build_method(settings(backbone)).backbone).__name__ == "HRNet"


@pytest.mark.parametrize(
    ("backbone", "words"),
    [
        ({"kind": "vit"}, "tiny: backbone/kind: 'vit' is not one of ['hrnet', 'resnet']"),
        (
            {"kind": "resnet", "layers": 34},
            "tiny: backbone/layers: 34 is not one of [50, 101, 152]",
        ),
        ({"kind": "resnet", "stages": 3}, "option backbone: found unknown 'stages'"),
    ],
)
def test_wrong_backbones_are_refused(backbone, words):
    with pytest.raises(UserError) as error:
        build_method(settings(backbone))
    assert words in str(error.value)


def test_a_method_may_have_a_backbone_of_its_own(tmp_path):
    shutil.copytree(WORKFLOW, tmp_path / "workflow")
    path = tmp_path / "workflow/config/smoke.yaml"
    content, own = yaml.safe_load(path.read_text()), {"kind": "resnet", "layers": 152}
    use = {"recipe": "from_scratch", "backbone": own}
    content["methods"] = {"single_frame": {"recipe": "from_scratch"}, "simple_baseline": use}
    path.write_text(yaml.safe_dump(content))
    suite = load_suite("smoke", tmp_path / "workflow")
    assert suite.settings("single_frame", 0).backbone == suite.backbone
    assert suite.settings("simple_baseline", 0).backbone.to_dict() == own
    small = load_suite(SuiteKey("smoke", size=SmallSize(width=4)), tmp_path / "workflow")
    assert small.settings("simple_baseline", 0).backbone.to_dict() == {**own, "width": 4}
    assert small.settings("single_frame", 0).backbone.stem_width == 4


def test_published_weights_start_a_run_joint_by_joint(tmp_path):
    coco = SingleFrame(PoseResNet(width=2), len(COCO))
    for parameter in coco.head.parameters():
        torch.nn.init.normal_(parameter)
    official = {
        "module." + key.replace("head.", "final_layer.").removeprefix("backbone."): value
        for key, value in coco.state_dict().items()
    }
    torch.save(official, tmp_path / "coco.pth")
    method = SingleFrame(PoseResNet(width=2), len(POSETRACK18))
    drawn = copy.deepcopy(method.head)
    load_published(tmp_path / "coco.pth", method, POSETRACK18)
    assert torch.equal(method.backbone.conv1.weight, coco.backbone.conv1.weight)
    for joint, name in enumerate(POSETRACK18.joints):
        same = name in COCO.joints
        wanted = coco.head if same else drawn
        row = COCO.index(name) if same else joint
        assert torch.equal(method.head.weight[joint], wanted.weight[row]), name
        assert torch.equal(method.head.bias[joint], wanted.bias[row]), name


def test_names_of_other_networks_have_no_counterpart():
    assert names.simple_baseline("fc.weight") is None
