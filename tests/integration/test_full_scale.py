"""The four data sets from a server's archives to a table, on small trees of exactly their form."""

from __future__ import annotations

import functools
import http.server
import json
import os
import shutil
import subprocess
import threading
from pathlib import Path

import pytest
import yaml

from tdmi.cli.main import main
from tdmi.clips.samples import TrainingSamples
from tdmi.config.suites import load_suite
from tdmi.data.annotations import select_persons
from tdmi.experiments.build import read_split, split_windows
from tdmi.formats import posetrack18
from tests.support import full_scale_trees as trees
from tests.support.checkouts import checkout
from tests.support.mocap_sources import make_sources

NAMES = ("posetrack17", "posetrack18", "posetrack21", "hieve")
TOKEN = "letmein"


@pytest.fixture(scope="module")
def made(tmp_path_factory) -> Path:
    """`trees/<name>` and `served/<name>`."""
    folder = tmp_path_factory.mktemp("full_scale")
    mocap = trees.make_mocap(make_sources(folder / "sources"), folder / "mocap")
    for name in NAMES:
        getattr(trees, f"make_{name}")(mocap, folder / "trees" / name)
        if name != "hieve":
            trees.pack(name, folder / "trees" / name, folder / "served" / name, TOKEN)
    return folder


@pytest.fixture(scope="module")
def address(made):
    class Silent(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *_: object) -> None:
            pass

    handler = functools.partial(Silent, directory=str(made / "served"))
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()


def place_by_hand(made: Path, name: str, root: Path) -> None:
    """What the server does not offer: HiEve, PoseTrack21's labels, the detector's boxes."""
    tree = made / "trees" / name
    (root / "boxes").mkdir(parents=True)
    shutil.copy2(tree / "boxes" / "val.json", root / "boxes")
    if name == "hieve":
        shutil.copytree(tree / "HIE20", root / "HIE20")
    if name == "posetrack21":
        labels = made / "served" / name / "posetrack21_annotations.zip"
        (root / "archives").mkdir()
        shutil.copy2(labels, root / "archives")


@pytest.mark.parametrize("name", NAMES)
def test_from_archives_to_samples_and_a_perfect_score(made, address, name, tmp_path, monkeypatch):
    monkeypatch.setenv("TDMI_POSETRACK21_TOKEN", TOKEN)
    suite = load_suite(name)
    monkeypatch.chdir(tmp_path)
    root = tmp_path / "data" / name
    place_by_hand(made, name, root)
    base = [] if name == "hieve" else ["--base-url", f"{address}/{name}"]
    assert main(["data", "fetch", name, "--root", str(root), *base]) == 0
    assert main(["data", "check", name, "--root", str(root)]) == 0
    assert main(["data", "prepare", name, "--root", str(root)]) == 0

    settings = suite.settings("tdmi", 0)
    truth = read_split(settings, "test")
    windows = split_windows(settings, truth, (-2, -1, 0, 1, 2))
    samples = TrainingSamples(windows, suite.augmentation, seed=0)
    sample = samples[0]
    assert sample.frames.shape == (5, 384, 288, 3) and sample.frames.any()
    assert sample.heatmaps.shape == (len(truth.skeleton), 96, 72)
    assert sample.weight.sum() > 0

    judged = select_persons(truth, truth.present.any(axis=1))
    posetrack18.write_folder(judged, tmp_path / "predictions")
    out = tmp_path / "metrics.json"
    arguments = ["--gt", str(root / "prepared" / "annotations" / "val"), "--out", str(out)]
    arguments += ["--pred", str(tmp_path / "predictions"), "--protocol", suite.evaluation]
    assert main(["evaluate", *arguments, "--quiet"]) == 0
    assert json.loads(out.read_text())["ap"]["total"] == pytest.approx(100)


def run_suite(made: Path, address: str, name: str, clone: Path, *config: str) -> None:
    place_by_hand(made, name, clone / "data" / name)
    base = [] if name == "hieve" else [f"base_url={address}/{name}"]
    done = subprocess.run(
        ["snakemake", "--cores", "2", "--config", f"suite={name}", *config, *base],
        cwd=clone,
        capture_output=True,
        text=True,
        env=os.environ | {"OMP_NUM_THREADS": "1", "TDMI_POSETRACK21_TOKEN": TOKEN},
    )
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]


def table_of(clone: Path, results: str) -> str:
    return (clone / "results" / results / "tables/comparison_ground_truth_boxes.csv").read_text()


def test_a_full_scale_suite_runs_from_archives_to_the_table(made, address, tmp_path):
    """PoseTrack21 (encrypted labels, own evaluator) with two methods on small crops."""
    clone = checkout(tmp_path)
    path = clone / "workflow" / "config" / "posetrack21.yaml"
    suite = yaml.safe_load(path.read_text())
    suite["crop"]["size"] = [64, 48]
    suite["methods"] = {
        name: suite["methods"][name]
        for name in ("single_frame", "single_frame_equal_compute", "key_frame_fusion", "tdmi")
    }
    for recipe in suite["recipes"].values():
        recipe |= {"batch_size": 4, "workers": 0}
    path.write_text(yaml.safe_dump(suite))
    run_suite(made, address, "posetrack21", clone, "width=4", "steps=2")
    assert "TDMI" in table_of(clone, "posetrack21_width4_steps2")
    run = clone / "runs/posetrack21_width4_steps2/tdmi/seed0"
    assert json.loads((run / "provenance.json").read_text())["data_release"] == "v0.1, subset"
    written = [p for part in ("data", "runs", ".snakemake") for p in (clone / part).rglob("*")]
    held = [p for p in written if p.is_file() and TOKEN.encode() in p.read_bytes()]
    assert held == [], "the token must not be written anywhere"


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_every_full_scale_suite_runs_with_nothing_changed_but_width_and_steps(
    made, address, name, tmp_path
):
    clone = checkout(tmp_path)
    run_suite(made, address, name, clone, "width=4", "steps=2")
    table = table_of(clone, f"{name}_width4_steps2")
    assert all(use.label in table for use in load_suite(name).methods.values())
