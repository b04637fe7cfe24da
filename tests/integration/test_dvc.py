"""Snakemake and DVC agree: neither makes again what the other one has made.

Each test works in its own clones, on the smoke suite cut down to three methods.
"""

import csv
import json
import os
import runpy
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from tdmi.config.suites import load_suites
from tests.support.checkouts import checkout
from tests.support.paths import ROOT

STAGES = runpy.run_path(str(ROOT / "workflow" / "scripts" / "dvc_stages.py"))
OUTDATED = runpy.run_path(str(ROOT / "workflow" / "scripts" / "outdated_runs.py"))
METHODS = ("single_frame", "single_frame_equal_compute", "key_frame_fusion")
SUITE = ("--config", "suite=smoke")
STATUS_IS_CLEAN = ["dvc", "status", "-q"]
# The command in the README.
SETTLE = ["snakemake", "--cores", "1", "--quiet", "all", "--touch", "--forceall", *SUITE]


def run(folder: Path, *command: str) -> str:
    """Run a command with the code and settings of `folder`; return what it prints."""
    done = subprocess.run(
        command,
        cwd=folder,
        capture_output=True,
        text=True,
        env=os.environ | {"OMP_NUM_THREADS": "1", "PYTHONPATH": str(folder)},
    )
    assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"[-4000:]
    return done.stdout + done.stderr


def git(folder: Path, *arguments: str) -> str:
    identity = ("-c", "user.name=tester", "-c", "user.email=tester@example.org")
    return run(folder, "git", *identity, *arguments)


def nothing_to_do(folder: Path) -> bool:
    return "Nothing to be done" in run(folder, "snakemake", "-n", *SUITE)


def times(folder: Path) -> dict[str, int]:
    """Return when each run's checkpoint and metrics and each split of the data was written."""
    made = [*folder.glob("data/*/dataset-*.json"), *folder.glob("runs/smoke/**/*.json")]
    made += folder.glob("runs/smoke/*/*/checkpoint.pt")
    return {path.relative_to(folder).as_posix(): path.stat().st_mtime_ns for path in sorted(made)}


def checkpoints(folder: Path) -> dict[str, bytes]:
    return {
        method: (folder / "runs/smoke" / method / "seed0/checkpoint.pt").read_bytes()
        for method in METHODS
    }


def last_step(folder: Path, method: str) -> int:
    with open(folder / "runs/smoke" / method / "seed0/history.csv", newline="") as file:
        return int(list(csv.DictReader(file))[-1]["step"])


def change_steps(folder: Path, recipe: str, steps: int) -> None:
    path = folder / "workflow/config/smoke.yaml"
    smoke = yaml.safe_load(path.read_text())
    smoke["recipes"][recipe]["steps"] = steps
    path.write_text(yaml.safe_dump(smoke, sort_keys=False))


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    """A repository whose DVC stages are those of a cut smoke suite; nothing has been run."""
    folder = checkout(tmp_path_factory.mktemp("dvc") / "project")
    path = folder / "workflow" / "config" / "smoke.yaml"
    smoke = yaml.safe_load(path.read_text())
    smoke["methods"] = {method: smoke["methods"][method] for method in METHODS}
    smoke["dataset"]["options"]["videos"] = {"train": 3, "val": 2, "test": 2}
    smoke["recipes"]["from_scratch"] |= {"steps": 4, "log_every": 2, "validate_every": 4}
    smoke["recipes"]["temporal"] |= {"steps": 2, "log_every": 1, "validate_every": 2}
    smoke["recipes"]["equal_compute"] |= {"steps": 2, "log_every": 1, "validate_every": 2}
    smoke["report"]["subject"] = "key_frame_fusion"
    path.write_text(yaml.safe_dump(smoke, sort_keys=False))
    (folder / "dvc.lock").unlink()
    run(folder, sys.executable, "workflow/scripts/dvc_stages.py", "--suite", "smoke")
    git(folder, "init", "--quiet", "--initial-branch", "main")
    git(folder, "add", "--all")
    git(folder, "commit", "--quiet", "--message", "start")
    fetched = ROOT / "data" / "sources"
    if fetched.is_dir():
        shutil.copytree(fetched, folder / "data" / "sources")
    return folder


@pytest.fixture(scope="module")
def recorded(project):
    """The same after `dvc repro`; the results are committed and pushed to a remote folder."""
    run(project, "dvc", "repro")
    run(project, *STATUS_IS_CLEAN)
    assert nothing_to_do(project)
    run(project, "dvc", "remote", "add", "--default", "storage", str(project.parent / "storage"))
    git(project, "add", "--all")
    git(project, "add", "--force", "results/smoke")
    git(project, "commit", "--quiet", "--message", "runs")
    run(project, "dvc", "push")
    return project


@pytest.fixture
def pulled(recorded, tmp_path):
    """Another machine: a clone, with data and runs from the remote folder."""
    git(tmp_path, "clone", "--quiet", str(recorded), "clone")
    run(tmp_path / "clone", "dvc", "pull")
    return tmp_path / "clone"


