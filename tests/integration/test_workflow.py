"""The workflow as a user runs it, in copies of the tracked files."""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from tdmi.config.suites import load_suites
from tests.support.checkouts import ROOT, checkout, copy_sources, snakemake

BOXES = ("ground_truth_boxes", "detected_boxes")


def planned_jobs(folder: Path, *arguments: str) -> dict[str, int]:
    done = snakemake(folder, "-n", "--quiet", "rules", *arguments)
    assert done.returncode == 0, done.stderr
    stats = snakemake(folder, "-n", *arguments).stdout
    table = stats.split("Job stats:")[-1]
    return {name: int(count) for name, count in re.findall(r"^(\w+) +(\d+)$", table, re.M)}


def test_fresh_clone_plans_to_train_although_results_are_committed(tmp_path):
    clone = checkout(tmp_path)
    assert (clone / "results" / "embedded" / "index.html").exists()
    jobs = planned_jobs(clone)
    runs = sum(len(suite.run_names) for suite in load_suites("embedded").values())
    assert jobs["train"] == jobs["predict"] == runs
    assert jobs["evaluate"] == jobs["evaluate_tracks"] == 2 * runs
    assert jobs["report"] == 1


def test_grids_share_the_suites_runs(tmp_path):
    clone = checkout(tmp_path)
    jobs = planned_jobs(clone, "--config", "suite=smoke", "grid=components,gate")
    # The suite owns single_frame (one seed), equal_compute, equal_layers and tdmi (three seeds).
    assert jobs["train"] == 1 + 3 + 3 + 3 + 3 * 3 + 4 * 3
    assert jobs["report"] == 2


def test_unknown_grid_stops_before_anything_runs():
    done = snakemake(ROOT, "-n", "--config", "grid=gate,nope")
    assert done.returncode != 0
    assert "no grid 'nope' in workflow/config/grids" in done.stdout + done.stderr


def test_lint_is_clean_and_the_rules_can_be_drawn():
    lint = snakemake(ROOT, "--lint")
    assert lint.returncode == 0, lint.stdout + lint.stderr
    graph = snakemake(ROOT, "--rulegraph").stdout
    assert graph.startswith("digraph") and "train" in graph


def test_unknown_suite_stops_before_anything_runs():
    done = snakemake(ROOT, "-n", "--config", "suite=nope")
    assert done.returncode != 0
    printed = done.stdout + done.stderr
    assert "no suite 'nope' in workflow/config; expected one of embedded" in printed


@pytest.fixture(scope="module")
def smoke(tmp_path_factory):
    """The smoke suite run end to end in a fresh checkout."""
    folder = checkout(tmp_path_factory.mktemp("smoke"))
    copy_sources(folder)
    done = snakemake(folder, "--cores", "2", "--config", "suite=smoke")
    assert done.returncode == 0, done.stderr[-4000:]
    return folder


def test_smoke_suite_makes_every_run_and_the_report(smoke):
    (suite,) = load_suites("smoke").values()
    for run in suite.run_names:
        for boxes in suite.inference.box_protocols:
            metrics = json.loads((smoke / "runs" / run / boxes / "metrics.json").read_text())
            assert metrics["protocol"] == "poseval"
            assert metrics["frames"] > 0
            assert 0 <= metrics["ap"]["total"] <= 100
    page = (smoke / "results" / "smoke" / "index.html").read_text()
    assert all(use.label in page for use in suite.methods.values())


