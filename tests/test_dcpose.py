"""DCPose against the released implementation's numbers."""

import pytest
import torch
from golden_models import (
    Recorder,
    assert_equals_golden,
    assert_step_equals_golden,
    formula_input,
    read,
    reference_state,
    training_target,
)

from baselines.dcpose import DCPose, nearness
from tdmi.checkpoints import from_dcpose
from tdmi.errors import UserError
from tdmi.models.hrnet import HRNet
from tdmi.models.output import Target


def our_name(name: str) -> str:
    return next(iter(from_dcpose({name: torch.zeros(1)})))


def golden_model(dtype: torch.dtype) -> DCPose:
    model = DCPose(HRNet(48), start="paper", backbone_norm="updated").to(dtype)
    model.load_state_dict(from_dcpose(reference_state("dcpose")), strict=True)
    return model


def golden_frames(shape: list[int], seed: int, margins: list[list[int]]):
    """Reference order is current, previous, next; ours previous, current, next."""
    b, _, h, w = shape
    current, previous, following = formula_input((b, 9, h, w), seed).split(3, dim=1)
    offsets = torch.tensor([[-left, 0, right] for left, right in margins])
    return torch.stack([previous, current, following], dim=1), offsets


@pytest.mark.parametrize(
    ("run", "dtype"),
    [
        (1, torch.float64),
        pytest.param(1, torch.float32, marks=pytest.mark.slow),
        pytest.param(0, torch.float64, marks=pytest.mark.slow),
        pytest.param(0, torch.float32, marks=pytest.mark.slow),
    ],
)
def test_equals_released_outputs(run, dtype):
    model = golden_model(dtype).eval()
    golden = read("dcpose")["runs"][run]
    shapes = golden["input"]["shapes"]
    frames, offsets = golden_frames(shapes["x"], golden["input"]["seed"], shapes["margin"])
    recorder = Recorder(
        {
            "diff_temporal_fuse": model.residual_fusion,
            "support_temporal_fuse": model.merger,
            "offset_mask_combine_conv": model.combination,
            "offsets_list.0": model.offsets[0],
            "offsets_list.4": model.offsets[4],
            "masks_list.0": model.masks[0],
            "masks_list.4": model.masks[4],
            "modulated_deform_conv_list.0": model.corrections[0],
            "modulated_deform_conv_list.4": model.corrections[4],
        }
    )
    with torch.no_grad():
        output = model(frames.to(dtype), offsets)
    assert_equals_golden(output.heatmaps, golden["outputs"]["heatmaps"])
    assert_equals_golden(output.terms["single_frame"], golden["outputs"]["current_rough_heatmaps"])
    compared = set()
    for key, wanted in golden["intermediates"].items():
        part, call = key.split("#")
        if part in recorder.calls:
            assert_equals_golden(recorder.calls[part][int(call)], wanted)
            compared.add(part)
    assert compared == set(recorder.calls)


@pytest.mark.parametrize(
    "dtype", [torch.float32, pytest.param(torch.float64, marks=pytest.mark.slow)]
)
def test_equals_released_training_step(dtype):
    """The released "frozen" backbone has no gradients, but its norms are in training mode."""
    model = golden_model(dtype).train()
    model.backbone.requires_grad_(False)
    model.head.requires_grad_(False)
    step = read("dcpose", "train_step.json")
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
    norms = [name.removesuffix("running_mean") for name in step["float64"]["running_after"]]
    assert_step_equals_golden(
        step,
        losses["heatmap"],
        {name: parameters[our_name(name)].grad for name in step["float64"]["grads"]},
        {
            stem + leaf: buffers[our_name(stem + leaf)]
            for stem in norms
            for leaf in ("running_mean", "running_var")
        },
    )


def test_nearness_by_hand():
    offsets = torch.tensor([[-1, 0, 1], [-1, 0, 3], [0, 0, 1], [-2, 0, 0]])
    previous, following = nearness(offsets)
    torch.testing.assert_close(previous, torch.tensor([0.5, 0.75, 0.5, 1 / 3]))
    torch.testing.assert_close(following, torch.tensor([0.5, 0.25, 0.5, 2 / 3]))


def test_unknown_names_are_refused():
    with pytest.raises(UserError, match="classifier"):
        from_dcpose({"classifier.weight": torch.zeros(1)})
