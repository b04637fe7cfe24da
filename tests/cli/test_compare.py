"""`tdmi compare`, and intervals and slices through `tdmi evaluate`, from files to JSON."""

import json
import re
import shutil

import numpy as np
import pytest

from tdmi.cli.main import main
from tdmi.data.skeletons import POSETRACK17
from tdmi.evaluation.protocols.poseval import average_precision, combine, evaluate
from tdmi.evaluation.statistics.significance import Difference
from tdmi.experiments.compare import sentence
from tdmi.formats.files import video_files
from tdmi.formats.posetrack import read_folder
from tests.support.golden_evaluation import cases, write_back

CASE = cases("poseval")["m_medium_pt18"]
COLUMNS = {"head", "shoulder", "elbow", "wrist", "hip", "knee", "ankle", "total"}


@pytest.fixture
def folders(tmp_path):
    """Ground truth, predictions, and predictions of which some people are moved away."""
    truth, good = write_back(CASE, tmp_path)
    bad = tmp_path / "bad"
    shutil.copytree(good, bad)
    for path in bad.iterdir():
        content = json.loads(path.read_text())
        for person in content["annotations"][::3]:
            person["keypoints"] = [
                value + 500 * (k % 3 == 0) for k, value in enumerate(person["keypoints"])
            ]
        path.write_text(json.dumps(content))
    return truth, good, bad


def compare(tmp_path, truth, a, b, *options) -> dict:
    arguments = ["compare", "--gt", truth, "--a", *a, "--b", *b, "--out", tmp_path / "c.json"]
    assert main([str(argument) for argument in [*arguments, *options]]) == 0
    return json.loads((tmp_path / "c.json").read_text())


def total(truth, predictions) -> float:
    names = video_files(truth)
    sides = (read_folder(folder, names, POSETRACK17) for folder in (truth, predictions))
    return average_precision(combine(evaluate(*sides).values())).ap[-1]


def test_difference_interval_and_sentence(folders, tmp_path, capsys):
    truth, good, bad = folders
    found = compare(tmp_path, truth, [good], [bad], "--resamples", 200)
    expected = [total(truth, side) for side in (good, bad)]
    assert [found["ap"][side]["total"] for side in "ab"] == pytest.approx(expected, abs=1e-9)
    assert found["difference"]["total"] == pytest.approx(expected[0] - expected[1], abs=1e-9)
    assert set(found["difference"]) == set(found["interval"]["difference"]) == COLUMNS
    low, high = found["interval"]["difference"]["total"]
    assert low < found["difference"]["total"] < high
    videos = len(list(truth.iterdir()))
    assert found["videos"] == videos and found["mixtures"] == min(2**videos, 200)
    assert 2 / 2**videos <= found["p_value"] <= 1
    out = capsys.readouterr().out
    assert found["verdict"] == out.splitlines()[-1]
    assert f"AP {expected[0]:.2f} and {expected[1]:.2f}" in found["verdict"]
    assert re.search(rf"^total +\+{found['difference']['total']:.2f}", out, re.MULTILINE)


def test_a_method_against_itself(folders, tmp_path):
    truth, good, _ = folders
    found = compare(tmp_path, truth, [good], [good], "--resamples", 50, "--quiet")
    assert set(found["difference"].values()) == {0.0} and found["p_value"] == 1.0
    assert found["interval"]["difference"]["total"] == [0.0, 0.0]
    assert found["verdict"].startswith("no difference between a and b is shown")


def test_several_runs_and_the_same_bytes_again(folders, tmp_path, capsys):
    truth, good, bad = folders
    options = ("--resamples", 50, "--seed", 3, "--quiet")
    found = compare(tmp_path, truth, [good, bad], [bad], *options)
    first = (tmp_path / "c.json").read_bytes()
    mean = (total(truth, good) + total(truth, bad)) / 2
    assert found["ap"]["a"]["total"] == pytest.approx(mean, abs=1e-9)
    assert found["a"] == {"runs": 2, "predictions": [str(good), str(bad)]}
    compare(tmp_path, truth, [good, bad], [bad], *options)
    assert (tmp_path / "c.json").read_bytes() == first
    captured = capsys.readouterr()
    assert captured.out == captured.err == ""


def test_protocol_of_posetrack21(folders, tmp_path):
    truth, good, bad = folders
    options = ("--protocol", "posetrack21", "--resamples", 20, "--quiet")
    found = compare(tmp_path, truth, [good], [bad], *options)
    assert found["protocol"] == "posetrack21" and found["difference"]["total"] > 0


@pytest.mark.parametrize("side", ["truth", "predictions"])
def test_one_video_under_two_names_is_refused(side, folders, tmp_path, capsys):
    truth, good, bad = folders
    first = min(truth.iterdir()).name
    for folder in folders:
        shutil.copy(folder / first, folder / "twice.json")
    if side == "predictions":  # the labels may name the images of two videos
        text = (truth / "twice.json").read_text()
        (truth / "twice.json").write_text(text.replace(first.removesuffix(".json"), "other"))
    words = ["--gt", truth, "--a", good, "--b", bad, "--out", tmp_path / "c.json"]
    assert main(["compare", *map(str, words)]) == 2
    folder = truth if side == "truth" else good
    assert f"{folder / 'twice.json'}: lists the same images as {first}" in capsys.readouterr().err
    if side == "predictions":
        assert main(["track", "--predictions", str(good), "--out", str(tmp_path / "out")]) == 2
        assert "lists the same images" in capsys.readouterr().err
    assert not (tmp_path / "c.json").exists() and not (tmp_path / "out").exists()


