"""The cross-check of `tdmi evaluate` with the official evaluator, of which a stand-in answers."""

import json
import sys
from pathlib import Path

import pytest

from tdmi.cli.main import main
from tdmi.evaluation.protocols import cross_check
from tdmi.evaluation.protocols.cross_check import with_track_ids
from tests.support.golden_evaluation import cases, write_back

POSEVAL = cases("poseval")

# A stand-in with the interface of poseval 0.1.0: the same options, plain joining of the prediction
# folder and the file name, unique track ids demanded, the results in total_AP_metrics.json and
# total_MOT_metrics.json. Instead of scoring it answers what the test put into answer.json, and it
# leaves the track ids of each side and frame in ids.json.
FAKE = """
import argparse, glob, json, os
parser = argparse.ArgumentParser()
parser.add_argument("-g", "--groundTruth")
parser.add_argument("-p", "--predictions")
parser.add_argument("-e", "--evalPoseEstimation", action="store_true")
parser.add_argument("-t", "--evalPoseTracking", action="store_true")
parser.add_argument("-s", "--saveEvalPerSequence", action="store_true")
parser.add_argument("-o", "--outputDir", default="./out")
args = parser.parse_args()
assert args.evalPoseEstimation
seen = []
for path in sorted(glob.glob(args.groundTruth + "/*.json")):
    for name in (path, args.predictions + os.path.basename(path)):
        with open(name) as file:
            content = json.load(file)
        frames = {}
        if "annolist" in content:
            for k, frame in enumerate(content["annolist"]):
                frames[k] = [person["track_id"][0] for person in frame["annorect"]]
        else:
            for person in content["annotations"]:
                frames.setdefault(person["image_id"], []).append(person["track_id"])
        seen.append(list(frames.values()))
        for ids in frames.values():
            if len(set(ids)) < len(ids) or max(ids, default=0) >= 10000:
                raise Exception("Non-unique tracklet IDs found")
here = os.path.dirname(__file__)
with open(os.path.join(here, "ids.json"), "w") as file:
    json.dump(seen, file)
with open(os.path.join(here, "answer.json")) as file:
    answer = json.load(file)
names = {str(k): "joint" for k in range(15)}
ap = answer["ap"]
with open(args.outputDir + "/total_AP_metrics.json", "w") as file:
    json.dump({"ap": ap, "pre": ap, "rec": ap, "names": names}, file)
if args.evalPoseTracking:
    with open(args.outputDir + "/total_MOT_metrics.json", "w") as file:
        json.dump(answer["tracking"] | {"names": names}, file)
"""


@pytest.fixture
def fake_poseval(tmp_path, monkeypatch):
    """Install the stand-in; gives a function that sets its answer and returns its folder."""
    package = tmp_path / "site" / "poseval"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text("")
    (package / "evaluate.py").write_text(FAKE)
    monkeypatch.setenv("PYTHONPATH", str(package.parent))
    monkeypatch.syspath_prepend(package.parent)
    monkeypatch.delitem(sys.modules, "poseval", raising=False)

    def answer(ap: list, tracking: dict | None = None) -> Path:
        text = json.dumps({"ap": ap, "tracking": tracking})
        (package / "answer.json").write_text(text)
        return package

    return answer


def status(folder: Path, name: str, *options: str) -> int:
    """Exit status of the command with --cross-check on the files of a case of poseval's."""
    truth, predictions = folder / "gt", folder / "pred"
    if not truth.exists():
        write_back(POSEVAL[name], folder)
    words = ["--gt", truth, "--pred", predictions, "--out", folder / "metrics.json", *options]
    try:
        return main(["evaluate", "--quiet", "--cross-check", *map(str, words)])
    except SystemExit as ended:
        return ended.code


def numbers(values: list) -> list:
    return [float("nan") if value is None else value for value in values]


def official(name: str) -> list:
    return numbers(POSEVAL[name]["expected"]["ap"]["ap"])


def official_tracking(name: str) -> dict[str, list]:
    """As poseval writes them, under its own keys."""
    found = cases("poseval", "tracking")[name]
    keys = {"mota": "mota", "motp": "motp", "pre": "precision", "rec": "recall"}
    return {theirs: numbers(found[ours]) for theirs, ours in keys.items()}


@pytest.mark.parametrize("name", ["r_small", "r_small_pt18", "joint_never_annotated_but_predicted"])
def test_equal_numbers_agree(name, tmp_path, fake_poseval, capsys):
    fake_poseval(official(name))
    assert status(tmp_path, name) == 0
    assert "(0 of 16 numbers disagree)" in capsys.readouterr().err


