"""`tdmi plan`: counts against real steps and by hand, sizes, planned beside measured."""

import math
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch
from torch import nn

from tdmi.cli.main import main
from tdmi.config.keys import SuiteKey
from tdmi.config.suite import Suite
from tdmi.config.suites import load_suite, load_suites
from tdmi.config.training import Recipe
from tdmi.core.files import write_json
from tdmi.experiments.build import build_method
from tdmi.experiments.plan import throughput
from tdmi.experiments.plan.compare import compare
from tdmi.experiments.plan.counting import Counted, LiveMemory, _step, count
from tdmi.experiments.plan.devices import DEVICES
from tdmi.experiments.plan.plan import Plan, _validations, make_plan, row
from tdmi.experiments.plan.presentation import comparison_table, plan_table
from tdmi.experiments.plan.sizes import Sizes, sizes
from tdmi.experiments.plan.throughput import Throughput
from tdmi.models.cost import cost
from tests.support import tiny_dataset

MIB = 2**20


@pytest.fixture
def tiny(tmp_path):
    """A suite of two methods on the tiny data set: the second is frozen but for its own parts."""
    root = tmp_path / "data"
    tiny_dataset.write(root)
    settings = tiny_dataset.settings(root)
    use = {"label": "A", "family": "single", "description": "", "recipe": "short", "options": {}}
    suite = {key: settings[key] for key in ("crop", "augmentation", "backbone", "inference")}
    content = suite | {
        "suite": "tiny",
        "title": "Tiny",
        "dataset": settings["dataset"],
        "seeds": [0, 1],
        "recipes": {"short": settings["recipe"]},
        "report": {"reference": "single_frame", "equal_compute": None},
        "key": SuiteKey("tiny"),
        "methods": {
            "single_frame": use | {"class": "baselines.single_frame.SingleFrame"},
            "temporal_concatenation": use
            | {
                "label": "B",
                "class": "baselines.temporal_concatenation.TemporalConcatenation",
                "options": {"freeze_backbone": True},
            },
        },
    }
    return Suite.from_checked(content)


def at(suite, root):
    """The suite with its data elsewhere."""
    return replace(suite, dataset=replace(suite.dataset, root=str(root)))


@pytest.mark.parametrize("name", ["tdmi", "posewarper", "single_frame", "flow_pooling"])
def test_counted_step_is_the_real_step(name):
    """The same operations and the same peak without content as with it."""
    suite = load_suite("embedded")
    settings = suite.settings(name, 0)
    settings = replace(settings, recipe=replace(settings.recipe, batch_size=2))
    counted = count(settings)
    method = build_method(settings)
    forward, total, peak = _step(method, settings, 2)
    assert counted.forward_gflops == pytest.approx(forward / 1e9)
    assert counted.step_gflops == pytest.approx(total / 1e9)
    # Scaled from one sample where content is needed: what is not of the batch counts twice.
    assert counted.working_bytes == pytest.approx(peak, rel=0.1 if name == "flow_pooling" else 0.01)
    alone = cost(method, *settings.crop.size).gflops
    if name == "posewarper":  # what depends on its weights alone is computed once for a batch
        assert 0.8 * alone < counted.predict_gflops < alone
    else:
        assert counted.predict_gflops == pytest.approx(alone)
    assert counted.parameters == sum(p.numel() for p in method.parameters())


def test_backward_pass_is_twice_the_forward_one_where_all_learns_and_little_where_frozen(tiny):
    single = count(tiny.settings("single_frame", 0))
    frozen = count(tiny.settings("temporal_concatenation", 0))
    # The first convolution needs no gradient of the picture, so a little less than twice.
    assert 2.8 * single.forward_gflops < single.step_gflops < 3 * single.forward_gflops
    assert frozen.step_gflops < 1.5 * frozen.forward_gflops
    assert frozen.trainable_bytes < frozen.state_bytes


