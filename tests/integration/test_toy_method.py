"""The README's section on adding a method, followed to the letter."""

from __future__ import annotations

import json
import re
import shutil
import sys
from pathlib import Path

import pandas as pd
import torch
import yaml

import baselines
from tdmi.cli.main import main
from tdmi.config.files import WORKFLOW
from tdmi.config.suites import load_suite
from tests.support import tiny_dataset
from tests.support.paths import ROOT

README = ROOT / "README.md"


def section() -> str:
    return README.read_text().split("\n## Add a method\n")[1].split("\n## ")[0]


def blocks() -> dict[str, str]:
    """Code of each block of the section, by the file name in its first line."""
    found = re.findall(r"```\w+\n# ([\w/.]+)[^\n]*\n(.*?)```", section(), re.DOTALL)
    return dict(found)


def test_the_section_is_short_and_names_three_files():
    lines = [line for line in section().splitlines() if line and not line.startswith("```")]
    assert len(lines) <= 20
    assert list(blocks()) == [
        "baselines/frame_average.py",
        "workflow/config/methods/frame_average.yaml",
        "workflow/config/smoke.yaml",
    ]


def test_a_method_added_as_the_readme_says_trains_predicts_and_is_judged(tmp_path, monkeypatch):
    shutil.copytree(WORKFLOW, tmp_path / "workflow")
    tiny_dataset.write(tmp_path / "data" / "mocap_smoke")
    monkeypatch.chdir(tmp_path)
    code, description, use = blocks().items()
    for name, content in (code, description):
        Path(name).parent.mkdir(exist_ok=True)
        Path(name).write_text(content)
    suite = yaml.safe_load(Path(use[0]).read_text())
    suite["methods"] |= yaml.safe_load(use[1])
    Path(use[0]).write_text(yaml.safe_dump(suite))
    # The repository's own package, with the new file in it.
    monkeypatch.setattr(baselines, "__path__", [*baselines.__path__, str(tmp_path / "baselines")])
    # Gone again with the test, like its file: what counts imported files must not meet it.
    monkeypatch.setitem(sys.modules, "baselines.frame_average", None)
    del sys.modules["baselines.frame_average"]

    assert "frame_average" in load_suite("smoke").methods
    for method in ("single_frame", "frame_average"):
        assert main(["train", "--suite", "smoke", "--method", method, "--steps", "3"]) == 0
    run = Path("runs/smoke_steps3/frame_average/seed0")
    weights = torch.load(run / "checkpoint.pt", weights_only=True)["model"]["weights"]
    assert not torch.equal(weights, torch.tensor([0.0, 1.0, 0.0])), "it learnt nothing"
    assert pd.read_csv(run / "history.csv").loss.notna().all()
    assert json.loads((run / "cost.json").read_text())["frames"] == 3

    assert main(["predict", "--run", str(run)]) == 0
    arguments = ["--gt", "data/mocap_smoke/annotations/test", "--out", "metrics.json", "--quiet"]
    arguments += ["--pred", str(run / "ground_truth_boxes" / "predictions")]
    assert main(["evaluate", "--protocol", "poseval", *arguments]) == 0
    judged = json.loads(Path("metrics.json").read_text())
    assert judged["predicted_persons"] == judged["ground_truth_persons"] > 0
