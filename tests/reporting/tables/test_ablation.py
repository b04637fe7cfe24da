"""Report of a grid: its differences, their two intervals, what it says of them."""

import json
import math
import shutil
from dataclasses import replace

import pytest
import yaml

from tdmi.cli.main import main
from tdmi.config.keys import SuiteKey
from tdmi.reporting.data import comparison
from tdmi.reporting.data.from_suite import settings_of
from tdmi.reporting.data.runs import read_runs
from tdmi.reporting.data.settings import Ablation, load
from tdmi.reporting.figures import ablation as ablation_figure
from tdmi.reporting.report import make_report
from tdmi.reporting.tables import ablation
from tdmi.reporting.tables.ablation import Contrast
from tests.support.paths import ROOT
from tests.support.report_suite import write_suite

PUBLISHED = ROOT / "results" / "published.csv"
BOXES = "ground_truth_boxes"
ORDER = ["single_frame", "dcpose", "tdmi"]


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A grid of three variants, of which the first is another suite's run, and its report."""
    folder = tmp_path_factory.mktemp("ablation")
    path = write_suite(folder)
    content = yaml.safe_load(path.read_text())
    content["methods"] = [m for m in content["methods"] if m["name"] in ORDER]
    content["methods"][0] |= {"seeds": [1], "run_of": "elsewhere/start"}
    content |= {"equal_compute": None, "subject": None, "real_video": None}
    content["summary"] = "What does each part add?"
    content["ablation"] = {
        "comparisons": {
            "previous": {"dcpose": "single_frame", "tdmi": "dcpose"},
            "tdmi": {"single_frame": "tdmi", "dcpose": "tdmi"},
        },
        "left_out": {"Four stages": "the backbone of made_up has 3 stages"},
    }
    (folder / "runs" / "elsewhere").mkdir()
    shutil.move(folder / "runs/made_up/single_frame", folder / "runs/elsewhere/start")
    path.write_text(yaml.safe_dump(content, sort_keys=False))
    settings = load(path)
    make_report(settings, folder / "runs", folder / "out", PUBLISHED)
    runs = read_runs(folder / "runs" / "made_up", settings.methods, settings.box_protocols)
    return settings, runs, folder


def test_contrasts_are_paired_by_seed_and_a_single_run_is_subtracted_from_all(made):
    settings, runs, _ = made
    found = ablation.contrasts(runs, settings, BOXES)
    assert [(c.key, c.method, c.against, c.pairs) for c in found] == [
        ("previous", "dcpose", "single_frame", 2),
        ("previous", "tdmi", "dcpose", 2),
        ("tdmi", "single_frame", "tdmi", 1),
        ("tdmi", "dcpose", "tdmi", 2),
    ]
    values = comparison.per_seed(runs.groups, BOXES)
    first, second, third, fourth = found
    single = values.loc["single_frame", 1]
    assert first.mean == pytest.approx(values.loc["dcpose", [1, 2]].mean() - single)
    pairs = values.loc["tdmi", [1, 2]] - values.loc["dcpose", [1, 2]]
    assert second.mean == pytest.approx(pairs.mean())
    # Student's 0.975 quantile with one degree of freedom is 12.7062.
    half = 12.7062 * pairs.std(ddof=1) / math.sqrt(2)
    assert second.high - second.mean == pytest.approx(half, rel=1e-4)
    assert third.mean == pytest.approx(single - values.loc["tdmi", 1])
    assert math.isnan(third.low) and fourth.mean == pytest.approx(-second.mean)


def test_the_interval_over_videos_is_that_of_the_compare_command(made):
    settings, runs, folder = made
    contrast = ablation.contrasts(runs, settings, BOXES)[1]
    truth, out = folder / "data" / "annotations" / "test", folder / "compared.json"
    sides = []
    for letter, method in (("a", "tdmi"), ("b", "dcpose")):
        seeds = [folder / f"runs/made_up/{method}/seed{k}/{BOXES}/predictions" for k in (1, 2)]
        sides += [f"--{letter}", *map(str, seeds)]
    assert main(["compare", "--gt", str(truth), *sides, "--out", str(out), "--quiet"]) == 0
    compared = json.loads(out.read_text())
    ends = compared["interval"]["difference"]["total"]
    assert [contrast.videos_low, contrast.videos_high] == pytest.approx(ends, abs=1e-9)


def test_without_predictions_the_interval_over_videos_is_blank(made, tmp_path):
    settings, _, folder = made
    shutil.copytree(
        folder / "runs", tmp_path / "runs", ignore=shutil.ignore_patterns("predictions")
    )
    runs = read_runs(tmp_path / "runs" / "made_up", settings.methods, settings.box_protocols)
    found = ablation.contrasts(runs, settings, BOXES)
    assert all(math.isnan(c.videos_low) and not math.isnan(c.mean) for c in found)
    table = ablation.ablation_table(runs, settings, BOXES, found)
    assert table.cells[1][4].text == "" and table.cells[1][3].text != ""