def test_stages_of_any_suite_are_written():
    stages = yaml.safe_load(STAGES["text"]("smoke"))["stages"]
    assert list(stages) == ["data", "runs", "report"]
    assert all("--config suite=smoke" in stage["cmd"] for stage in stages.values())
    assert {next(iter(out)) for out in stages["runs"]["outs"]} == {"runs/smoke"}


def test_stages_of_the_main_job_watch_all_its_settings_and_keep_all_its_runs():
    stages = yaml.safe_load((ROOT / "dvc.yaml").read_text())["stages"]
    suites = load_suites("embedded")
    settings = {f"workflow/config/{name}.yaml" for name in suites}
    settings |= {
        f"workflow/config/methods/{method}.yaml"
        for suite in suites.values()
        for method in suite.methods
    }
    assert {next(iter(entry)) for entry in stages["runs"]["params"]} == settings
    assert {next(iter(out)) for out in stages["runs"]["outs"]} == {f"runs/{s}" for s in suites}
    roots = {suite.dataset.root for suite in suites.values()}
    assert set(stages["runs"]["deps"]) == roots
    assert roots < {next(iter(out)) for out in stages["data"]["outs"]}


def test_dvc_yaml_is_as_its_script_writes_it():
    assert STAGES["text"]("embedded") == (ROOT / "dvc.yaml").read_text()


def test_runs_of_other_settings_are_found(tmp_path):
    def outdated() -> list[str]:
        return OUTDATED["outdated"]("smoke", tmp_path)

    assert outdated() == []
    suite = load_suites("smoke")["smoke"]
    for method in METHODS:
        folder = tmp_path / "smoke" / method / "seed0"
        folder.mkdir(parents=True)
        (folder / "config.yaml").write_text(suite.settings(method, 0).text())
    assert outdated() == []
    changed = suite.settings("key_frame_fusion", 0).to_dict()
    changed["recipe"] = changed["recipe"] | {"steps": 3}
    config = tmp_path / "smoke" / "key_frame_fusion" / "seed0" / "config.yaml"
    config.write_text(yaml.safe_dump(changed))
    assert outdated() == ["smoke/key_frame_fusion/seed0"]


@pytest.mark.slow
def test_dvc_computes_nothing_after_snakemake(recorded):
    before = times(recorded)
    assert len(before) > 3 * len(METHODS)
    run(recorded, *STATUS_IS_CLEAN)
    run(recorded, "dvc", "repro")
    assert times(recorded) == before
    # Without a lock file DVC records every stage, and Snakemake has nothing to do in them.
    lock = recorded / "dvc.lock"
    committed = lock.read_text()
    for command in (("dvc", "repro"), ("dvc", "commit", "--force")):
        lock.unlink()
        run(recorded, *command)
        assert times(recorded) == before
        assert lock.read_text() == committed
    assert nothing_to_do(recorded)


@pytest.mark.slow
def test_both_are_clean_after_clone_and_pull(pulled):
    run(pulled, *STATUS_IS_CLEAN)
    run(pulled, *SETTLE)
    run(pulled, *STATUS_IS_CLEAN)
    assert nothing_to_do(pulled)
    before = times(pulled)
    run(pulled, "dvc", "repro")
    assert times(pulled) == before
    change_steps(pulled, "temporal", 3)
    assert not nothing_to_do(pulled)
    checkpoint = pulled / "runs/smoke/key_frame_fusion/seed0/checkpoint.pt"
    checkpoint.write_bytes(checkpoint.read_bytes() + b"!")
    changed = subprocess.run(
        ["dvc", "status", "--json"], cwd=pulled, capture_output=True, text=True
    )
    assert set(json.loads(changed.stdout)) == {"runs", "report"}


@pytest.mark.slow
def test_an_experiment_trains_what_depends_on_it_and_its_metrics_differ(pulled):
    run(pulled, *SETTLE)
    before = checkpoints(pulled)
    run(pulled, "dvc", "exp", "run", "-S", "workflow/config/smoke.yaml:recipes.temporal.steps=3")
    after = checkpoints(pulled)
    assert [method for method in METHODS if before[method] != after[method]] == ["key_frame_fusion"]
    assert last_step(pulled, "key_frame_fusion") == 3
    assert nothing_to_do(pulled)
    parameters = json.loads(run(pulled, "dvc", "params", "diff", "--json"))
    assert list(parameters["workflow/config/smoke.yaml"]) == ["recipes.temporal.steps"]
    metrics = json.loads(run(pulled, "dvc", "metrics", "diff", "--json"))
    changed = metrics["results/smoke/metrics.json"]
    assert changed and all(name.endswith(".key_frame_fusion") for name in changed)


@pytest.mark.slow
def test_a_changed_recipe_is_trained_although_snakemake_knows_nothing_of_the_runs(pulled):
    assert not (pulled / ".snakemake" / "metadata").exists()
    change_steps(pulled, "temporal", 3)
    run(pulled, "dvc", "repro")
    assert last_step(pulled, "key_frame_fusion") == 3
    assert last_step(pulled, "single_frame_equal_compute") == 2
    assert nothing_to_do(pulled)
