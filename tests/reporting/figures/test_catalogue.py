"""Figures of difficulty, PCKh, calibration and single videos; the list of all figures."""

import json
import math

import pytest

from tdmi.data.skeletons import POSETRACK17
from tdmi.reporting.data.runs import Runs, read_runs
from tdmi.reporting.data.spec import Method
from tdmi.reporting.figures.breakdown import difficulty_data, videos_data
from tdmi.reporting.figures.catalogue import figures
from tdmi.reporting.figures.curves import miscalibration, pckh_data, reliability_data
from tests.support.report_suite import made_spec, metrics, references, write_joint_runs

BOXES = "ground_truth_boxes"
METHODS = (
    Method("single", "Single", "single", (1, 2)),
    Method("layers", "Layers", "control", (1, 2)),
    Method("tdmi", "TDMI", "difference", (1, 2)),
)
SPEC = made_spec(
    METHODS,
    references=references(METHODS, single_frame="single", equal_layers="layers"),
    subject=METHODS[2],
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
    data = difficulty_data(runs, SPEC, BOXES).set_index(["attribute", "bin", "method"])
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
    data = pckh_data(runs, SPEC).set_index(["method", "threshold"])
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
    data = videos_data(runs, SPEC)
    assert len(data) == 2 * 3 * 2
    chosen = data[(data.against == "layers") & (data.video == "b")].set_index("seed")["value"]
    assert chosen.to_dict() == {1: 1.0, 2: 5.0}


def test_every_figure_is_drawn_with_its_conditions(runs):
    found = list(figures(runs, SPEC, []))
    assert [figure.name for figure in found] == [
        "mean_ap", "difference_to_single", "difference_to_layers", f"per_joint_{BOXES}",
        f"difficulty_{BOXES}", "pckh", "reliability", "single_videos",
    ]  # fmt: skip
    assert [figure.name for figure in found if figure.section == "answer"] == [
        "difference_to_layers"
    ]
    for figure in found:
        figure.draw(figure.data, SPEC).draw_without_rendering()
        assert "ground-truth boxes; seeds 1, 2." in figure.conditions


def test_without_the_parts_of_the_metrics_their_figures_are_left_out(tmp_path):
    write_joint_runs(tmp_path / "suite", {"single": [50.0]})
    runs = read_runs(tmp_path / "suite", METHODS, [BOXES])
    names = {figure.name for figure in figures(runs, SPEC, [])}
    assert "mean_ap" in names
    assert names.isdisjoint({f"difficulty_{BOXES}", "pckh", "reliability", "single_videos"})
