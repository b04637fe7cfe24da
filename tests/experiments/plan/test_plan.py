"""Counts of `tdmi plan` against real steps and by hand, sizes, planned values beside measured."""

import math
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from tdmi.cli.main import main
from tdmi.cli.plan import DEVICES as OPTION
from tdmi.config.keys import SuiteKey
from tdmi.config.suite import Suite
from tdmi.config.suites import load_suite, load_suites
from tdmi.config.training import Recipe
from tdmi.core.files import write_json
from tdmi.experiments.build import build_method
from tdmi.experiments.plan import throughput
from tdmi.experiments.plan.compare import compare
from tdmi.experiments.plan.counting import (
    Counted,
    Job,
    count,
    jobs_of,
    memory_of,
    random_batch,
    total_loss,
)
from tdmi.experiments.plan.plan import PERSON_BYTES, Plan, make_plan, row
from tdmi.experiments.plan.sizes import Sizes, sizes
from tdmi.experiments.plan.throughput import Throughput, read_devices
from tdmi.models.cost import cost
from tdmi.reporting.plan import comparison_table, plan_table
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


def with_recipe(job, **changes):
    recipe = replace(job.settings.recipe, **changes)
    return replace(job, settings=replace(job.settings, recipe=recipe))


def at(suite, root):
    """The suite with its data elsewhere."""
    return replace(suite, dataset=replace(suite.dataset, root=str(root)))


def job_of(suite, name) -> Job:
    return next(job for job in jobs_of(suite) if job.method == name)


@pytest.mark.parametrize("name", ["tdmi", "posewarper", "single_frame", "flow_pooling"])
def test_counted_step_is_the_real_step(name):
    """Counting without content gives the operations of a step and a prediction with content."""
    job = job_of(load_suite("embedded"), name)
    job = with_recipe(job, batch_size=2)
    counted = count(job)
    method = build_method(job.settings).train()
    with FlopCounterMode(display=False) as counter:
        total_loss(method, *random_batch(method, job, 2)).backward()
    assert counted.step_gflops == pytest.approx(counter.get_total_flops() / 1e9)
    alone = cost(method, *job.settings.crop.size).gflops
    if name == "posewarper":  # what depends on its weights alone is computed once for a batch
        assert 0.8 * alone < counted.predict_gflops < alone
    else:
        assert counted.predict_gflops == pytest.approx(alone)
    assert counted.state_bytes > 4 * sum(p.numel() for p in method.parameters())


def test_backward_pass_is_twice_the_forward_one_where_all_learns_and_little_where_frozen(tiny):
    single, frozen = (count(job) for job in jobs_of(tiny))
    # The first convolution needs no gradient of the picture, so a little less than twice.
    assert 2.8 * 4 * single.predict_gflops < single.step_gflops < 3 * 4 * single.predict_gflops
    assert frozen.step_gflops < 1.5 * 4 * frozen.predict_gflops