def test_live_memory_by_hand():
    """A chain of maps of 1 MiB: at most three live at once, views take nothing."""
    with LiveMemory() as memory:
        x = torch.zeros(MIB // 4)
        y = x + 1  # two
        z = y.view(2, -1)[0] * 2  # two and a half
        del x, y, z
        assert memory.peak == 2.5 * MIB
        w = torch.zeros(MIB // 4)
        w.add_(1)
        assert memory.peak == 2.5 * MIB
        held = [w] + [w + i for i in range(3)]
    assert memory.peak == len(held) * MIB


def test_live_memory_holds_what_the_backward_pass_needs():
    layers = nn.Sequential(*(nn.Tanh() for _ in range(5)))
    x = torch.zeros(MIB // 4, requires_grad=True)
    with LiveMemory() as kept:
        layers(x)
    with LiveMemory() as free, torch.no_grad():
        layers(x)
    assert (kept.peak, free.peak) == (5 * MIB, 2 * MIB)


def test_row_by_hand(tiny):
    """2 runs of 8 steps of 4, validated after steps 4 and 8 on 5 people, 5 + 4 people predicted."""
    counted = Counted(4, (0,), 10, 30.0, 10.0, 2.0, 7000, 400, 300, 6000)
    rate = Throughput(step=1.0, predict=0.1, load=0.05, source="x")
    size = sizes(tiny)
    assert (size.train, size.validation) == (5, 5)
    assert size.boxes == {"ground_truth_boxes": 5, "detected_boxes": 4}
    assert size.cache_bytes == 2 * 5 * 120 * 160 * 3
    found = row(tiny, "single_frame", size, lambda settings: (counted, rate), base_bytes=1000)
    step, predict = 1.0 + 4 * 0.05, 2 * 0.1 + 0.05
    train = 8 * step + 2 * 5 * predict
    assert found["step_seconds"] == pytest.approx(step)
    assert found["predict_seconds"] == pytest.approx(predict)
    assert found["train_hours"] == pytest.approx(2 * train / 3600)
    assert found["predict_hours"] == pytest.approx(2 * 9 * predict / 3600)
    assert found["hours"] == pytest.approx(found["train_hours"] + found["predict_hours"])
    assert found["pflops"] == pytest.approx(2 * (8 * 30 + 2 * 2 * (10 + 9)) / 1e6)
    assert found["samples"] == 32
    assert found["memory_bytes"] == 1000 + 400 + 3 * 300 + 7000
    workers = replace(tiny.recipes["short"], workers=2)
    beside = row(
        replace(tiny, recipes={"short": workers}), "single_frame", size,
        lambda settings: (counted, rate), base_bytes=0,
    )  # fmt: skip
    assert beside["step_seconds"] == 1.0  # loading in two workers takes 0.1 s and is hidden


def test_number_of_validations():
    assert [_validations(120, every) for every in (60, 50, 120, 500, None)] == [2, 3, 1, 1, 0]


def test_what_is_not_known_stays_blank(tiny):
    counted = Counted(4, (0,), 10, 30.0, 10.0, 2.0, 7000, 400, 300, 6000)
    rate = Throughput(1.0, 0.1, None, "x")
    size = Sizes(None, None, {"ground_truth_boxes": None}, "nothing", None, "nothing", 0)
    recipe = Recipe(epochs=2, batch_size=4)
    suite = replace(tiny, recipes={"short": recipe})
    found = row(suite, "single_frame", size, lambda settings: (counted, rate), 0)
    assert all(math.isnan(found[key]) for key in ("steps", "hours", "pflops", "disk_bytes"))
    table = plan_table(Plan(pd.DataFrame([found]), "x", [], None))
    assert table.cells[0][3].text == table.cells[0][-1].text == table.cells[-1][-1].text == ""


def test_published_sizes_are_shared_out_by_videos_and_said_to_be(monkeypatch, tmp_path):
    suite = at(load_suite("posetrack18"), tmp_path)
    size = sizes(suite)
    assert size.train == round(153615 * 593 / 763)
    assert size.boxes["detected_boxes"] == round(153615 * 170 / 763)
    assert "not prepared; 153,615 people are published" in size.source and "unsure" in size.source
    suite = at(load_suite("posetrack17"), tmp_path)
    assert sizes(suite).train == round(80144 * 250 / 300)
    assert sizes(suite).data_bytes == 7 * 4_700_000_000 + 525_000_000
    suite = at(load_suite("hieve"), tmp_path)
    assert sizes(suite).train is None


def test_mocap_that_is_not_rendered_is_expected_from_its_options(tmp_path):
    suite = at(load_suite("smoke"), tmp_path)
    people = 0.3 + 2 * 0.35 + 3 * 0.22 + 4 * 0.13
    assert sizes(suite).train == round(12 * 6 * people)  # 10 frames, two at each end unlabelled
    assert sizes(suite).boxes["ground_truth_boxes"] == round(4 * 3 * people)


@pytest.mark.parametrize(
    ("name", "precision", "seconds"),
    [
        ("h100", "32-true", 1 / 494.7),
        ("a100", "bf16-mixed", 1 / 312),
        ("rtx4090", "32-true", 1 / 82.6),
    ],
)
def test_time_from_a_peak_by_hand(name, precision, seconds):
    counted = Counted(1, (0,), 1, 1000.0, 0.0, 500.0, 0, 0, 0, 0)
    rate = throughput.from_peak(counted, DEVICES[name], 0.5, precision)
    assert rate.step == pytest.approx(2 * seconds)
    assert rate.predict == pytest.approx(seconds)


def test_timed_step_is_scaled_to_the_batch_and_large_models_go_by_operations(tiny, monkeypatch):
    settings = tiny.settings("single_frame", 0)
    counted = count(settings)
    works = []

    def seconds(work, device, warm):
        work()
        works.append(warm)
        return 2.0

    monkeypatch.setattr(throughput, "_seconds", seconds)
    monkeypatch.setattr(throughput, "DRY_GFLOPS", counted.step_gflops / 2)
    rate = throughput.timed(settings, counted, torch.device("cpu"))
    assert rate.step == 2.0 * 4 / 2
    assert len(works) == 2
    monkeypatch.setattr(throughput, "DRY_GFLOPS", counted.step_gflops / 1000)
    rate = throughput.timed(settings, counted, torch.device("cpu"))
    assert rate.predict == 2.0
    assert rate.step == pytest.approx(2.0 * counted.step_gflops / counted.predict_gflops)


def test_plan_of_a_tiny_suite_counts_runs_and_measures(tiny):
    plan = make_plan({"tiny": tiny}, "cpu")
    assert plan.rows.runs.tolist() == [2, 2]
    assert (plan.rows[["step_seconds", "predict_seconds", "memory_bytes"]] > 0).all(axis=None)
    assert plan.data_bytes > 0
    table = plan_table(plan)
    assert table.cells[-1][2].value == 4
    total = plan.rows.hours.sum()
    assert table.cells[-1][-1].value == pytest.approx(total)


def test_planned_beside_measured(tiny, tmp_path):
    numbers = {"train_hours": 2.0, "predict_seconds": 0.1, "memory_bytes": 5e8, "disk_bytes": 4e6}
    rows = [
        {"suite": "tiny", "method": name, "label": name, "family": "single", "runs": 2} | numbers
        for name in tiny.methods
    ]
    plan = Plan(pd.DataFrame(rows), "one CPU core", [], None)
    for seed, seconds in ((0, 3000.0), (1, 5000.0)):
        run = tmp_path / "runs" / "tiny" / "single_frame" / f"seed{seed}"
        (run / "ground_truth_boxes" / "predictions").mkdir(parents=True)
        write_json(run / "provenance.json", {"training": {"train_seconds": seconds}})
        write_json(run / "timing.json", {"predict_ms_per_person": 50.0})
        (run / "checkpoint.pt").write_bytes(bytes(1000))
        (run / "ground_truth_boxes" / "predictions" / "a.json").write_bytes(bytes(500))
        (run / "train.benchmark.tsv").write_text("s\tmax_rss\n7.0\t620.5\n")
    frame = compare(plan, {"tiny": tiny}, tmp_path / "runs").set_index("method")
    one = frame.loc["single_frame"]
    assert (one.done, one.planned_train_seconds, one.measured_train_seconds) == (2, 3600, 4000)
    assert one.measured_predict_seconds == 0.05
    assert one.measured_memory_bytes == 620.5e6
    assert (one.planned_disk_bytes, one.measured_disk_bytes) == (2e6, 1500)
    assert np.isnan(frame.loc["temporal_concatenation"].measured_train_seconds)
    cells = comparison_table(frame.reset_index(), "one CPU core").cells
    assert [cell.text for cell in cells[0][2:6]] == ["2 of 2", "3600", "4000", "1.11"]
    assert [cell.text for cell in cells[1][2:6]] == ["0 of 2", "3600", "", ""]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["smoke", "--efficiency", "2", "--gpu", "h100"], "--efficiency: found 2.0, expected"),
        (["smoke", "--efficiency", "0.2"], "--efficiency goes with --gpu h100"),
        (["nowhere"], "no suite 'nowhere'"),
        (["smoke", "--gpu", "h100", "--compare", "nowhere"], "nowhere: no such folder"),
    ],
)
def test_bad_input_is_one_line(arguments, message, capsys):
    assert main(["plan", *arguments]) == 2
    assert message in capsys.readouterr().err.splitlines()[-1]


def test_command_writes_table_and_figure(tmp_path, capsys):
    assert main(["plan", "smoke", "--gpu", "h100", "--out", str(tmp_path)]) == 0
    out = capsys.readouterr().out
    methods = load_suites("smoke")["smoke"].methods
    assert all(f"| smoke | {use.label} |" in out for use in methods.values())
    assert "15% of the dense peak, an assumption" in out
    names = {path.name for path in tmp_path.iterdir()}
    assert names == {"plan.csv", "plan.md", "plan.tex"} | {
        f"plan_hours.{kind}" for kind in ("csv", "png", "svg")
    }
    assert len(pd.read_csv(tmp_path / "plan.csv")) == len(methods)
