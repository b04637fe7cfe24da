"""HRNet against the official implementation's numbers, and at sizes that it was not made for."""

import re

import pytest
import torch

from baselines.single_frame import SingleFrame
from tdmi.checkpoints import convert, load_published, names
from tdmi.core.errors import UserError
from tdmi.data.skeletons import COCO, HIEVE, POSETRACK18
from tdmi.models.hrnet import HRNet
from tdmi.models.output import Target
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


def golden_model(name: str, dtype: torch.dtype) -> SingleFrame:
    (width,) = re.findall(r"hrnet_w(\d+)", name)
    model = SingleFrame(HRNet(int(width))).to(dtype)
    model.load_single_frame(convert(reference_state(name)).tensors)
    return model


@pytest.mark.golden
@pytest.mark.parametrize(("name", "run", "dtype"), runs("hrnet_w"))
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


def our_name(name: str) -> str:
    return names.hrnet(name)


@pytest.mark.golden
@pytest.mark.usefixtures("reference_layout")
@pytest.mark.parametrize(("name", "dtype"), steps("hrnet_w"))
def test_equals_official_training_step(name, dtype):
    model = golden_model(name, dtype).train()
    model.loss_factor = 0.5
    step = read(name, "train_step.json")
    recipe = step["input"]
    x = formula_input((recipe["batch"], 3, recipe["h"], recipe["w"]), recipe["seed"]).to(dtype)
    heatmaps, weight = training_target(step)
    output = model(x[:, None], torch.zeros(len(x), 1))
    losses = model.loss(output, Target(heatmaps.to(dtype), weight.to(dtype)))
    losses["heatmap"].backward()
    parameters, buffers = dict(model.named_parameters()), dict(model.named_buffers())
    assert_step_equals_golden(
        step,
        losses["heatmap"],
        {name: parameters[our_name(name)].grad for name in step["float64"]["grads"]},
        {name: buffers[our_name(name)] for name in step_buffers(step)},
    )


@pytest.mark.parametrize(("height", "width"), [(96, 72), (64, 48), (50, 38)])
@pytest.mark.parametrize("stages", [2, 3, 4])
def test_small_trunks_at_any_size(height, width, stages):
    trunk = HRNet(8, stages, modules=(1, 1, 2), blocks=1, stem_width=16, stem_blocks=1).eval()
    maps = trunk(torch.randn(1, 3, height, width), trunk.depths)
    assert trunk.depths == tuple(range(1, stages + 1))
    assert [tuple(m.shape) for m in maps] == [(1, 8, -(-height // 4), -(-width // 4))] * stages


def test_depths_are_those_of_one_pass():
    trunk = HRNet(8, 4, modules=(1, 1, 1), blocks=1, stem_width=8, stem_blocks=1).eval()
    x = torch.randn(1, 3, 64, 48)
    every = trunk(x, (1, 2, 3, 4))
    assert torch.equal(trunk(x)[0], every[3])
    for depth in trunk.depths:
        assert torch.equal(trunk(x, (depth,))[0], every[depth - 1])
    assert [torch.equal(a, b) for a, b in zip(trunk(x, (3, 1)), (every[2], every[0]), strict=True)]
    with pytest.raises(ValueError, match="depths"):
        trunk(x, (5,))


def test_unused_outputs_are_not_built():
    trunk = HRNet(8, 3, modules=(1, 2), blocks=1)
    assert len(trunk.stage3[0].fuse_layers) == 3
    assert len(trunk.stage3[1].fuse_layers) == 1
    x = trunk(torch.randn(2, 3, 64, 48))[0].sum()
    x.backward()
    assert all(p.grad is not None for p in trunk.parameters())


def test_names_of_official_and_foreign_files():
    assert names.hrnet("final_layer.bias") == "head.bias"
    assert names.hrnet("stage2.0.x") == "backbone.stage2.0.x"
    assert names.hrnet("incre_modules.0.weight") is None


@pytest.mark.parametrize("skeleton", [POSETRACK18, HIEVE], ids=lambda s: s.name)
def test_published_weights_start_a_run_joint_by_joint(tmp_path, skeleton):
    def trunk():
        return HRNet(4, 2, modules=(1,), blocks=1, stem_width=4, stem_blocks=1)

    coco = SingleFrame(trunk(), len(COCO))
    torch.nn.init.normal_(coco.head.weight)
    official = {
        key.replace("head.", "final_layer.").removeprefix("backbone."): value
        for key, value in coco.state_dict().items()
    }
    torch.save(official, tmp_path / "coco.pth")
    method = SingleFrame(trunk(), len(skeleton))
    before = method.head.weight.clone()
    load_published(tmp_path / "coco.pth", method, skeleton)
    assert torch.equal(method.backbone.conv1.weight, coco.backbone.conv1.weight)
    for i, joint in enumerate(skeleton.joints):
        known = joint in COCO.joints
        wanted = coco.head.weight[COCO.index(joint)] if known else before[i]
        assert torch.equal(method.head.weight[i], wanted), joint


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "no such file"),
        (b"not weights", "no readable weights"),
        ({"a.b": 1}, "no state dictionary"),
        ({"a.b": torch.zeros(1)}, "no known network"),
    ],
)
def test_unusable_published_weights_are_named(tmp_path, content, message):
    path = tmp_path / "weights.pth"
    if isinstance(content, bytes):
        path.write_bytes(content)
    elif content is not None:
        torch.save(content, path)
    method = SingleFrame(HRNet(4, 2, modules=(1,), blocks=1, stem_width=4, stem_blocks=1))
    with pytest.raises(UserError, match=message):
        load_published(path, method, POSETRACK18)