def test_memory_of_a_forward_pass_by_hand():
    """Five layers keep their outputs of 1 MiB; the largest module has as much on both sides."""
    layers = nn.Sequential(*(nn.Tanh() for _ in range(5)))
    x = torch.zeros(MIB // 4, requires_grad=True)
    result, bytes_kept = memory_of(lambda: layers(x))
    assert result.shape == x.shape
    assert bytes_kept == (5 + 2) * MIB
    with torch.no_grad():
        assert memory_of(lambda: layers(x))[1] == 2 * MIB


def test_memory_leaves_out_parameters_and_counts_shared_memory_once():
    layer = nn.Linear(1024, 1024, bias=False)  # 4 MiB of weights
    x = torch.zeros(256, 1024)  # 1 MiB, kept by both layers
    assert memory_of(lambda: layer(x) + layer(x.view(256, 1024)))[1] == (1 + 2) * MIB


def test_memory_is_that_of_the_batch_and_less_in_mixed_precision(tiny):
    job = job_of(tiny, "single_frame")
    one, four, mixed = (
        count(with_recipe(job, **changes)).memory_bytes
        for changes in ({"batch_size": 100}, {"batch_size": 400}, {"precision": "bf16-mixed"})
    )
    assert four == pytest.approx(4 * one, rel=0.1)
    assert mixed < count(job).memory_bytes


def test_row_by_hand(tiny):
    """2 runs of 8 steps of 4, validated after steps 4 and 8 on 5 people, 5 + 4 people predicted."""
    counted = Counted(30.0, 2.0, memory_bytes=8300, state_bytes=400)
    rate = Throughput(step=1.0, predict=0.1, load=0.05, source="x")
    size = sizes(tiny)
    assert (size.train, size.validation) == (5, 5)
    assert size.boxes == {"ground_truth_boxes": 5, "detected_boxes": 4}
    assert size.cache_bytes == 2 * 5 * 120 * 160 * 3
    found = row(job_of(tiny, "single_frame"), size, counted, rate, base_bytes=1000)
    step, predict = 1.0 + 4 * 0.05, 2 * 0.1 + 0.05
    train = 8 * step + 2 * 5 * predict
    assert found["step_seconds"] == pytest.approx(step)
    assert found["predict_seconds"] == pytest.approx(predict)
    assert found["train_hours"] == pytest.approx(2 * train / 3600)
    assert found["predict_hours"] == pytest.approx(2 * 9 * predict / 3600)
    assert found["hours"] == pytest.approx(found["train_hours"] + found["predict_hours"])
    assert found["pflops"] == pytest.approx(2 * (8 * 30 + 2 * 2 * (10 + 9)) / 1e6)
    assert found["samples"] == 32
    assert found["memory_bytes"] == 1000 + 8300
    assert found["disk_bytes"] == 2 * (400 + 2 * PERSON_BYTES * 9)
    workers = replace(tiny, recipes={"short": replace(tiny.recipes["short"], workers=2)})
    beside = row(job_of(workers, "single_frame"), size, counted, rate, base_bytes=0)
    assert beside["step_seconds"] == 1.0  # loading in two workers takes 0.1 s and is hidden


@pytest.mark.parametrize(
    ("every", "number"), [(60, 2), (50, 3), (120, 1), (500, 1), (None, 0)], ids=str
)
def test_number_of_validations(tiny, every, number):
    """120 steps; operations of predictions alone tell how often five people are validated."""
    job = job_of(tiny, "single_frame")
    job = with_recipe(job, steps=120, validate_every=every)
    size, counted = replace(sizes(tiny), boxes={}), Counted(0.0, 1.0, 0, 0)
    found = row(job, size, counted, Throughput(0.0, 0.0, None, "x"), 0)
    assert found["pflops"] == pytest.approx(2 * 2 * 5 * number / 1e6)


def test_what_is_not_known_stays_blank(tiny):
    counted = Counted(30.0, 2.0, 8300, 400)
    rate = Throughput(1.0, 0.1, None, "x")
    size = Sizes(None, None, {"ground_truth_boxes": None}, "nothing", None, "nothing", 0)
    suite = replace(tiny, recipes={"short": Recipe(epochs=2, batch_size=4)})
    job = job_of(suite, "single_frame")
    found = row(job, size, counted, rate, 0)
    assert all(math.isnan(found[key]) for key in ("steps", "hours", "pflops", "disk_bytes"))
    table = plan_table(Plan([job], pd.DataFrame([found]), "x", [], None))
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


def test_weights_that_are_evaluated_untrained_cost_only_predictions(tiny):
    job = job_of(replace(tiny, recipes={"short": Recipe(steps=0)}), "single_frame")
    size, counted = sizes(tiny), count(job)
    found = row(job, size, counted, Throughput(1.0, 0.1, None, "x"), 0)
    assert (found["steps"], found["train_hours"]) == (0, 0)
    assert found["pflops"] == pytest.approx(2 * 2 * 9 * counted.predict_gflops / 1e6)


@pytest.mark.parametrize(
    ("name", "mixed", "seconds"),
    [
        ("h100", False, 1 / 494.7),
        ("a100", True, 1 / 312),
        ("rtx4090", False, 1 / 82.6),
    ],
)
def test_time_from_a_peak_by_hand(name, mixed, seconds):
    counted = Counted(1000.0, 500.0, 0, 0)
    rate = throughput.from_peak(counted, read_devices()[name], 0.5, mixed)
    assert rate.step == pytest.approx(2 * seconds)
    assert rate.predict == pytest.approx(seconds)


def test_every_device_of_the_option_is_in_the_table_with_its_source():
    devices = read_devices()
    assert set(devices) | {"cpu"} == set(OPTION)
    assert all(device.source and device.tf32 < device.bf16 for device in devices.values())


def test_timed_step_is_scaled_to_the_batch_and_large_models_go_by_operations(tiny, monkeypatch):
    job = job_of(tiny, "single_frame")
    counted = count(job)
    works = []

    def seconds(work, device, warm_up):
        work()
        works.append(warm_up)
        return 2.0

    monkeypatch.setattr(throughput, "_seconds", seconds)
    monkeypatch.setattr(throughput, "DRY_GFLOPS", counted.step_gflops / 2)
    rate = throughput.timed(job, counted, torch.device("cpu"))
    assert rate.step == 2.0 * 4 / 2
    assert rate.load == 2.0 / 24
    assert works == [False, True, True]  # loading, prediction, step: the last two warmed up
    monkeypatch.setattr(throughput, "DRY_GFLOPS", counted.step_gflops / 1000)
    rate = throughput.timed(job, counted, torch.device("cpu"))
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
    plan = Plan(jobs_of(tiny), pd.DataFrame(rows), "one CPU core", [], None)
    for seed, seconds in ((0, 3000.0), (1, 5000.0)):
        run = tmp_path / "runs" / "tiny" / "single_frame" / f"seed{seed}"
        (run / "ground_truth_boxes" / "predictions").mkdir(parents=True)
        write_json(run / "provenance.json", {"training": {"train_seconds": seconds}})
        write_json(run / "timing.json", {"predict_ms_per_person": 50.0})
        (run / "checkpoint.pt").write_bytes(bytes(1000))
        (run / "ground_truth_boxes" / "predictions" / "a.json").write_bytes(bytes(500))
        (run / "train.benchmark.tsv").write_text("s\tmax_rss\n7.0\t620.5\n")
    frame = compare(plan, tmp_path / "runs").set_index("method")
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
