"""The heatmap loss against the numbers of the official HRNet and DCPose losses."""

import json
from pathlib import Path

import pytest
import torch
from golden_models import normal

from tdmi.losses.heatmap import heatmap_loss

CASES = json.loads((Path(__file__).parent / "golden/processing/losses.json").read_text())["cases"]
FACTORS = {"hrnet_joints_mse": 0.5, "dcpose_joint_mse": 1.0}


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("name", FACTORS)
@pytest.mark.parametrize("weighted", [True, False])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_equals_official_losses(case, name, weighted, dtype):
    shape = tuple(case["shape"])
    output = normal(shape, case["seed_output"]).to(dtype).requires_grad_()
    target = normal(shape, case["seed_target"]).to(dtype)
    k = torch.arange(shape[0] * shape[1]).reshape(shape[:2])
    weight = torch.ones(shape[:2], dtype=dtype)
    if weighted:
        weight[k % 7 == 3] = 1.5
        weight[k % 4 == 0] = 0
    golden = case["losses"][name + ("_weighted" if weighted else "_plain")]
    golden = golden["float64" if dtype == torch.float64 else "float32"]
    loss = heatmap_loss(output, target, weight, factor=FACTORS[name])
    loss.backward()
    tolerance = 1e-12 if dtype == torch.float64 else 1e-6
    assert loss.item() == pytest.approx(golden["loss"], rel=tolerance)
    assert float(output.grad.abs().sum()) == pytest.approx(golden["grad_abs_sum"], rel=tolerance)
    grad = output.grad.flatten()
    assert float(grad[0]) == pytest.approx(golden["grad_at_0"], rel=tolerance * 10)
    assert float(grad[-1]) == pytest.approx(golden["grad_at_last"], rel=tolerance * 10)


def test_foreground_weight_by_hand():
    prediction = torch.tensor([[[[0.0, 0.5]]]])
    target = torch.tensor([[[[0.0, 1.0]]]])
    loss = heatmap_loss(prediction, target, torch.ones(1, 1), foreground=9.0)
    assert loss.item() == pytest.approx((0 + 0.25 * 10) / 2)
    assert float(heatmap_loss(target, target, torch.ones(1, 1), foreground=9.0)) == 0