def test_a_run_of_the_workflow_can_be_verified(smoke):
    command = ["tdmi", "verify", "runs/smoke/tdmi/seed0"]
    done = subprocess.run(command, cwd=smoke, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "files are as recorded" in done.stdout


def test_nothing_has_regressed_since_the_record_was_made(smoke):
    done = subprocess.run(
        ["tdmi", "check-regression", "--suite", "smoke"], cwd=smoke, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout + done.stderr[-2000:]


def test_regression_check_names_a_fault_and_its_part(smoke, tmp_path):
    for package in ("tdmi", "baselines"):
        shutil.copytree(smoke / package, tmp_path / package)
    path = tmp_path / "tdmi" / "losses" / "heatmap.py"
    path.write_text(path.read_text().replace("return factor *", "return 0.5 * factor *"))
    done = subprocess.run(
        [sys.executable, "-m", "tdmi.cli.main", "check-regression", "--suite", "smoke"],
        cwd=smoke,
        capture_output=True,
        text=True,
        env=os.environ | {"PYTHONPATH": str(tmp_path), "PYTHONSAFEPATH": "1"},
    )
    assert done.returncode == 1, done.stdout + done.stderr[-2000:]
    assert "losses/heatmap_plain: found 0.066526, expected 0.133052" in done.stdout
    assert "most likely part: losses (tdmi/losses)" in done.stdout


def test_second_run_has_nothing_to_do(smoke):
    done = snakemake(smoke, "--cores", "2", "--config", "suite=smoke")
    assert done.returncode == 0
    assert "Nothing to be done" in done.stdout + done.stderr


def test_snakemakes_own_report_holds_page_tables_and_figures_with_captions(smoke):
    done = snakemake(smoke, "--report", "report.html", "--config", "suite=smoke")
    assert done.returncode == 0, done.stderr[-4000:]
    text = (smoke / "report.html").read_text(encoding="utf-8")
    results = smoke / "results" / "smoke"
    shown = [results / "index.html", *results.glob("tables/*.csv"), *results.glob("figures/*.svg")]
    shown += results.glob("figures/*.webp")
    assert len(shown) > 10
    for path in shown:
        assert path.name in text
    for caption in ("page that needs no other file", "Numbers behind a table", "A figure of"):
        assert caption in text


@pytest.mark.slow
def test_grid_is_trained_beside_the_suite_and_reported(smoke):
    grid = {
        "title": "two variants",
        "question": "Does it run?",
        "ladder": True,
        "seeds": [0],
        "variants": [
            {"name": "start", "label": "Start", "method": "single_frame"},
            {"name": "all", "label": "All", "options": {"mutual_information": {"scale": 0.01}}},
        ],
    }
    path = smoke / "workflow" / "config" / "grids" / "two.yaml"
    path.write_text(yaml.safe_dump(grid))
    done = snakemake(smoke, "--cores", "2", "--config", "suite=smoke", "grid=two")
    assert done.returncode == 0, done.stderr[-4000:]
    assert [p.name for p in (smoke / "runs" / "smoke_two").glob("*/seed*")] == ["seed0"]
    assert "Does it run?" in (smoke / "results" / "smoke_two" / "index.html").read_text()
    again = snakemake(smoke, "-n", "--config", "suite=smoke", "grid=two")
    assert "Nothing to be done" in again.stdout + again.stderr


def test_lost_run_is_made_again_with_the_same_bytes(smoke):
    run = smoke / "runs" / "smoke" / "tdmi" / "seed0"
    files = ["checkpoint.pt", "history.csv", *(f"{b}/metrics.json" for b in BOXES)]
    before = [(run / file).read_bytes() for file in files]
    shutil.rmtree(run)
    done = snakemake(smoke, "--cores", "2", "--config", "suite=smoke")
    assert done.returncode == 0, done.stderr[-4000:]
    assert [(run / file).read_bytes() for file in files] == before


def test_truncated_frame_is_named_and_nothing_half_written_is_left(smoke):
    image = next((smoke / "data" / "mocap_smoke" / "images" / "test").rglob("000002.jpg"))
    whole = image.read_bytes()
    image.write_bytes(whole[: len(whole) // 2])
    run = smoke / "runs" / "smoke" / "single_frame" / "seed0"
    try:
        done = subprocess.run(
            ["tdmi", "predict", "--run", run, "--out", smoke / "elsewhere"],
            cwd=smoke,
            capture_output=True,
            text=True,
        )
    finally:
        image.write_bytes(whole)
    assert done.returncode == 2
    last = done.stderr.strip().splitlines()[-1]
    assert "found a truncated picture" in last and image.name in last
    assert not list((smoke / "elsewhere").rglob("*.json"))
