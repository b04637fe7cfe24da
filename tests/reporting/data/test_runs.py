"""Run folders as data frames: broken files are named, missing ones left out."""

import json

import pandas as pd
import pytest

from tdmi.core.errors import UserError
from tdmi.reporting.data import comparison
from tdmi.reporting.data.runs import read_runs
from tdmi.reporting.data.spec import Method
from tests.support.report_suite import joint_runs, write_joint_runs

BOXES = "detected_boxes"
SINGLE = Method("single", "Single", "single", (1,))


def test_a_tracking_file_without_mota_is_named(tmp_path):
    write_joint_runs(tmp_path, {"single": [50.0]}, BOXES)
    path = tmp_path / "single" / "seed1" / BOXES / "tracking.json"
    path.write_text(json.dumps({"ap": {}}))
    with pytest.raises(UserError, match=r"tracking\.json: no 'mota'; run `tdmi evaluate --track"):
        read_runs(tmp_path, [SINGLE], [BOXES])


@pytest.mark.parametrize(
    ("file", "content", "place"),
    [
        ("detected_boxes/metrics.json", "{", "not valid JSON"),
        ("detected_boxes/metrics.json", "{}", "no 'ap'"),
        ("detected_boxes/metrics.json", '{"ap": {"head": 1}}', "no 'shoulder'"),
        ("detected_boxes/metrics.json", '{"ap": {"head": "high"}}', "ap.head: found 'high'"),
        ("cost.json", '{"parameters": "many"}', "parameters: found 'many'"),
        ("timing.json", "[1]", "found list"),
        ("history.csv", "epoch,step\n1,2\n", "no column ['loss']"),
        ("history.csv", "", "not a valid table"),
    ],
)
def test_a_broken_file_is_named(tmp_path, file, content, place):
    path = tmp_path / "single" / "seed1" / file
    path.parent.mkdir(parents=True)
    path.write_text(content)
    with pytest.raises(UserError) as caught:
        read_runs(tmp_path, [SINGLE], [BOXES])
    assert str(path) in str(caught.value)
    assert place in str(caught.value)


def test_seeds_whose_cost_differs_are_refused(tmp_path):
    for seed in (1, 2):
        path = tmp_path / "single" / f"seed{seed}" / "cost.json"
        path.parent.mkdir(parents=True)
        path.write_text(json.dumps({"parameters": seed, "gflops": 1.0, "input": [96, 72]}))
    with pytest.raises(UserError, match="another seed"):
        read_runs(tmp_path, [Method("single", "Single", "single", (1, 2))], [BOXES])


def test_null_is_blank_and_does_not_spoil_the_mean_of_other_seeds(tmp_path):
    write_joint_runs(tmp_path, {"single": [50.0, 52.0]}, BOXES)
    path = tmp_path / "single" / "seed1" / BOXES / "metrics.json"
    content = json.loads(path.read_text())
    content["ap"]["ankle"] = None
    path.write_text(json.dumps(content))
    runs = read_runs(tmp_path, [Method("single", "Single", "single", (1, 2))], [BOXES])
    ankle = comparison.summary(comparison.per_seed(runs.groups, BOXES, "ankle")).loc["single"]
    assert (ankle["mean"], ankle["n"]) == (52.0, 1)


def test_every_run_stands_in_the_long_table(tmp_path):
    values = {"single": [59.0, 62.0, 62.0], "equal": [61.0] * 3, "tdmi": [60.0, 62.0, 64.0]}
    runs, _ = joint_runs(tmp_path, values, BOXES)
    frame = runs.frame
    assert len(frame) == 9 * 3 * (8 + 15)
    chosen = frame.query("method == 'tdmi' and seed == 3 and measure == 'ap' and joint == 'nose'")
    assert isinstance(chosen, pd.DataFrame)
    assert chosen.value.tolist() == [64.0]