def known(estimate: float, spread: float, p: float) -> Difference:
    return Difference(
        a=np.array([50 + estimate]),
        b=np.array([50.0]),
        estimate=np.array([estimate]),
        replicates=estimate + spread * np.linspace(-1, 1, 1001)[:, None],
        p_value=p,
        mixtures=1000,
    )


@pytest.mark.parametrize(
    ("found", "verdict"),
    [
        (known(2, 1, 0.01), "a is better than b: AP 52.00 and 50.00, a minus b +2.00 points"),
        (known(-2, 1, 0.01), "b is better than a"),
        (known(2, 1, 0.06), "undecided between a and b"),
        (known(2, 9, 0.01), "undecided between a and b"),
        (known(2, 9, 0.60), "no difference between a and b is shown"),
    ],
)
def test_verdicts(found, verdict):
    assert sentence(found, 100, [3, 3]).startswith(verdict)


def test_verdicts_say_what_they_cannot_know():
    assert "single run" in sentence(known(2, 1, 0.01), 100, [3, 1])
    assert "single run" not in sentence(known(2, 1, 0.01), 100, [3, 2])
    # Of the 16 ways to exchange 4 videos two are as far apart as the real one at least.
    assert "p cannot be below 0.125" in sentence(known(2, 1, 0.125), 4, [3, 3])
    assert "cannot" not in sentence(known(2, 1, 0.03), 6, [3, 3])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"--a": ["gt/nowhere"]}, r"--a: .*nowhere: no such folder"),
        ({"--b": ["pred", "pred"]}, r"--b: .*pred: given twice"),
        ({"--resamples": ["0"]}, "--resamples: found 0"),
        ({"--seed": ["-1"]}, "--seed: found -1"),
        ({"--out": ["gt"]}, "--out is a folder"),
    ],
)
def test_unusable_arguments_are_refused_in_one_line(
    change, message, folders, tmp_path, monkeypatch, capsys
):
    monkeypatch.chdir(tmp_path)
    arguments = {"--gt": ["gt"], "--a": ["pred"], "--b": ["bad"], "--out": ["c.json"]} | change
    flat = [word for option, values in arguments.items() for word in (option, *values)]
    assert main(["compare", *flat]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert re.search(message, line)
    assert not (tmp_path / "c.json").exists()


def test_missing_videos_are_named(folders, tmp_path, capsys):
    truth, good, bad = folders
    gone = sorted(bad.iterdir())[0]
    gone.unlink()
    arguments = ["compare", "--gt", truth, "--a", good, "--b", bad, "--out", tmp_path / "c.json"]
    assert main([str(argument) for argument in arguments]) == 2
    assert str(gone) in capsys.readouterr().err


def evaluated(tmp_path, truth, predictions, *options) -> dict:
    out = tmp_path / "metrics.json"
    arguments = ["evaluate", "--gt", truth, "--pred", predictions, "--out", out, *options]
    assert main([str(argument) for argument in arguments]) == 0
    return json.loads(out.read_text())


@pytest.mark.parametrize("protocol", ["poseval", "posetrack21"])
def test_evaluate_adds_interval_and_slices_and_changes_nothing_else(
    protocol, folders, tmp_path, capsys
):
    truth, _, bad = folders
    plain = evaluated(tmp_path, truth, bad, "--protocol", protocol)
    options = ("--protocol", protocol, "--slices", "--bootstrap", 100)
    found = evaluated(tmp_path, truth, bad, *options)
    interval, slices = found.pop("interval"), found.pop("slices")
    assert found == plain
    low, high = interval["ap"]["total"]
    assert low < found["ap"]["total"] < high and interval["resamples"] == 100
    assert set(interval["ap"]) == COLUMNS
    assert {"size", "people"} <= set(slices)
    out = capsys.readouterr().out
    assert f"95% interval: {low:.1f} to {high:.1f}" in out
    assert re.search(r"^size +[\d.]+ +\d+ +\d+ ", out, re.MULTILINE)


def test_evaluate_slices_by_attributes_of_a_table(folders, tmp_path, capsys):
    truth, good, _ = folders
    rows = ["image_id,track_id,glare"]
    for path in sorted(truth.iterdir()):
        for number, person in enumerate(json.loads(path.read_text())["annotations"]):
            rows.append(f"{person['image_id']},{person['track_id']},{number % 2}")
    (tmp_path / "table.csv").write_text("\n".join(rows))
    found = evaluated(
        tmp_path, truth, good, "--slices", "--attributes", tmp_path / "table.csv", "--quiet"
    )
    glare = found["slices"]["glare"]
    assert glare["source"] == "file" and [part["from"] for part in glare["bins"]] == [None, 1.0]
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--attributes", "table.csv"), "--attributes goes with --slices"),
        (("--slices", "--attributes", "none.csv"), "none.csv: no such file"),
        (("--bootstrap", "0"), "--bootstrap: found 0"),
        (("--bootstrap", "5", "--seed", "-2"), "--seed: found -2"),
        (("--protocol", "oks", "--slices"), "--slices goes with --protocol poseval or"),
    ],
)
def test_unusable_options_of_evaluate(options, message, folders, tmp_path, capsys):
    truth, good, _ = folders
    out = tmp_path / "metrics.json"
    arguments = ["evaluate", "--gt", truth, "--pred", good, "--out", out, *options]
    assert main([str(argument) for argument in arguments]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert message in line and not out.exists()
