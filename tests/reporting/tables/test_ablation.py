"""Report of a grid: its differences, their two intervals, what it says of them."""

import json
import math
import shutil
from dataclasses import replace

import pytest

from tdmi.cli.main import main
from tdmi.reporting.data import comparison
from tdmi.reporting.data.runs import read_runs
from tdmi.reporting.data.spec import Ablation
from tdmi.reporting.figures import ablation as ablation_figure
from tdmi.reporting.report import make_report
from tdmi.reporting.tables import ablation
from tdmi.reporting.tables.ablation import Contrast
from tests.support.report_suite import references, write_suite

BOXES = "ground_truth_boxes"
ORDER = ["single_frame", "dcpose", "tdmi"]


@pytest.fixture(scope="module")
def made(tmp_path_factory, published):
    """A grid of three variants, of which the first is another suite's run, and its report."""
    folder = tmp_path_factory.mktemp("ablation")
    spec = write_suite(folder)
    (folder / "runs" / "elsewhere").mkdir()
    shutil.move(folder / "runs/made_up/single_frame", folder / "runs/elsewhere/start")
    methods = [method for method in spec.methods if method.name in ORDER]
    methods[0] = replace(methods[0], seeds=(1,), run_of="elsewhere/start")
    spec = replace(
        spec,
        methods=tuple(methods),
        references=references(tuple(methods), single_frame="single_frame"),
        subject=None,
        real_video=None,
        summary="What does each part add?",
        ablation=Ablation(
            {
                "previous": {"dcpose": "single_frame", "tdmi": "dcpose"},
                "tdmi": {"single_frame": "tdmi", "dcpose": "tdmi"},
            },
            {"Four stages": "the backbone of made_up has 3 stages"},
        ),
    )
    make_report(spec, folder / "runs", folder / "out", published)
    runs = read_runs(folder / "runs" / "made_up", spec.methods, spec.box_protocols)
    return spec, runs, folder


def test_contrasts_are_paired_by_seed_and_a_single_run_is_subtracted_from_all(made):
    spec, runs, _ = made
    found = ablation.contrasts(runs, spec, BOXES)
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
    spec, runs, folder = made
    contrast = ablation.contrasts(runs, spec, BOXES)[1]
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
    spec, _, folder = made
    shutil.copytree(
        folder / "runs", tmp_path / "runs", ignore=shutil.ignore_patterns("predictions")
    )
    runs = read_runs(tmp_path / "runs" / "made_up", spec.methods, spec.box_protocols)
    found = ablation.contrasts(runs, spec, BOXES)
    assert all(math.isnan(c.videos_low) and not math.isnan(c.mean) for c in found)
    table = ablation.ablation_table(runs, spec, BOXES, found)
    assert table.cells[1][4].text == "" and table.cells[1][3].text != ""


def test_hieve_has_no_interval_over_videos(made):
    spec, runs, _ = made
    found = ablation.contrasts(runs, replace(spec, evaluation="hieve"), BOXES)
    assert all(math.isnan(c.videos_low) for c in found)


def test_a_variant_that_was_not_run_stays_blank(made):
    spec, _, folder = made
    runs = read_runs(folder / "nothing" / "made_up", spec.methods, spec.box_protocols)
    found = ablation.contrasts(runs, spec, BOXES)
    assert all(c.pairs == 0 and math.isnan(c.mean) for c in found)
    table = ablation.ablation_table(runs, spec, BOXES, found)
    assert [row[-1].text for row in table.cells] == ["not run"] * 3
    assert "Not run: “DCPose”, “TDMI”." in ablation.statements(found, spec)[0]
    ablation_figure.ablation(ablation_figure.ablation_data(runs, BOXES, found), spec)


def contrast(method: str, mean: float, seeds=(math.nan, math.nan), videos=(math.nan, math.nan)):
    pairs = 1 if math.isnan(seeds[0]) else 3
    return Contrast(BOXES, "previous", method, "x", pairs, mean, 0.1, *seeds, *videos)


def test_statements_follow_both_intervals(made):
    spec, *_ = made
    base = spec.methods[0]
    names = ["both", "seeds", "videos", "neither", "one"]
    methods = tuple(replace(base, name=name, label=name.capitalize()) for name in names)
    spec = replace(spec, methods=methods, ablation=Ablation({"previous": {}}, {}))
    found = [
        contrast("both", 1.0, (0.5, 1.5), (0.2, 1.8)),
        contrast("seeds", -1.0, (-1.5, -0.5), (-2.1, 0.1)),
        contrast("videos", 1.0, (-0.1, 2.1), (0.2, 1.8)),
        contrast("neither", 0.04, (-1.0, 1.1), (-1.0, 1.1)),
        contrast("one", 2.0, videos=(1.0, 3.0)),
    ]
    (said,) = ablation.statements(found, spec)
    assert said == (
        "On ground-truth boxes, against the row above. "
        "Beyond zero in both intervals: “Both” +1.0. "
        "Beyond zero over seeds, not over videos and seeds: “Seeds” −1.0. "
        "Beyond zero over videos and seeds, not over seeds: “Videos” +1.0. "
        "No difference beyond noise: “Neither” +0.0. "
        "One common seed, spread unknown: “One” +2.0."
    )
    stars = [c.beyond_both for c in found]
    assert stars == [True, False, False, False, False]


def test_the_report_holds_tables_figures_question_and_what_was_left_out(made):
    spec, runs, folder = made
    page = (folder / "out" / "index.html").read_text()
    for protocol in spec.box_protocols:
        for suffix in ("csv", "md", "tex"):
            assert (folder / "out" / "tables" / f"ablation_{protocol}.{suffix}").is_file()
        for suffix in ("csv", "svg", "png"):
            assert (folder / "out" / "figures" / f"ablation_{protocol}.{suffix}").is_file()
    assert "What does each part add?" in page
    for said in ablation.statements(ablation.contrasts(runs, spec, BOXES), spec):
        assert said in page
    assert "Left out: Four stages (the backbone of made_up has 3 stages)." in page
    assert "vs row above" in page and "vs single frame" not in page
    table = (folder / "out" / "tables" / f"ablation_{BOXES}.md").read_text()
    assert table.startswith("| Variant | Mean AP | vs row above | 95%, seeds |")
    gallery = (folder / "out" / "gallery" / "gallery.csv").read_text()
    assert "single_frame" in gallery.splitlines()[0]  # found in the suite that owns it
