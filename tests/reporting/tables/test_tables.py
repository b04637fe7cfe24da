import json
import math
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest
import yaml

from tdmi.core.errors import UserError
from tdmi.data.skeletons import POSETRACK17
from tdmi.reporting.data import comparison
from tdmi.reporting.data.from_suite import settings_of
from tdmi.reporting.data.runs import Runs, read_runs
from tdmi.reporting.data.settings import Dataset, Method, Settings
from tdmi.reporting.figures import accuracy as figures
from tdmi.reporting.page import headline
from tdmi.reporting.tables import tables
from tests.support.paths import ROOT
from tests.support.report_suite import metrics

BOXES = "detected_boxes"
SUITES = ROOT / "workflow" / "config"


def suite(names: list[str], seeds=(1, 2, 3)) -> Settings:
    families = {"flow": "flow", "tdmi": "difference"}
    return Settings(
        suite="suite",
        title="Suite",
        summary="",
        dataset=Dataset("Data", Path("data"), "test"),
        methods=tuple(
            Method(name, name.upper(), families.get(name, "single"), tuple(seeds)) for name in names
        ),
        seeds=tuple(seeds),
        box_protocols=(BOXES,),
        reference="single",
        equal_compute="equal",
        subject="tdmi" if "tdmi" in names else None,
        gallery_methods=tuple(names),
        real_video=None,
        settings={},
    )


def write_runs(folder: Path, values: dict[str, list[float | None]]) -> None:
    """Runs whose joints all have the same AP; None leaves a run out."""
    for name, row in values.items():
        for seed, value in enumerate(row, start=1):
            if value is not None:
                path = folder / name / f"seed{seed}" / BOXES / "metrics.json"
                path.parent.mkdir(parents=True)
                content = metrics(dict.fromkeys(POSETRACK17.joints, value))
                path.write_text(json.dumps(content))


def load(folder: Path, values: dict[str, list[float | None]]) -> tuple[Runs, Settings]:
    settings = suite(list(values))
    write_runs(folder, values)
    return read_runs(folder, settings.methods, settings.box_protocols), settings


def table_of(folder: Path, values: dict[str, list[float | None]]) -> tables.Table:
    runs, settings = load(folder, values)
    return tables.comparison_table(runs, settings, BOXES, settings.methods, settings.dataset)


VALUES = {
    "single": [59.0, 62.0, 62.0],
    "equal": [61.0, 61.0, 61.0],
    "flow": [None, None, None],
    "tdmi": [60.0, 62.0, 64.0],
}


def test_means_spreads_and_paired_differences_equal_a_hand_calculation(tmp_path):
    row = table_of(tmp_path, VALUES).data.set_index("method").loc["tdmi"]
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
    text = tables.markdown(table_of(tmp_path, VALUES))
    lines = text.splitlines()
    assert lines[2].startswith("| SINGLE | Single frame | 61.0 ± 1.7 |")
    assert "| reference | +0.0 ± 1.7 |" in lines[2]
    assert "**62.0 ± 2.0** | +1.0 ± 1.0 | +1.0 ± 2.0 |" in lines[5]


def test_a_run_that_is_missing_gives_blank_cells_and_not_run(tmp_path):
    table = table_of(tmp_path, VALUES)
    row = [cell.text for cell in table.cells[2]]
    assert row[:2] == ["FLOW", "Optical flow"]
    assert row[2:-1] == [""] * (len(row) - 3)
    assert row[-1] == "not run"
    record = tables.csv(table.data).splitlines()[3]
    assert record.startswith("flow,FLOW,flow,,,,,,,,")


def test_a_seed_that_is_missing_is_left_out_of_both_sides_of_a_difference(tmp_path):
    values = VALUES | {"tdmi": [None, 62.0, 64.0]}
    table = table_of(tmp_path, values)
    row = table.data.set_index("method").loc["tdmi"]
    assert row["mean_ap_mean"] == pytest.approx(63)
    assert row["vs_single_frame_mean"] == pytest.approx((0 + 2) / 2)
    assert table.cells[3][-1].text == "2 of 3"