@pytest.mark.parametrize("name", ["prediction_without_track_id", "repeated_track_id"])
def test_places_in_the_frame_are_filled_in_as_track_ids(name, tmp_path, fake_poseval):
    package = fake_poseval([100.0] * 16)
    assert status(tmp_path, name) == 0
    people = [
        [len(frame["annorect"]) for frame in content["annolist"]]
        for video in sorted(POSEVAL[name]["gt"])
        for content in (POSEVAL[name]["gt"][video], POSEVAL[name]["pred"][video])
    ]
    assert sum(map(sum, people)) > 0
    seen = json.loads((package / "ids.json").read_text())
    assert seen == [[list(range(count)) for count in side] for side in people]


def test_equal_scores_explain_a_difference(tmp_path, fake_poseval, capsys):
    fake_poseval(official("r_ties"))
    assert status(tmp_path, "r_ties") == 0
    report = capsys.readouterr().err
    assert "explained: right_ankle: 49.608" in report
    assert "(0 of 16 numbers disagree)" in report


def test_a_difference_is_reported_with_status_1(tmp_path, fake_poseval, capsys):
    answer = official("r_small")
    answer[6] += 1e-6
    answer[2] = float("nan")
    fake_poseval(answer)
    assert status(tmp_path, "r_small") == 1
    report = capsys.readouterr().err
    assert "DIFFERS: right_wrist" in report and "DIFFERS: right_hip" in report
    assert "(2 of 16 numbers disagree)" in report
    assert (tmp_path / "metrics.json").exists()


@pytest.mark.parametrize("name", ["r_small", "m_medium_pt18", "r_crowd_swaps"])
def test_equal_tracking_agrees(name, tmp_path, fake_poseval, capsys):
    fake_poseval(official(name), official_tracking(name))
    assert status(tmp_path, name, "--tracking") == 0
    report = capsys.readouterr().err
    assert "AP: largest difference" in report and "(0 of 16 numbers disagree)" in report
    assert "tracking: largest difference" in report and "(0 of 64 numbers disagree)" in report


def test_a_difference_of_tracking_is_reported(tmp_path, fake_poseval, capsys, monkeypatch):
    answer = official_tracking("r_small")
    answer["mota"][3] += 1e-6
    answer["motp"][0] += 1.0
    fake_poseval(official("r_small"), answer)
    monkeypatch.setattr(cross_check, "installed_version", lambda package: cross_check.MOTMETRICS)
    assert status(tmp_path, "r_small", "--tracking") == 1
    report = capsys.readouterr().err
    assert "DIFFERS: mota of left_hip" in report and "DIFFERS: motp of right_ankle" in report
    assert "(2 of 64 numbers disagree)" in report
    # Another version of motmetrics explains another MOTP, and nothing else.
    monkeypatch.setattr(cross_check, "installed_version", lambda package: "1.1.3")
    assert status(tmp_path, "r_small", "--tracking") == 1
    report = capsys.readouterr().err
    assert "explained: motp of right_ankle" in report and "(motmetrics 1.1.3, not" in report
    assert "(1 of 64 numbers disagree)" in report


def test_tracking_that_poseval_refuses_is_left_out(tmp_path, fake_poseval, capsys):
    fake_poseval([100.0] * 16)
    assert status(tmp_path, "repeated_track_id", "--tracking") == 0
    report = capsys.readouterr().err
    assert "cross-check: AP only, as poseval refuses these track ids" in report
    assert "cross-check: tracking" not in report


def test_a_failure_of_poseval_gets_one_line(tmp_path, fake_poseval, capsys):
    assert status(tmp_path, "perfect") == 2
    assert "poseval ended with status 1: FileNotFoundError" in capsys.readouterr().err
    assert (tmp_path / "metrics.json").exists(), "written before the check"
    fake_poseval([100.0] * 15)
    assert status(tmp_path, "perfect") == 2
    assert "no list 'ap' of 16 numbers" in capsys.readouterr().err


def test_a_missing_poseval_is_refused_before_the_work(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    assert status(tmp_path, "perfect") == 2
    assert "pip install -e '.[poseval]'" in capsys.readouterr().err
    assert status(tmp_path, "perfect", "--protocol", "oks") == 2
    assert "--cross-check goes with --protocol poseval" in capsys.readouterr().err
    assert not (tmp_path / "metrics.json").exists()


def test_track_ids_are_places_in_the_frame():
    people = [{"image_id": 4}, {"image_id": 2, "track_id": 99}, {"image_id": 4, "track_id": 7}]
    content = with_track_ids({"annotations": people})
    assert [person["track_id"] for person in content["annotations"]] == [0, 0, 1]
