"""Tables of comparisons and differences, by hand calculation."""

import json
import math

import pytest

from tdmi.data.skeletons import POSETRACK17
from tdmi.reporting.data.runs import read_runs
from tdmi.reporting.tables import tables
from tdmi.reporting.tables.results import comparison_table, differences_table
from tests.support.report_suite import joint_runs, joint_table, metrics

BOXES = "ground_truth_boxes"
VALUES = {
    "single": [59.0, 62.0, 62.0],
    "equal": [61.0, 61.0, 61.0],
    "flow": [None, None, None],
    "tdmi": [60.0, 62.0, 64.0],
}
RIVALS = {"single": [50.0, 52.0], "layers": [53.0, 53.0], "tdmi": [54.0, 58.0]}


def test_means_spreads_and_paired_differences_equal_a_hand_calculation(tmp_path):
    row = joint_table(tmp_path, VALUES).data.set_index("method").loc["tdmi"]
    assert row["mean_ap_mean"] == pytest.approx(62)
    assert row["mean_ap_std"] == pytest.approx(2)
    assert row["wrist_mean"] == pytest.approx(62)
    # 60-59, 62-62, 64-62: mean 1, sample standard deviation 1.
    assert row["vs_single_frame_mean"] == pytest.approx(1)
    assert row["vs_single_frame_std"] == pytest.approx(1)
    # Student's 0.975 quantile with two degrees of freedom is 4.30265.
    assert row["vs_single_frame_low"] == pytest.approx(1 - 4.30265 / math.sqrt(3), abs=1e-4)
    assert row["vs_equal_compute_mean"] == pytest.approx(1)
    assert row["seeds"] == 3


def test_texts_of_the_table(tmp_path):
    text = tables.markdown(joint_table(tmp_path, VALUES))
    lines = text.splitlines()
    assert lines[2].startswith("| SINGLE | Single frame | 61.0 ± 1.7 |")
    assert "| reference | +0.0 ± 1.7 |" in lines[2]
    assert "**62.0 ± 2.0** | +1.0 ± 1.0 | +1.0 ± 2.0 |" in lines[5]


def test_a_run_that_is_missing_gives_blank_cells_and_not_run(tmp_path):
    table = joint_table(tmp_path, VALUES)
    row = [cell.text for cell in table.cells[2]]
    assert row[:2] == ["FLOW", "Optical flow"]
    assert row[2:-1] == [""] * (len(row) - 3)
    assert row[-1] == "not run"
    record = tables.csv(table.data).splitlines()[3]
    assert record.startswith("flow,FLOW,flow,,,,,,,,")


def test_a_seed_that_is_missing_is_left_out_of_both_sides_of_a_difference(tmp_path):
    values = VALUES | {"tdmi": [None, 62.0, 64.0]}
    table = joint_table(tmp_path, values)
    row = table.data.set_index("method").loc["tdmi"]
    assert row["mean_ap_mean"] == pytest.approx(63)
    assert row["vs_single_frame_mean"] == pytest.approx((0 + 2) / 2)
    assert table.cells[3][-1].text == "2 of 3"


def test_mota_stands_beside_ap_where_a_run_was_tracked(tmp_path):
    assert "MOTA" not in joint_table(tmp_path / "without", VALUES).headings
    folder = tmp_path / "with"
    _, spec = joint_runs(folder, VALUES, BOXES)
    for seed, value in enumerate((30.0, -2.0, 32.0), start=1):
        content = {"mota": metrics(dict.fromkeys(POSETRACK17.joints, value))["ap"]}
        path = folder / "tdmi" / f"seed{seed}" / BOXES / "tracking.json"
        path.write_text(json.dumps(content))
    runs = read_runs(folder, spec.methods, spec.box_protocols)
    table = comparison_table(runs, spec, BOXES)
    place = table.headings.index("MOTA")
    assert table.headings[place - 1] == "Mean" and "MOTA" in table.caption
    assert [row[place].text for row in table.cells] == ["", "", "", "20.0 ± 19.1"]
    record = table.data.set_index("method").loc["tdmi"]
    assert record["mota_mean"] == pytest.approx(20) and record["mean_ap_mean"] == pytest.approx(62)


def test_a_reference_with_a_single_run_is_subtracted_from_every_seed(tmp_path):
    table = joint_table(tmp_path, VALUES | {"single": [60.0, None, None]})
    row = table.data.set_index("method").loc["tdmi"]
    # 60, 62, 64 minus 60: mean 2, standard deviation that of the method itself.
    assert row["vs_single_frame_mean"] == pytest.approx(2)
    assert row["vs_single_frame_std"] == pytest.approx(2)
    assert row["vs_equal_compute_mean"] == pytest.approx(1)


def test_differences_to_the_best_rival_by_hand(tmp_path):
    runs, spec = joint_runs(tmp_path / "suite", RIVALS, BOXES)
    data = differences_table(runs, spec, BOXES).data.set_index("method")
    assert data.best_rival.to_dict() == {"single": "tdmi", "layers": "tdmi", "tdmi": "layers"}
    row = data.loc["tdmi"]
    assert (row.vs_single_frame_mean, row.vs_best_rival_mean) == (5, 3)
    # 1 and 5: standard deviation 2.8284.
    assert row.vs_best_rival_low == pytest.approx(3 - 12.7062 * 2, rel=1e-4)
    assert math.isnan(data.loc["single", "vs_single_frame_mean"])
    assert data.loc["tdmi", "runs"] == "suite/tdmi/seed1 suite/tdmi/seed2"


def test_a_method_that_was_not_run_has_no_best_rival(tmp_path):
    runs, spec = joint_runs(tmp_path / "suite", {name: [None] for name in RIVALS}, BOXES)
    table = differences_table(runs, spec, BOXES)
    assert [row[-1].text for row in table.cells] == ["not run"] * 3
    assert [row[1].text for row in table.cells] == [""] * 3


def test_a_difference_shown_as_zero_is_not_said_to_hold(tmp_path):
    """Four hundredths ahead with next to no spread: beyond the interval, but too small."""
    values = {"single": [50.0, 50.0], "layers": [50.04, 50.0401], "tdmi": [50.2, 50.2001]}
    table = joint_table(tmp_path, values)
    place = table.headings.index("vs single frame")
    assert table.cells[1][place].text == "+0.0 ± 0.0"
    assert table.cells[2][place].text == "+0.2 ± 0.0*"
    assert table.data.set_index("method").loc["layers", "vs_single_frame_low"] > 0
