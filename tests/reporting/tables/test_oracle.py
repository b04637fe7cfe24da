"""The table of what the window holds when motion is known."""

from dataclasses import replace

import pytest

from tdmi.reporting.data.runs import read_runs
from tdmi.reporting.data.settings import load
from tdmi.reporting.tables.oracle import REACH, WORDS, headroom_table
from tests.support.report_suite import SEEDS, write_suite


@pytest.fixture(scope="module")
def suite(tmp_path_factory):
    folder = tmp_path_factory.mktemp("suite")
    settings = load(write_suite(folder))
    runs = folder / "runs" / "made_up"
    return settings, lambda: read_runs(runs, settings.methods, settings.box_protocols)


def test_independent_errors_shrink_when_frames_come_together(suite):
    settings, runs = suite
    table = headroom_table(runs(), settings)
    rows = table.data.set_index("predictions")
    assert list(rows.index) == ["single_frame", "tdmi", *WORDS]
    assert (rows.seeds[list(WORDS)] == len(SEEDS)).all()
    # Every prediction is off by 6 px in each direction by itself and equally sure: with one score
    # for all, the surest is the key frame's own, and the mean of three to five is better by far.
    assert REACH == 2
    assert rows.mean_ap["mean"] > rows.mean_ap["surest"] + 5
    gain = rows.mean_ap - rows.mean_ap["single_frame"]
    assert rows.vs_single_frame_mean.to_dict() == pytest.approx(gain.to_dict())
    assert table.cells[0][2].text == "reference"


def test_only_exact_labels_know_the_motion(suite):
    settings, runs = suite
    pseudo = replace(settings, dataset=replace(settings.dataset, labels="pseudo"))
    assert headroom_table(runs(), pseudo) is None
    assert headroom_table(runs(), replace(settings, evaluation="hieve")) is None


def test_without_predictions_there_is_no_table(suite, tmp_path):
    settings, runs = suite
    assert headroom_table(replace(runs(), folder=tmp_path), settings) is None