def test_mota_stands_beside_ap_where_a_run_was_tracked(tmp_path):
    assert "MOTA" not in table_of(tmp_path / "without", VALUES).headings
    folder = tmp_path / "with"
    write_runs(folder, VALUES)
    for seed, value in enumerate((30.0, -2.0, 32.0), start=1):
        content = {"mota": metrics(dict.fromkeys(POSETRACK17.joints, value))["ap"]}
        path = folder / "tdmi" / f"seed{seed}" / BOXES / "tracking.json"
        path.write_text(json.dumps(content))
    settings = suite(list(VALUES))
    runs = read_runs(folder, settings.methods, settings.box_protocols)
    table = tables.comparison_table(runs, settings, BOXES, settings.methods, settings.dataset)
    place = table.headings.index("MOTA")
    assert table.headings[place - 1] == "Mean" and "MOTA" in table.caption
    assert [row[place].text for row in table.cells] == ["", "", "", "20.0 ± 19.1"]
    record = table.data.set_index("method").loc["tdmi"]
    assert record["mota_mean"] == pytest.approx(20) and record["mean_ap_mean"] == pytest.approx(62)


def test_a_tracking_file_without_mota_is_named(tmp_path):
    write_runs(tmp_path, {"single": [50.0]})
    path = tmp_path / "single" / "seed1" / BOXES / "tracking.json"
    path.write_text(json.dumps({"ap": {}}))
    with pytest.raises(UserError, match=r"tracking\.json: no 'mota'; run `tdmi evaluate --track"):
        read_runs(tmp_path, suite(["single"]).methods, (BOXES,))


@pytest.mark.parametrize(
    ("own", "status"),
    [
        ([62.0, 62.1, 61.9], headline.AHEAD),  # +1.0 ± 0.1: half width 0.25
        ([60.0, 60.1, 59.9], headline.BEHIND),
        ([61.0, 62.0, 63.0], headline.OPEN),  # +1 ± 1: half width 2.5
        ([62.0, None, None], headline.ONE_SEED),
        ([None, None, None], headline.NOT_RUN),
    ],
)
def test_the_headline_says_what_holds_and_what_not(tmp_path, own, status):
    values = {"single": [61.0] * 3, "equal": [61.0] * 3, "flow": [55.0] * 3, "tdmi": own}
    runs, settings = load(tmp_path, values)
    found = {claim.question: claim for claim in headline.claims(runs, settings)}
    claim = found["over a single frame of equal compute"]
    assert claim.status == status
    sentence = headline.sentence(runs, settings, list(found.values()))
    assert ("Beyond the spread" in sentence) == (
        status not in (headline.ONE_SEED, headline.NOT_RUN)
    )
    assert ("Not told apart" in sentence) == (status == headline.OPEN)
    assert ("not been run" in sentence) == (status == headline.NOT_RUN)


def test_a_gain_that_layers_alone_explain_is_not_told_apart_from_them(tmp_path):
    """By hand: 2 ahead of the single frame, 0.1, -0.1 and 0 of equal layers."""
    values = {"single": [50.0] * 3, "equal": [50.0] * 3, "layers": [51.9, 52.1, 52.0]}
    runs, settings = load(tmp_path, values | {"tdmi": [52.0] * 3})
    settings = replace(settings, equal_layers="layers")
    table = tables.comparison_table(runs, settings, BOXES, settings.methods, settings.dataset)
    row = table.data.set_index("method").loc["tdmi"]
    assert row.vs_equal_layers_mean == pytest.approx(0, abs=1e-9)
    assert row.vs_single_frame_mean == pytest.approx(2)
    assert "vs equal layers" in table.headings
    found = {c.rival.name: c.status for c in headline.claims(runs, settings)}
    assert found["single"] == headline.AHEAD and found["layers"] == headline.OPEN
    assert settings.strictest == "layers"


def test_the_rival_of_a_family_is_its_best_member(tmp_path):
    values = {"single": [50.0] * 3, "equal": [50.0] * 3, "flow": [55.0] * 3, "tdmi": [56.0] * 3}
    runs, settings = load(tmp_path, values)
    better = Method("flow_two", "FLOW TWO", "flow", (1, 2, 3))
    write_runs(tmp_path, {"flow_two": [55.5] * 3})
    methods = (*settings.methods[:3], better, settings.methods[3])
    settings = Settings(**(vars(settings) | {"methods": methods}))
    runs = read_runs(tmp_path, methods, settings.box_protocols)
    claim = headline.claims(runs, settings)[-1]
    assert (claim.question, claim.rival.name) == ("over optical flow (best)", "flow_two")
    assert claim.mean == pytest.approx(0.5)


