"""The heatmap loss against the numbers of the official HRNet and DCPose losses."""

import pytest
import torch

from tdmi.losses.heatmap import heatmap_loss
from tests.support.golden import assert_close, processing_cases
from tests.support.golden_models import normal

OPTIONS = {
    "hrnet_joints_mse": {"factor": 0.5},
    "dcpose_joint_mse": {"factor": 1.0},
}
CASES = [
    (case, loss, *loss.rsplit("_", 1))
    for case in processing_cases("losses")
    for loss in case["losses"]
    if loss.rsplit("_", 1)[0] in OPTIONS
]


@pytest.mark.golden
@pytest.mark.parametrize(("case", "loss", "name", "weighting"), CASES)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_equals_official_losses(case, loss, name, weighting, dtype):
    shape = tuple(case["shape"])
    output = normal(shape, case["seed_output"]).to(dtype).requires_grad_()
    target = normal(shape, case["seed_target"]).to(dtype)
    k = torch.arange(shape[0] * shape[1]).reshape(shape[:2])
    weight = torch.ones(shape[:2], dtype=dtype)
    if weighting == "weighted":
        weight[k % 7 == 3] = 1.5
        weight[k % 4 == 0] = 0
    golden = case["losses"][loss]["float64" if dtype == torch.float64 else "float32"]
    value = heatmap_loss(output, target, weight, **OPTIONS[name])
    value.backward()
    tolerance = 1e-12 if dtype == torch.float64 else 1e-6
    grad = output.grad.flatten()
    assert_close(value, golden["loss"], tolerance, scale=golden["loss"])
    assert_close(grad.abs().sum(), golden["grad_abs_sum"], tolerance, golden["grad_abs_sum"])
    ends = [golden["grad_at_0"], golden["grad_at_last"]]
    assert_close(grad[[0, -1]], ends, tolerance * 10, scale=float(grad.abs().max()))


def test_foreground_weight_by_hand():
    prediction = torch.tensor([[[[0.0, 0.5]]]])
    target = torch.tensor([[[[0.0, 1.0]]]])
    loss = heatmap_loss(prediction, target, torch.ones(1, 1), foreground=9.0)
    assert loss.item() == pytest.approx((0 + 0.25 * 10) / 2)
    assert float(heatmap_loss(target, target, torch.ones(1, 1), foreground=9.0)) == 0
