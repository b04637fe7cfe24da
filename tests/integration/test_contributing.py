"""CONTRIBUTING.md, followed to the letter in a copy of the project."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support import tiny_dataset
from tests.support.checkouts import checkout, snakemake
from tests.support.paths import ROOT

TEXT = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
BLOCK = re.compile(r"^```(python|yaml|diff)\n# (\S+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def follow(heading: str, folder: Path) -> None:
    """Write the files and make the edits of one section."""
    section = TEXT.split(f"\n## {heading}\n")[1].split("\n## ")[0]
    blocks = BLOCK.findall(section)
    assert blocks
    for kind, name, content in blocks:
        path = folder / name
        if kind != "diff":
            assert not path.exists()
            path.write_text(content, encoding="utf-8")
            continue
        lines = content.splitlines(keepends=True)
        old, new = ("".join(x[1:] for x in lines if x[0] == sign) for sign in "-+")
        text = path.read_text(encoding="utf-8")
        assert text.count(old) == 1, f"{name} does not hold {old!r} once"
        path.write_text(text.replace(old, new), encoding="utf-8")


def run(folder: Path, *command: str) -> str:
    """Run a command that imports the copy; return its output."""
    done = subprocess.run(
        [sys.executable, *command],
        cwd=folder,
        env=os.environ | {"PYTHONPATH": str(folder), "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return done.stdout


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    return checkout(tmp_path / "copy")


def test_add_a_data_set(copy, monkeypatch):
    follow("Add a data set", copy)
    run(copy, "workflow/scripts/write_schemas.py")
    tiny_dataset.write(copy / "data" / "mine")
    for record in (copy / "data" / "mine").glob("dataset-*.json"):
        record.unlink()
    (copy / "data" / "mine" / "dataset.json").write_text(json.dumps({"release": "1"}))
    monkeypatch.setenv("PYTHONPATH", str(copy))
    done = snakemake(copy, "--cores", "1", "--config", "suite=mine")
    assert done.returncode == 0, done.stderr[-3000:]
    metrics = copy / "runs/mine/single_frame/seed0/ground_truth_boxes/metrics.json"
    assert json.loads(metrics.read_text())["frames"] == 5
    assert "My videos" in (copy / "results" / "mine" / "index.html").read_text()


def test_add_an_evaluator(copy):
    follow("Add an evaluator", copy)
    tiny_dataset.write(copy / "data")
    truth = str(copy / "data" / "annotations" / "test")
    shown = run(
        copy, "-m", "tdmi.cli.main", "evaluate", "--protocol", "pck",
        "--gt", truth, "--pred", truth, "--out", "pck.json",
    )  # fmt: skip
    assert shown.strip() == "PCK 100.0"
    assert json.loads((copy / "pck.json").read_text())["pck"] == 100


def test_add_a_figure(copy, tmp_path):
    follow("Add a figure", copy)
    script = (
        "import pathlib, sys\n"
        "from tdmi.reporting.report import make_report\n"
        "from tests.support import report_suite\n"
        "folder = pathlib.Path(sys.argv[1])\n"
        "spec = report_suite.write_suite(folder)\n"
        "published = pathlib.Path('results/published.csv')\n"
        "make_report(spec, folder / 'runs', folder / 'out', published)\n"
    )
    run(copy, "-c", script, str(tmp_path / "report"))
    numbers = (tmp_path / "report" / "out" / "figures" / "seconds.csv").read_text()
    assert numbers.startswith("method,value\n")
    assert "Milliseconds per person" in (tmp_path / "report" / "out" / "index.html").read_text()
