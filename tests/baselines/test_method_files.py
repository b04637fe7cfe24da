"""Every method file builds what it says, at the embedded scale and at the papers'."""

from __future__ import annotations

import functools
import re
from dataclasses import replace

import pytest
import torch

from tdmi.config.files import WORKFLOW
from tdmi.config.keys import SuiteKey
from tdmi.config.settings import Settings
from tdmi.config.suite import Suite
from tdmi.config.suites import load_suite
from tdmi.config.training import Backbone
from tdmi.experiments.build import build_method
from tdmi.models.cost import cost
from tdmi.models.output import Target
from tests.support.paths import ROOT

METHODS = sorted(p.stem for p in (WORKFLOW / "config" / "methods").glob("*.yaml"))
README = ROOT / "baselines" / "README.md"
EMBEDDED = load_suite("embedded")
# What maps of 16x12 need instead of the defaults for 96x72.
SMALL_MAPS = {
    "dcpose": {"channels": 16, "dilations": [1, 2, 3]},
    "posewarper": {"channels": 16, "blocks": 2, "dilations": [1, 2, 3]},
    "fami_pose": {"halvings": 2, "dilation": 1},
}
# Three branches have no fourth depth.
THREE_DEPTHS = {"depths": [1, 2, 3], "blocks": [2, 2, 2]}


@functools.cache
def full_scale(protocol: str) -> Suite:
    """Read once."""
    return load_suite(SuiteKey("posetrack17", protocol=protocol))


def losses_of(settings: Settings, backward: bool) -> tuple[torch.Tensor, float]:
    """Heatmaps and the total loss of one training step's forward pass on one window."""
    torch.manual_seed(0)
    method = build_method(settings).train()
    height, width = settings.crop.size
    frames = torch.randn(1, len(method.window), 3, height, width)
    offsets = torch.tensor([method.window])
    target = Target(torch.rand(1, 17, height // 4, width // 4), torch.ones(1, 17))
    with torch.set_grad_enabled(backward):
        output = method(frames, offsets)
        losses = method.loss(output, target)
        total = torch.stack(list(losses.values())).sum()
    if backward:
        total.backward()
        gradients = [p.grad for p in method.parameters() if p.grad is not None]
        assert gradients and all(g.isfinite().all() for g in gradients)
    return output.heatmaps, float(total.detach())


def test_full_scale_suites_hold_every_method():
    for name in ("posetrack17", "posetrack18", "posetrack21", "hieve"):
        assert set(load_suite(name).methods) == set(METHODS)


@pytest.mark.parametrize("name", METHODS)
def test_methods_train_at_the_embedded_scale(name):
    described = full_scale("shared").methods[name]
    options = dict(described.options) | SMALL_MAPS.get(name, {})
    options.pop("start", None)
    if "encoder" in options:
        options["encoder"] = options["encoder"] | THREE_DEPTHS
    backbone = EMBEDDED.backbone
    if name == "simple_baseline":
        backbone = Backbone(kind="resnet", layers=50, width=8)
    settings = full_scale("shared").settings(name, 0)
    method = replace(settings.method, options=options)
    settings = replace(settings, backbone=backbone, crop=EMBEDDED.crop, method=method)
    heatmaps, loss = losses_of(settings, backward=True)
    assert heatmaps.shape == (1, 17, 16, 12)
    assert 0 < loss < float("inf")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "protocol"),
    [
        (name, protocol)
        for protocol in ("shared", "published")
        for name in METHODS
        if protocol == "shared" or full_scale("shared").methods[name].published
    ],
)
def test_methods_run_at_the_scale_of_the_papers(name, protocol):
    heatmaps, loss = losses_of(full_scale(protocol).settings(name, 0), backward=False)
    assert heatmaps.shape == (1, 17, 96, 72)
    assert 0 < loss < float("inf")


def rows() -> dict[str, list[str]]:
    """Cells of the README's table of methods, by the method's name."""
    table = README.read_text().split("| Method | Family |")[1].split("\n## ")[0]
    lines = [line for line in table.splitlines() if line.startswith("| `")]
    cells = [[cell.strip() for cell in line.strip("|").split(" | ")] for line in lines]
    return {row[0].strip("` "): row for row in cells}


def test_the_readme_has_a_row_for_every_method():
    assert sorted(rows()) == METHODS


@pytest.mark.slow
@pytest.mark.parametrize("name", METHODS)
def test_the_readme_tells_sizes_and_cost(name):
    method = build_method(full_scale("shared").settings(name, 0))
    found = cost(method, 384, 288)
    shared = sum(p.numel() for part in (method.backbone, method.head) for p in part.parameters())
    parameters, trained, new = rows()[name][7].split("; ")
    assert parameters == f"{found.parameters:,}"
    assert rows()[name][8] == f"{found.gflops:.1f}"
    if re.fullmatch(r"[\d,]+", trained):
        assert trained == f"{found.trainable_parameters:,}"
    elif trained == "all":
        assert found.trainable_parameters == found.parameters
    if new != "–":
        assert new == f"{found.parameters - shared:,}"
