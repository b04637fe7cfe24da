"""DCPose against the released implementation's numbers."""

import pytest
import torch

from baselines.dcpose import DCPose, nearness
from tdmi.checkpoints import convert, names
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


def our_name(name: str) -> str:
    return names.dcpose(name)


def golden_model(name: str, dtype: torch.dtype) -> DCPose:
    model = DCPose(HRNet(48), start="paper", backbone_norm="updated").to(dtype)
    model.load_state_dict(convert(reference_state(name)).tensors, strict=True)
    return model


def golden_frames(shape: list[int], seed: int, margins: list[list[int]]):
    """Reference order is current, previous, next; ours previous, current, next."""
    b, _, h, w = shape
    current, previous, following = formula_input((b, 9, h, w), seed).split(3, dim=1)
    offsets = torch.tensor([[-left, 0, right] for left, right in margins])
    return torch.stack([previous, current, following], dim=1), offsets


@pytest.mark.golden
@pytest.mark.parametrize(("name", "run", "dtype"), runs("dcpose"))
def test_equals_released_outputs(name, run, dtype):
    model = golden_model(name, dtype).eval()
    golden = read(name)["runs"][run]
    shapes = golden["input"]["shapes"]
    frames, offsets = golden_frames(shapes["x"], golden["input"]["seed"], shapes["margin"])
    recorder = Recorder(
        {
            "diff_temporal_fuse": model.residual_fusion,
            "support_temporal_fuse": model.merger,
            "offset_mask_combine_conv": model.combination,
            "rough_pose_estimation_net": model.head,
            **{f"offsets_list.{i}": layer for i, layer in enumerate(model.offsets)},
            **{f"masks_list.{i}": layer for i, layer in enumerate(model.masks)},
            **{
                f"modulated_deform_conv_list.{i}": layer
                for i, layer in enumerate(model.corrections)
            },
        }
    )
    with torch.no_grad():
        output = model(frames.to(dtype), offsets)
    assert_equals_golden(output.heatmaps, golden["outputs"]["heatmaps"])
    assert_equals_golden(output.terms["single_frame"], golden["outputs"]["current_rough_heatmaps"])
    # Released: current, previous, next frames of all samples; here each sample's in their order.
    (maps,) = recorder.calls["rough_pose_estimation_net"]
    maps = maps.unflatten(0, (-1, 3))[:, [1, 0, 2]]
    recorder.calls["rough_pose_estimation_net"] = [maps.transpose(0, 1).flatten(0, 1)]
    for key, wanted in golden["intermediates"].items():
        part, call = key.split("#")
        assert_equals_golden(recorder.calls[part][int(call)], wanted)


@pytest.mark.golden
@pytest.mark.usefixtures("reference_layout")
@pytest.mark.parametrize(("name", "dtype"), steps("dcpose", frames=3))
def test_equals_released_training_step(name, dtype):
    """The released "frozen" backbone has no gradients, but its norms are in training mode."""
    model = golden_model(name, dtype).train()
    model.backbone.requires_grad_(False)
    model.head.requires_grad_(False)
    step = read(name, "train_step.json")
    recipe = step["input"]
    margins = step["float64"]["extra"]["margin"]
    shape = [recipe["batch"], 9, recipe["h"], recipe["w"]]
    frames, offsets = golden_frames(shape, recipe["seed"], margins)
    heatmaps, weight = training_target(step)
    output = model(frames.to(dtype), offsets)
    losses = model.loss(output, Target(heatmaps.to(dtype), weight.to(dtype)))
    losses["heatmap"].backward()
    trainable = [p for p in model.parameters() if p.requires_grad]
    assert sum(p.numel() for p in trainable) == step["float64"]["numel_requires_grad"] == 1603053
    assert len(trainable) == step["float64"]["requires_grad"]
    assert all(p.grad is not None for p in trainable)
    parameters, buffers = dict(model.named_parameters()), dict(model.named_buffers())
    assert_step_equals_golden(
        step,
        losses["heatmap"],
        {name: parameters[our_name(name)].grad for name in step["float64"]["grads"]},
        {name: buffers[our_name(name)] for name in step_buffers(step)},
    )


def test_nearness_by_hand():
    offsets = torch.tensor([[-1, 0, 1], [-1, 0, 3], [0, 0, 1], [-2, 0, 0]])
    previous, following = nearness(offsets)
    torch.testing.assert_close(previous, torch.tensor([0.5, 0.75, 0.5, 1 / 3]))
    torch.testing.assert_close(following, torch.tensor([0.5, 0.25, 0.5, 2 / 3]))


def test_unknown_names_have_no_counterpart():
    assert names.dcpose("classifier.weight") is None
