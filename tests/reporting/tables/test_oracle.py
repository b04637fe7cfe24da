"""The table of what the window holds when motion is known."""

from dataclasses import replace

import pytest

from tdmi.reporting.tables.oracle import REACH, WORDS, oracle_table
from tests.support.report_suite import SEEDS


def test_independent_errors_shrink_when_frames_come_together(suite):
    table = oracle_table(suite.runs, suite.spec)
    rows = table.data.set_index("predictions")
    assert list(rows.index) == ["single_frame", "single_frame_equal_compute", "tdmi", *WORDS]
    assert (rows.seeds[list(WORDS)] == len(SEEDS)).all()
    # Every prediction is off by 6 px in each direction by itself and equally sure: with one score
    # for all, the surest is the key frame's own, and the mean of three to five is better by far.
    assert REACH == 2
    assert rows.mean_ap["mean"] > rows.mean_ap["surest"] + 5
    gain = rows.mean_ap - rows.mean_ap["single_frame"]
    assert rows.vs_single_frame_mean.to_dict() == pytest.approx(gain.to_dict())
    assert table.cells[0][2].text == "reference"


def test_only_exact_labels_know_the_motion(suite):
    spec, runs = suite.spec, suite.runs
    pseudo = replace(spec, dataset=replace(spec.dataset, labels="pseudo"))
    assert oracle_table(runs, pseudo) is None
    assert oracle_table(runs, replace(spec, evaluation="hieve")) is None


def test_without_predictions_there_is_no_table(suite, tmp_path):
    assert oracle_table(replace(suite.runs, folder=tmp_path), suite.spec) is None