def test_equal_runs_give_equal_bytes(tmp_path):
    for name in ("one", "two"):
        table = table_of(tmp_path / name / "runs", VALUES)
        tables.write(table, tmp_path / name)
    for suffix in ("csv", "md", "tex"):
        file = f"comparison_{BOXES}.{suffix}"
        content = (tmp_path / "one" / file).read_bytes()
        assert content == (tmp_path / "two" / file).read_bytes()
        assert b"\r" not in content


def test_latex_is_a_booktabs_table_with_escaped_text(tmp_path):
    table = table_of(tmp_path, {"single": [50.0], "equal": [51.0], "a_b": [52.0]})
    text = tables.latex(table)
    assert [text.count(rule) for rule in (r"\toprule", r"\bottomrule", r"\end{table}")] == [1, 1, 1]
    assert r"A\_B & Single frame & \textbf{52.0}" in text
    columns = text.split(r"\begin{tabular}{")[1].split("}")[0]
    rows = [line for line in text.splitlines() if line.endswith(r" \\")]
    assert {row.count(" & ") + 1 for row in rows} == {len(columns)}


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
        read_runs(tmp_path, [Method("single", "Single", "single", (1,))], [BOXES])
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
    write_runs(tmp_path, {"single": [50.0, 52.0]})
    path = tmp_path / "single" / "seed1" / BOXES / "metrics.json"
    content = json.loads(path.read_text())
    content["ap"]["ankle"] = None
    path.write_text(json.dumps(content))
    runs = read_runs(tmp_path, [Method("single", "Single", "single", (1, 2))], [BOXES])
    ankle = comparison.summary(comparison.per_seed(runs.groups, BOXES, "ankle")).loc["single"]
    assert (ankle["mean"], ankle["n"]) == (52.0, 1)


@pytest.mark.parametrize(
    ("value", "digits", "sign", "text"),
    [(-0.04, 1, True, "+0.0"), (-1.26, 1, True, "\N{MINUS SIGN}1.3"), (math.nan, 1, False, "")],
)
def test_numbers_have_fixed_decimals_and_no_negative_zero(value, digits, sign, text):
    assert tables.number(value, digits, sign) == text


def test_every_run_stands_in_the_long_table(tmp_path):
    runs, _ = load(tmp_path, VALUES)
    frame = tables.runs_frame(runs)
    assert len(frame) == 9 * 3 * (8 + 15)
    chosen = frame.query("method == 'tdmi' and seed == 3 and measure == 'ap' and joint == 'nose'")
    assert isinstance(chosen, pd.DataFrame)
    assert chosen.value.tolist() == [64.0]


def test_labels_are_moved_apart_about_their_middle():
    assert figures.spaced([9.0, 5.0, 5.0, 1.0], 1.0) == [9.0, 5.5, 4.5, 1.0]
    # The pair 5, 5 spreads to 5.5, 4.5 and meets 4.1: three about 4.7.
    assert figures.spaced([5.0, 5.0, 4.1], 1.0) == pytest.approx([5.7, 4.7, 3.7])


def test_a_reference_with_a_single_run_is_subtracted_from_every_seed(tmp_path):
    table = table_of(tmp_path, VALUES | {"single": [60.0, None, None]})
    row = table.data.set_index("method").loc["tdmi"]
    # 60, 62, 64 minus 60: mean 2, standard deviation that of the method itself.
    assert row["vs_single_frame_mean"] == pytest.approx(2)
    assert row["vs_single_frame_std"] == pytest.approx(2)
    assert row["vs_equal_compute_mean"] == pytest.approx(1)


@pytest.mark.parametrize("path", sorted(SUITES.glob("*.yaml")), ids=lambda path: path.stem)
def test_every_suite_of_the_workflow_can_be_reported(path):
    settings = settings_of(path.stem, SUITES.parent)
    mapping = yaml.safe_load(path.read_text(encoding="utf-8"))
    assert [method.name for method in settings.methods] == list(mapping["methods"])
    assert settings.method("single_frame").seeds == tuple(
        mapping["methods"]["single_frame"].get("seeds", mapping["seeds"])
    )
    assert settings.dataset.labels == mapping["report"].get("labels", "annotated")
    assert (settings.real_video is not None) == bool(mapping.get("companions"))
