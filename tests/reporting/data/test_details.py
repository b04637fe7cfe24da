"""Figures of difficulty, PCKh, reliability and single videos; the table of differences."""

import json
import math
from dataclasses import replace
from pathlib import Path

import pytest

from tdmi.data.skeletons import POSETRACK17
from tdmi.reporting.data import comparison
from tdmi.reporting.data.runs import Runs, read_runs
from tdmi.reporting.data.settings import Dataset, Method, Settings
from tdmi.reporting.figures import accuracy as figures
from tdmi.reporting.figures import detail_drawings
from tdmi.reporting.figures.axis_clipping import outlying
from tdmi.reporting.figures.calibration import miscalibration, reliability_data
from tdmi.reporting.figures.difficulty import difficulty_data
from tdmi.reporting.figures.pckh import pckh_data
from tdmi.reporting.figures.videos import videos_data
from tdmi.reporting.tables import tables
from tdmi.reporting.tables.differences import differences_table
from tests.support.report_suite import metrics

BOXES = "ground_truth_boxes"
METHODS = (
    Method("single", "Single", "single", (1, 2)),
    Method("layers", "Layers", "control", (1, 2)),
    Method("tdmi", "TDMI", "difference", (1, 2)),
)
SETTINGS = Settings(
    suite="suite",
    title="Suite",
    summary="",
    dataset=Dataset("Data", Path("data"), "test"),
    methods=METHODS,
    seeds=(1, 2),
    box_protocols=(BOXES,),
    reference="single",
    equal_compute=None,
    equal_layers="layers",
    subject="tdmi",
    gallery_methods=(),
    real_video=None,
    settings={},
)
AP = {"single": (50.0, 52.0), "layers": (53.0, 53.0), "tdmi": (54.0, 58.0)}
# AP of the easy and the hard half of the people.
HALVES = {
    "single": ((60, 40), (62, 42)),
    "layers": ((61, 45), (63, 45)),
    "tdmi": ((61, 46), (65, 48)),
}


def detailed(method: str, seed: int) -> dict:
    """A run's metrics.json with all parts."""
    value, halves = AP[method][seed - 1], HALVES[method][seed - 1]
    content = metrics(dict.fromkeys(POSETRACK17.joints, value))
    low, high = {"from": None, "to": 0.5}, {"from": 0.5, "to": None}
    easy = {"persons": 150, "few": False, "ap": {"total": halves[0]}}
    hard = {"persons": 50, "few": True, "ap": {"total": halves[1]}}
    content["slices"] = {
        "speed": {"bins": [low | easy, high | hard]},
        "visible_fraction": {"bins": [low | hard, high | easy]},
    }
    content["pckh"] = {
        "thresholds": [0.0, 0.25, 0.5], "annotated": {"total": [0.0, value / 2, value]}
    }  # fmt: skip
    content["reliability"] = {
        "edges": [0.0, 0.5, 1.0], "joints": [0, 100 * seed], "mean_score": [None, 0.8],
        "right": [None, value],
    }  # fmt: skip
    content["per_video"] = {name: {"ap_total": value + k} for k, name in enumerate("abc")}
    return content


@pytest.fixture(scope="module")
def runs(tmp_path_factory) -> Runs:
    folder = tmp_path_factory.mktemp("runs") / "suite"
    for method in METHODS:
        for seed in method.seeds:
            path = folder / method.name / f"seed{seed}" / BOXES / "metrics.json"
            path.parent.mkdir(parents=True)
            path.write_text(json.dumps(detailed(method.name, seed)))
    return read_runs(folder, METHODS, [BOXES])


def test_difficulty_by_hand(runs):
    data = difficulty_data(runs, BOXES, "single").set_index(["attribute", "bin", "method"])
    # Fast people are hard, visible ones easy: bin 0 is the easy one of both.
    assert data.loc[("speed", 0, "tdmi"), "to"] == 0.5
    assert data.loc[("visible_fraction", 0, "tdmi"), "from"] == 0.5
    hard = data.loc[("speed", 1, "tdmi")]
    assert (hard.ap, hard["value"], hard.persons, hard.few) == (47, 6, 50, True)
    easy = data.loc[("speed", 0, "tdmi")]
    # 1 and 3: mean 2, standard deviation 1.4142, Student's quantile with one degree 12.7062.
    assert easy["value"] == 2
    assert easy.high - easy["value"] == pytest.approx(
        12.7062 * math.sqrt(2) / math.sqrt(2), rel=1e-4
    )


def test_pckh_by_hand(runs):
    data = pckh_data(runs, {BOXES: "boxes"}, "single").set_index(["method", "threshold"])
    row = data.loc[("tdmi", 0.5)]
    assert (row.within, row["value"]) == (56, 5)
    assert row.value_std == pytest.approx(math.sqrt(2))
    assert data.loc[("tdmi", 0.25), "value"] == 2.5


def test_reliability_counts_joints_of_all_seeds(runs):
    data = reliability_data(runs).set_index("method")
    row = data.loc["tdmi"]
    assert (row.low, row.joints) == (0.5, 300)
    assert row.right == pytest.approx((100 * 54 + 200 * 58) / 300)
    assert row.mean_score == pytest.approx(0.8)
    assert miscalibration(data.loc[["tdmi"]]) == pytest.approx(80 - row.right)


