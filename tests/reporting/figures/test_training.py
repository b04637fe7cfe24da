"""The figure of signs of collapse: methods and numbers that it draws."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import torch

from tdmi.models.hrnet import HRNet
from tdmi.models.tdmi import TDMI
from tdmi.reporting.data.runs import read_runs
from tdmi.reporting.figures import training
from tdmi.reporting.report import make_report
from tdmi.training import gradient_norms
from tests.support.report_suite import write_suite

MONITOR = {
    "gradient_norm_backbone": 0.0,
    "gradient_norm_new": 0.3,
    "gradient_norm_encoder": 0.2,
    "heatmap_peak": 0.7,
    "mask_useful_mean": 0.9,
    "mask_useful_spread": 0.1,
    "mask_useful_saturated": 0.5,
    "mask_noisy_mean": 0.2,
    "mask_noisy_spread": 0.05,
    "mask_noisy_saturated": 0.25,
    "mask_distance": 0.7,
    "useful_over_visual": 0.4,
}


@pytest.fixture
def monitored(tmp_path):
    """A suite whose TDMI has the monitor's columns in seeds 1 and 2, and DCPose the shared ones."""
    spec = write_suite(tmp_path)
    runs = tmp_path / "runs" / spec.suite
    for method, seed in (("tdmi", 1), ("tdmi", 2), ("dcpose", 1)):
        path = runs / method / f"seed{seed}" / "history.csv"
        history = pd.read_csv(path)
        for name, value in MONITOR.items():
            if method == "tdmi" or name.startswith(("gradient", "heatmap")):
                history[name] = value * seed / 2 * history.step / history.step.max()
        history.to_csv(path, index=False)
    return spec, tmp_path


def test_only_methods_with_gates_and_their_recorded_numbers_are_drawn(monitored):
    spec, folder = monitored
    runs = read_runs(folder / "runs" / spec.suite, spec.methods, spec.box_protocols)
    data = training.collapse_data(runs)
    assert set(data.method) == {"tdmi"} and set(data.seed) == {1, 2}
    assert set(data.quantity) == set(MONITOR) - {"gradient_norm_new"}
    last = data[data.step == data.step.max()]
    for name in set(data.quantity):
        for seed in (1, 2):
            (value,) = last[(last.quantity == name) & (last.seed == seed)].value
            assert value == pytest.approx(MONITOR[name] * seed / 2)


def test_means_over_seeds_are_the_thick_lines(monitored):
    spec, folder = monitored
    runs = read_runs(folder / "runs" / spec.suite, spec.methods, spec.box_protocols)
    figure = training.collapse(training.collapse_data(runs), spec)
    panels = {panel.get_title(loc="left"): panel for panel in figure.axes}
    assert list(panels) == [title for title, _, _ in training.PANELS] + ["Gradient norms"]
    assert figure.axes[0].get_ylabel() == "TDMI"
    *seeds, mean = panels["Masks: distance"].lines
    assert len(seeds) == 2
    np.testing.assert_allclose(mean.get_ydata()[-1], 0.75 * MONITOR["mask_distance"])
    assert panels["Gradient norms"].get_yscale() == "log"


def test_no_curve_is_cut_off(monitored):
    """Panels of one sign share their axis, also if the lowest method comes first."""
    spec, folder = monitored
    runs = read_runs(folder / "runs" / spec.suite, spec.methods, spec.box_protocols)
    data = training.collapse_data(runs)
    low = data.assign(method="dcpose", value=data.value / 3)
    figure = training.collapse(pd.concat([low, data], ignore_index=True), spec)
    assert len(figure.axes) == 2 * 7
    for panel in figure.axes:
        bottom, top = panel.get_ylim()
        for line in panel.lines:
            shown = line.get_ydata()[line.get_ydata() > 0]
            assert ((shown >= bottom) & (shown <= top)).all()


def test_every_sign_is_one_that_training_records():
    """The monitor of the method itself, so that a renamed column cannot leave an empty panel."""
    torch.manual_seed(0)
    method = TDMI(HRNet(8, 2, (1,), 1, 8, 1), 5, encoder={"offset_groups": 4}).eval()
    output = method(torch.randn(1, 5, 3, 32, 32), torch.tensor([[-2, -1, 0, 1, 2]]))
    recorded = {*method.monitor(output), "heatmap_peak"}
    drawn = {column for _, columns, _ in training.PANELS for column in columns}
    assert drawn == recorded
    assert {name for name in gradient_norms(method)} >= {f"{training.GRADIENT}encoder"}


def test_the_report_shows_it_where_a_method_has_gates(monitored, published):
    spec, folder = monitored
    out = folder / "results"
    make_report(spec, folder / "runs", out, published)
    text = (out / "index.html").read_text(encoding="utf-8")
    assert "Signs of collapse over training" in text
    for suffix in ("svg", "png", "csv"):
        assert (out / "figures" / f"signs_of_collapse.{suffix}").stat().st_size > 0


def test_without_gates_there_is_no_figure(suite):
    assert training.collapse_data(suite.runs).empty