def test_hieve_has_no_interval_over_videos(made):
    settings, runs, _ = made
    found = ablation.contrasts(runs, replace(settings, evaluation="hieve"), BOXES)
    assert all(math.isnan(c.videos_low) for c in found)


def test_a_variant_that_was_not_run_stays_blank(made):
    settings, _, folder = made
    runs = read_runs(folder / "nothing" / "made_up", settings.methods, settings.box_protocols)
    found = ablation.contrasts(runs, settings, BOXES)
    assert all(c.pairs == 0 and math.isnan(c.mean) for c in found)
    table = ablation.ablation_table(runs, settings, BOXES, found)
    assert [row[-1].text for row in table.cells] == ["not run"] * 3
    assert "Not run: “DCPose”, “TDMI”." in ablation.statements(found, settings)[0]
    ablation_figure.ablation(ablation_figure.ablation_data(runs, BOXES, found), settings)


def contrast(method: str, mean: float, seeds=(math.nan, math.nan), videos=(math.nan, math.nan)):
    pairs = 1 if math.isnan(seeds[0]) else 3
    return Contrast(BOXES, "previous", method, "x", pairs, mean, 0.1, *seeds, *videos)


def test_statements_follow_both_intervals(made):
    settings, *_ = made
    base = settings.methods[0]
    names = ["both", "seeds", "videos", "neither", "one"]
    methods = tuple(replace(base, name=name, label=name.capitalize()) for name in names)
    settings = replace(settings, methods=methods, ablation=Ablation({"previous": {}}, {}))
    found = [
        contrast("both", 1.0, (0.5, 1.5), (0.2, 1.8)),
        contrast("seeds", -1.0, (-1.5, -0.5), (-2.1, 0.1)),
        contrast("videos", 1.0, (-0.1, 2.1), (0.2, 1.8)),
        contrast("neither", 0.04, (-1.0, 1.1), (-1.0, 1.1)),
        contrast("one", 2.0, videos=(1.0, 3.0)),
    ]
    (said,) = ablation.statements(found, settings)
    assert said == (
        "On ground-truth boxes, against the row above. "
        "Beyond zero in both intervals: “Both” +1.0. "
        "Beyond zero over seeds, not over videos and seeds: “Seeds” −1.0. "
        "Beyond zero over videos and seeds, not over seeds: “Videos” +1.0. "
        "Not told apart: “Neither” +0.0. "
        "One common seed, nothing known of its spread: “One” +2.0."
    )
    stars = [ablation._cells(c)[0].text.endswith("*") for c in found]
    assert stars == [True, False, False, False, False]


def test_the_report_holds_tables_figures_question_and_what_was_left_out(made):
    settings, runs, folder = made
    page = (folder / "out" / "index.html").read_text()
    for protocol in settings.box_protocols:
        for suffix in ("csv", "md", "tex"):
            assert (folder / "out" / "tables" / f"ablation_{protocol}.{suffix}").is_file()
        for suffix in ("csv", "svg", "png"):
            assert (folder / "out" / "figures" / f"ablation_{protocol}.{suffix}").is_file()
    assert "What does each part add?" in page
    for said in ablation.statements(ablation.contrasts(runs, settings, BOXES), settings):
        assert said in page
    assert "Left out: Four stages (the backbone of made_up has 3 stages)." in page
    assert "vs row above" in page and "vs single frame" not in page
    table = (folder / "out" / "tables" / f"ablation_{BOXES}.md").read_text()
    assert table.startswith("| Variant | Mean AP | vs row above | 95%, seeds |")
    gallery = (folder / "out" / "gallery" / "gallery.csv").read_text()
    assert "single_frame" in gallery.splitlines()[0]  # found in the suite that owns it


def test_a_grid_of_the_workflow_becomes_settings_of_a_report():
    settings = settings_of(SuiteKey("embedded", "stages"))
    assert settings.suite == "embedded_stages" and settings.subject is None
    assert settings.summary.startswith("What do differences of shallower stages add")
    assert [m.run_of for m in settings.methods] == [None, None, "embedded/tdmi"]
    assert {m.family for m in settings.methods} == {"ablation"}
    assert settings.ablation.comparisons["previous"] == {
        "stages2": "stages1",
        "stages3": "stages2",
    }
    assert list(settings.ablation.left_out) == ["Four stages"]


def test_a_grid_needs_a_suite(tmp_path, capsys):
    out = ["--out", str(tmp_path / "out")]
    assert main(["report", "--config", "x.yaml", "--grid", "gate", *out]) == 2
    assert "--grid: found it with --config" in capsys.readouterr().err