def test_single_videos_are_paired_by_seed(runs):
    data = videos_data(runs, {BOXES: "boxes"}, "tdmi", ["single", "layers"])
    assert len(data) == 2 * 3 * 2
    chosen = data[(data.against == "layers") & (data.video == "b")].set_index("seed")["value"]
    assert chosen.to_dict() == {1: 1.0, 2: 5.0}


def test_every_figure_is_drawn_and_named_for_the_page(runs):
    drawn = {}

    def add(name, figure, data, caption, conditions):
        figure.draw_without_rendering()
        drawn[name] = (len(data), caption, conditions)

    detail_drawings.add_details(runs, SETTINGS, add, lambda boxes: f"On {boxes}.")
    assert list(drawn) == [f"difficulty_{BOXES}", "pckh", "reliability", "single_videos"]
    assert all(name.startswith(detail_drawings.NAMES) for name in drawn)
    assert all(rows and "ground-truth boxes" in words for rows, _, words in drawn.values())


def test_without_the_parts_of_the_metrics_their_figures_are_left_out(tmp_path):
    path = tmp_path / "suite" / "single" / "seed1" / BOXES / "metrics.json"
    path.parent.mkdir(parents=True)
    path.write_text(json.dumps(metrics(dict.fromkeys(POSETRACK17.joints, 50.0))))
    runs = read_runs(tmp_path / "suite", METHODS, [BOXES])
    drawn = []
    detail_drawings.add_details(runs, SETTINGS, lambda name, *_: drawn.append(name), str)
    assert drawn == []


def test_one_method_far_away_is_off_the_axis_and_none_among_even_ones():
    near = {f"m{k}": (k / 10, k / 10 + 0.05) for k in range(8)}
    assert outlying(near) == set()
    assert outlying(near | {"far": (-12.4, -12.4)}) == {"far"}
    # Half of the methods are no outliers, and nor is one that merely doubles the axis.
    assert outlying(near | {f"f{k}": (-12.0, -12.0) for k in range(8)}) == set()
    assert outlying(near | {"double": (1.5, 1.5)}) == set()
    assert outlying({}) == set()


def test_the_axis_of_differences_ends_at_the_others_and_an_arrow_tells_the_value():
    near = [Method(f"m{k}", f"M{k}", "flow", (1,)) for k in range(5)]
    methods = (*near, Method("far", "Far", "single", (1,)))
    values = figures.pd.DataFrame(
        [
            ("boxes", m.name, 1, -12.44 if m.name == "far" else k / 10)
            for k, m in enumerate(methods)
        ],
        columns=["protocol", "method", "seed", "value"],
    )
    figure = figures.mean_ap(values, methods, {"boxes": "boxes"}, None)
    (panel,) = figure.axes
    assert panel.get_xlim()[0] > -1
    assert "\N{MINUS SIGN}12.4, off the axis" in [text.get_text() for text in panel.texts]


def test_differences_to_the_best_rival_by_hand(runs):
    data = differences_table(runs, SETTINGS, BOXES).data.set_index("method")
    assert data.best_rival.to_dict() == {"single": "tdmi", "layers": "tdmi", "tdmi": "layers"}
    row = data.loc["tdmi"]
    assert (row.vs_single_frame_mean, row.vs_best_rival_mean) == (5, 3)
    # 1 and 5: standard deviation 2.8284.
    assert row.vs_best_rival_low == pytest.approx(3 - 12.7062 * 2, rel=1e-4)
    assert math.isnan(data.loc["single", "vs_single_frame_mean"])
    assert data.loc["tdmi", "runs"] == "suite/tdmi/seed1 suite/tdmi/seed2"


def test_a_method_that_was_not_run_has_no_best_rival(tmp_path):
    runs = read_runs(tmp_path / "suite", METHODS, [BOXES])
    table = differences_table(runs, SETTINGS, BOXES)
    assert [row[-1].text for row in table.cells] == ["not run"] * 3
    assert [row[1].text for row in table.cells] == [""] * 3


@pytest.mark.parametrize(
    ("mean", "low", "high", "holds"),
    [
        (0.04, 0.03, 0.05, False),
        (-0.04, -0.05, -0.03, False),
        (0.1, 0.05, 0.15, True),
        (-0.1, -0.15, -0.05, True),
        (1.0, -0.1, 2.1, False),
    ],
)
def test_a_difference_holds_beyond_its_interval_and_from_a_tenth_on(mean, low, high, holds):
    assert comparison.beyond(mean, low, high) is holds


def test_a_difference_shown_as_zero_is_not_said_to_hold(tmp_path):
    """Four hundredths ahead with next to no spread: beyond the interval, and of no size."""
    values = {"single": (50.0, 50.0), "layers": (50.04, 50.0401), "tdmi": (50.2, 50.2001)}
    for name, row in values.items():
        for seed, value in enumerate(row, start=1):
            path = tmp_path / "suite" / name / f"seed{seed}" / BOXES / "metrics.json"
            path.parent.mkdir(parents=True)
            path.write_text(json.dumps(metrics(dict.fromkeys(POSETRACK17.joints, value))))
    runs = read_runs(tmp_path / "suite", METHODS, [BOXES])
    settings = replace(SETTINGS, equal_layers=None)
    table = tables.comparison_table(runs, settings, BOXES, METHODS, settings.dataset)
    place = table.headings.index("vs single frame")
    assert table.cells[1][place].text == "+0.0 ± 0.0"
    assert table.cells[2][place].text == "+0.2 ± 0.0*"
    assert table.data.set_index("method").loc["layers", "vs_single_frame_low"] > 0
