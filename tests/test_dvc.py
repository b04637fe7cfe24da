"""Snakemake and DVC agree: what one of them has made, the other does not make again.

Each test works in clones of its own, on the smoke suite cut down to three methods.
"""

import json
import os
import re
import runpy
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from test_workflow import checkout

from tdmi.suites import load_suites, resolve

ROOT = Path(__file__).parent.parent
STAGES = runpy.run_path(str(ROOT / "workflow" / "dvc_stages.py"))
OUTDATED = runpy.run_path(str(ROOT / "workflow" / "outdated_runs.py"))
METHODS = ("single_frame", "single_frame_equal_compute", "key_frame_fusion")
SUITE = ("--config", "suite=smoke")
STATUS_IS_CLEAN = ["dvc", "status", "-q"]
# As the README has it.
SETTLE = ["snakemake", "--cores", "1", "--quiet", "all", "--touch", "--forceall", *SUITE]


def run(folder: Path, *command: str) -> str:
    """What a command prints; it must succeed. Code and settings are those of `folder`."""
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
    """When each run's checkpoint and metrics and each split of the data was written."""
    made = [*folder.glob("data/*/dataset-*.json"), *folder.glob("runs/smoke/**/*.json")]
    made += folder.glob("runs/smoke/*/*/checkpoint.pt")
    return {path.relative_to(folder).as_posix(): path.stat().st_mtime_ns for path in sorted(made)}


def checkpoints(folder: Path) -> dict[str, bytes]:
    return {
        method: (folder / "runs/smoke" / method / "seed0/checkpoint.pt").read_bytes()
        for method in METHODS
    }


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
    run(folder, sys.executable, "workflow/dvc_stages.py", "--suite", "smoke")
    git(folder, "init", "--quiet", "--initial-branch", "main")
    git(folder, "add", "--all")
    git(folder, "commit", "--quiet", "--message", "start")
    fetched = ROOT / "data" / "sources"
    if fetched.is_dir():
        shutil.copytree(fetched, folder / "data" / "sources")
    return folder


@pytest.fixture(scope="module")
def recorded(project):
    """The same after `dvc repro`, with what came out recorded and pushed to a remote folder."""
    run(project, "dvc", "repro")
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
        for method in suite["methods"]
    }
    assert {next(iter(entry)) for entry in stages["runs"]["params"]} == settings
    assert {next(iter(out)) for out in stages["runs"]["outs"]} == {f"runs/{s}" for s in suites}
    roots = {suite["dataset"]["root"] for suite in suites.values()}
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
        (folder / "config.yaml").write_text(yaml.safe_dump(resolve(suite, method, 0)))
    assert outdated() == []
    changed = resolve(suite, "key_frame_fusion", 0)
    changed["recipe"] = changed["recipe"] | {"steps": 3}
    config = tmp_path / "smoke" / "key_frame_fusion" / "seed0" / "config.yaml"
    config.write_text(yaml.safe_dump(changed))
    assert outdated() == ["smoke/key_frame_fusion/seed0"]


@pytest.mark.slow
def test_snakemake_has_nothing_to_do_after_dvc(recorded):
    assert nothing_to_do(recorded)
    run(recorded, *STATUS_IS_CLEAN)


@pytest.mark.slow
def test_dvc_computes_nothing_after_snakemake(recorded, tmp_path):
    """What DVC does not know was made here by Snakemake alone; `dvc commit` writes it down."""
    git(tmp_path, "clone", "--quiet", str(recorded), "clone")
    clone = tmp_path / "clone"
    shutil.copytree(recorded / "data" / "sources", clone / "data" / "sources")
    run(clone, "snakemake", "--cores", "2", *SUITE)
    before = times(clone)
    run(clone, "dvc", "commit", "--force")
    run(clone, *STATUS_IS_CLEAN)
    run(clone, "dvc", "repro")
    assert times(clone) == before
    assert nothing_to_do(clone)
    (clone / "dvc.lock").unlink()
    run(clone, "dvc", "repro")
    assert times(clone) == before


@pytest.mark.slow
def test_both_are_clean_after_clone_and_pull(pulled):
    run(pulled, *STATUS_IS_CLEAN)
    run(pulled, *SETTLE)
    run(pulled, *STATUS_IS_CLEAN)
    assert nothing_to_do(pulled)
    before = times(pulled)
    run(pulled, "dvc", "repro")
    assert times(pulled) == before
    path = pulled / "workflow" / "config" / "smoke.yaml"
    path.write_text(path.read_text().replace("rotation: 15.0", "rotation: 16.0"))
    assert not nothing_to_do(pulled)


@pytest.mark.slow
def test_an_experiment_trains_what_depends_on_it_and_its_metrics_differ(pulled):
    """Without settling first: DVC's stage sees by itself which runs have other settings."""
    before = checkpoints(pulled)
    recipe = "workflow/config/smoke.yaml:recipes.temporal.steps=3"
    run(pulled, *SETTLE)
    run(pulled, "dvc", "exp", "run", "-S", recipe)
    after = checkpoints(pulled)
    assert [m for m in METHODS if before[m] != after[m]] == ["key_frame_fusion"]
    difference = json.loads(run(pulled, "dvc", "metrics", "diff", "--json"))
    assert difference


@pytest.mark.slow
def test_a_changed_recipe_is_trained_although_snakemake_knows_nothing_of_the_runs(pulled):
    path = pulled / "workflow" / "config" / "smoke.yaml"
    smoke = yaml.safe_load(path.read_text())
    smoke["recipes"]["temporal"]["steps"] = 3
    path.write_text(yaml.safe_dump(smoke, sort_keys=False))
    run(pulled, "dvc", "repro")
    for method, steps in (("key_frame_fusion", 3), ("single_frame_equal_compute", 2)):
        history = (pulled / "runs/smoke" / method / "seed0/history.csv").read_text()
        assert re.findall(r"^(\d+),", history, re.M)[-1] == str(steps)
    assert nothing_to_do(pulled)
