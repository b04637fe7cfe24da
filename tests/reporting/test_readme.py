"""The README's summary follows the results."""

import runpy
import shutil
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest

from tdmi.core.errors import UserError
from tdmi.reporting.readme import BEGIN, END, readme_summary, replace_between_markers
from tests.support.paths import ROOT
from tests.support.report_suite import METHODS, PROTOCOLS, made_spec, references

SCRIPT = runpy.run_path(str(ROOT / "workflow" / "scripts" / "readme.py"))
# AP of three seeds on ground-truth boxes. By hand: with two degrees of freedom the 95% interval is
# 4.303 / sqrt(3) = 2.484 sample standard deviations to each side.
VALUES = {
    "single_frame": [60.0, 61.0, 62.0],
    "single_frame_equal_compute": [61.0, 62.0, 63.1],  # +1.033 +- 0.058: holds
    "flow_fusion": [58.0, 59.1, 60.0],  # -1.967 +- 0.058: holds, behind
    "dcpose": [60.0, 62.0, 62.0],  # +0.333 +- 0.577: open
    "tdmi": [62.0, 63.0, 64.1],  # +2.033 +- 0.058: holds, and +1.000 to the control, alike
}


@pytest.fixture
def suite(tmp_path):
    (tmp_path / "tables").mkdir()
    rows = [
        {"method": method, "seed": seed, "protocol": protocol, "measure": measure, "joint": joint,
         "value": value - less}
        for method, values in VALUES.items()
        for seed, value in enumerate(values)
        for protocol, down in (("ground_truth_boxes", 0), ("detected_boxes", 10))
        for measure, joint, less in (("ap", "total", down), ("ap", "head", 9), ("mota", "total", 4))
    ]  # fmt: skip
    pd.DataFrame(rows).to_csv(tmp_path / "tables" / "runs.csv", index=False)
    costs = pd.DataFrame({"method": list(VALUES), "gflops": [0.5, 0.5, 1.25, 2.0, 3.0]})
    costs.to_csv(tmp_path / "tables" / "comparison_ground_truth_boxes.csv", index=False)
    methods = tuple(
        replace(method, seeds=(0, 1, 2) if len(method.seeds) > 1 else (1,)) for method in METHODS
    )
    named = {"single_frame": "single_frame", "equal_layers": "single_frame_equal_compute"}
    spec = made_spec(
        methods,
        box_protocols=PROTOCOLS,
        references=references(methods, **named),
        subject=methods[4],
    )
    return spec, tmp_path


def test_the_readme_is_as_its_script_writes_it():
    readme = ROOT / "README.md"
    assert SCRIPT["text"](readme) == readme.read_text(encoding="utf-8"), (
        "results have changed: run `python workflow/scripts/readme.py`"
    )


def test_other_results_make_another_summary(tmp_path):
    shutil.copy2(ROOT / "README.md", tmp_path)
    tables = tmp_path / SCRIPT["RESULTS"] / "tables"
    shutil.copytree(ROOT / SCRIPT["RESULTS"] / "tables", tables)
    runs = pd.read_csv(tables / "runs.csv")
    runs.loc[(runs.method == "tdmi") & (runs.joint == "total"), "value"] += 3
    runs.to_csv(tables / "runs.csv", index=False)
    readme = tmp_path / "README.md"
    before, after = readme.read_text(encoding="utf-8"), SCRIPT["text"](readme)
    assert before != after
    assert before.split(BEGIN)[0] == after.split(BEGIN)[0]
    assert before.split(END)[1] == after.split(END)[1]


def test_table_and_finding_are_what_a_hand_calculation_gives(suite):
    spec, folder = suite
    text = readme_summary(spec, folder, "results/made_up")
    assert "](results/made_up/figures/mean_ap.png)" in text
    lines = [line.split("|") for line in text.splitlines() if line.startswith("|")]
    rows = {cells[1].strip(): [cell.strip("* ") for cell in cells[2:-1]] for cells in lines}
    assert rows["Single frame"] == [
        "61.0 ± 1.0", "51.0 ± 1.0", "reference", "−1.0 ± 0.1", "0.50", "3"
    ]  # fmt: skip
    assert rows["TDMI"][2:5] == ["+2.0 ± 0.1", "+1.0 ± 0.0", "3.00"]
    assert rows["DCPose"][2] == "+0.3 ± 0.6"
    assert rows["TDMI without MI"] == ["", "", "", "", "", "not run"]
    finding = " ".join(text.split("mean_ap.png)")[1].split("|")[0].split())
    assert finding == (
        "One of three temporal methods beats single frame by 2.0 AP; one is worse by 2.0 AP "
        "(Flow fusion). One beats equal layers by 1.0 AP; one is worse by 3.0 AP (Flow fusion). "
        "Counted are differences beyond the spread of seeds, on ground-truth boxes."
    )


def test_the_finding_says_where_no_method_is_ahead(suite):
    spec, folder = suite
    runs = pd.read_csv(folder / "tables" / "runs.csv")
    runs.loc[(runs.method == "tdmi") & (runs.joint == "total"), "value"] -= 1
    runs.to_csv(folder / "tables" / "runs.csv", index=False)
    finding = " ".join(readme_summary(spec, folder, "results").split())
    assert "One of three temporal methods beats single frame by 1.0 AP" in finding
    assert "None beats equal layers; one is worse by 3.0 AP (Flow fusion)." in finding


def test_marks_of_what_holds_stand_in_the_table(suite):
    spec, folder = suite
    text = readme_summary(spec, folder, "results/made_up")
    (line,) = (line for line in text.splitlines() if line.startswith("| DCPose"))
    assert "+0.3 ± 0.6 |" in line
    (line,) = (line for line in text.splitlines() if line.startswith("| TDMI |"))
    assert "+2.0 ± 0.1* |" in line


@pytest.mark.parametrize("text", ["no markers", f"{END}\n{BEGIN}", f"{BEGIN}{BEGIN}{END}"])
def test_a_readme_without_its_two_markers_is_refused(text):
    with pytest.raises(UserError, match=r"read\.md: expected once each the lines"):
        replace_between_markers(text, "summary", Path("read.md"))


def test_missing_results_name_the_file_and_the_command(suite):
    spec, folder = suite
    (folder / "tables" / "runs.csv").unlink()
    with pytest.raises(UserError, match=r"runs\.csv: no such file; make it with `snakemake"):
        readme_summary(spec, folder, "results/made_up")
