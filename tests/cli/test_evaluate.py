"""`tdmi evaluate` from files to metrics.json, and its cross-check against the official program."""

import argparse
import copy
import json
import re
import sys

import numpy as np
import pytest

from tdmi.cli import evaluate
from tdmi.core.errors import UserError
from tdmi.evaluation.protocols import cross_check
from tdmi.evaluation.protocols.cross_check import with_track_ids
from tests.support.golden_evaluation import cases, write_back

POSEVAL = cases("poseval")


def run(*arguments) -> None:
    parser = argparse.ArgumentParser()
    evaluate.add_arguments(parser)
    evaluate.run(parser.parse_args([str(argument) for argument in arguments]))


def paths(folder, truth, predictions) -> tuple:
    return ("--gt", truth, "--pred", predictions, "--out", folder / "metrics.json")


def read(folder) -> dict:
    return json.loads((folder / "metrics.json").read_text())


def test_poseval_metrics_and_table(tmp_path, capsys):
    truth, predictions = write_back(POSEVAL["m_medium_pt18"], tmp_path)
    run(*paths(tmp_path, truth, predictions))
    expected = POSEVAL["m_medium_pt18"]["expected"]
    metrics = read(tmp_path)
    assert set(metrics) == {
        "protocol", "frames", "ground_truth_persons", "predicted_persons",
        "ap", "precision", "recall", "per_video",
    }  # fmt: skip
    assert metrics["protocol"] == "poseval"
    assert metrics["frames"] == expected["load"]["frames_kept"]
    columns = ["head", "shoulder", "elbow", "wrist", "hip", "knee", "ankle", "total"]
    for kind in ("ap", "precision", "recall"):
        ours = [metrics[kind][column] for column in columns]
        np.testing.assert_allclose(ours, expected["ap"][f"table_{kind}"], rtol=0, atol=1e-9)
        assert len(metrics[kind]["per_joint"]) == 15
    for video, values in expected["ap_per_video"].items():
        assert metrics["per_video"][video]["ap_total"] == pytest.approx(values["ap"][-1], abs=1e-9)
    heading, row = capsys.readouterr().out.splitlines()
    assert heading.startswith("& Head & Shou & Elb  & Wri  &")
    cells = "".join(f"{value:>5.1f} &" for value in expected["ap"]["table_ap"])
    assert row == "&" + cells.removesuffix(" &") + " \\\\"


def test_quiet_prints_nothing_and_the_same_bytes_come_again(tmp_path, capsys):
    truth, predictions = write_back(POSEVAL["r_small"], tmp_path)
    run(*paths(tmp_path, truth, predictions), "--quiet")
    first = (tmp_path / "metrics.json").read_bytes()
    run(*paths(tmp_path, truth, predictions), "--quiet")
    assert (tmp_path / "metrics.json").read_bytes() == first
    captured = capsys.readouterr()
    assert captured.out == "" and captured.err == ""


def test_undefined_values_become_null(tmp_path):
    truth, predictions = write_back(POSEVAL["joint_never_annotated_but_predicted"], tmp_path)
    run(*paths(tmp_path, truth, predictions), "--quiet")
    assert read(tmp_path)["ap"]["per_joint"]["right_ankle"] is None
    assert read(tmp_path)["ap"]["ankle"] is None
    assert read(tmp_path)["ap"]["total"] is not None


def test_swapped_frames_get_a_warning(tmp_path, capsys):
    truth, predictions = write_back(POSEVAL["frames_reordered"], tmp_path)
    run(*paths(tmp_path, truth, predictions), "--quiet")
    assert "warning: 000001_mpii_test: frame 0" in capsys.readouterr().err


def test_predictions_of_an_unknown_video_are_refused(tmp_path):
    truth, predictions = write_back(POSEVAL["extra_file"], tmp_path)
    with pytest.raises(UserError, match=r"pred/zzz\.json: no such video .*000001_mpii_test"):
        run(*paths(tmp_path, truth, predictions))
    assert not (tmp_path / "metrics.json").exists()


@pytest.mark.parametrize("protocol", ["poseval", "oks"])
def test_missing_predictions_are_refused(protocol, tmp_path):
    truth, predictions = write_back(POSEVAL["r_small_pt18"], tmp_path)
    lost = sorted(predictions.iterdir())[1]
    lost.unlink()
    with pytest.raises(UserError, match=rf"{lost.name}: no such file.*3 videos.*1 missing"):
        run(*paths(tmp_path, truth, predictions), "--protocol", protocol)


def test_tracking_metrics_and_table(tmp_path, capsys):
    truth, predictions = write_back(POSEVAL["m_medium_pt18"], tmp_path)
    run(*paths(tmp_path, truth, predictions), "--tracking")
    expected = cases("poseval", "tracking")["m_medium_pt18"]
    metrics = read(tmp_path)
    assert list(metrics)[-2:] == ["mota", "per_video"]
    mota = metrics["mota"]
    columns = ["head", "shoulder", "elbow", "wrist", "hip", "knee", "ankle", "total"]
    ours = [mota[column] for column in [*columns, "motp", "precision", "recall"]]
    np.testing.assert_allclose(ours, expected["table"], rtol=0, atol=1e-9)
    np.testing.assert_allclose(
        list(mota["per_joint"].values()), expected["mota"][:15], rtol=0, atol=1e-9
    )
    for values in metrics["per_video"].values():
        assert list(values) == [
            "ap_total", "precision_total", "recall_total", "mota_total", "motp_total",
            "tracking_precision_total", "tracking_recall_total",
        ]  # fmt: skip
    lines = capsys.readouterr().out.splitlines()
    assert lines[2:4] == [
        "& MOTA & MOTA & MOTA & MOTA & MOTA & MOTA & MOTA & MOTA & MOTP & Prec & Rec  \\\\",
        "& Head & Shou & Elb  & Wri  & Hip  & Knee & Ankl & Total& Total& Total& Total\\\\",
    ]
    cells = " &".join(f"{value:>5.1f}" for value in expected["table"])
    assert lines[4:] == [f"&{cells} \\\\"]


def test_tracking_changes_nothing_else(tmp_path):
    truth, predictions = write_back(POSEVAL["r_small"], tmp_path)
    run(*paths(tmp_path, truth, predictions), "--quiet")
    without = read(tmp_path)
    run(*paths(tmp_path, truth, predictions), "--quiet", "--tracking")
    tracked = read(tmp_path)
    del tracked["mota"]
    for name, values in tracked["per_video"].items():
        tracked["per_video"][name] = {key: values[key] for key in without["per_video"][name]}
    assert tracked == without


def test_posetrack21_metrics(tmp_path, capsys):
    case = cases("posetrack21")["m_medium"]
    truth, predictions = write_back(case, tmp_path)
    run(*paths(tmp_path, truth, predictions), "--protocol", "posetrack21")
    metrics, expected = read(tmp_path), case["expected"]["map"]
    assert metrics["protocol"] == "posetrack21"
    columns = ["head", "shoulder", "elbow", "wrist", "hip", "knee", "ankle", "total"]
    for kind in ("ap", "precision", "recall"):
        ours = [metrics[kind][column] for column in columns]
        official = list(expected[f"table_{kind}"].values())
        np.testing.assert_allclose(ours, official, rtol=0, atol=1e-9)
    row = capsys.readouterr().out.splitlines()[1]
    assert row.startswith(f"&{expected['table_ap']['Head']:>5.1f} &")


def test_answers_where_the_kit_crashes_are_noted(tmp_path, capsys):
    truth, predictions = write_back(cases("posetrack21")["labelled_frame_without_people"], tmp_path)
    run(*paths(tmp_path, truth, predictions), "--protocol", "posetrack21")
    (note,) = read(tmp_path)["notes"]
    assert "000011_mpii_test: frame 1 (1 in all)" in note
    assert f"note: {note}" in capsys.readouterr().err


# What poseval refuses though it can be judged: file, place and exception.
REFUSED = {
    "track_id_limit": "10000 or more in the predictions: 000001_mpii_test: frame 0 .*Assertion",
    "repeated_track_id": "twice in one frame of the predictions: 000001_mpii_test: frame 0 .*Exc",
    "gt_without_track_id": "a person without track id: 000001_mpii_test: frame 0 .*IndexError",
    "prediction_without_track_id": "a person without track id: 000001_mpii_test: .*IndexError",
    "second_prediction_without_track_id": "without track id: 000001_mpii_test: .*IndexError",
    "single_frame": r"single judged frame: 000001_mpii_test \(1 in all\).*IndexError",
}


@pytest.mark.parametrize("name", REFUSED)
def test_answers_where_poseval_crashes_are_noted_or_refused(name, tmp_path):
    truth, predictions = write_back(POSEVAL[name], tmp_path)
    run(*paths(tmp_path, truth, predictions), "--tracking", "--quiet")
    (note,) = read(tmp_path)["notes"]
    assert re.search(REFUSED[name], note)
    (tmp_path / "metrics.json").unlink()
    with pytest.raises(UserError, match=f"--strict-poseval: .*pred: .*{REFUSED[name]}") as error:
        run(*paths(tmp_path, truth, predictions), "--tracking", "--strict-poseval")
    assert "\n" not in str(error.value)
    assert not (tmp_path / "metrics.json").exists()


@pytest.mark.parametrize("name", ["m_medium", "unlabelled_prediction_without_track_id"])
def test_what_poseval_accepts_is_accepted_strictly(name, tmp_path):
    truth, predictions = write_back(POSEVAL[name], tmp_path)
    run(*paths(tmp_path, truth, predictions), "--quiet", "--tracking", "--strict-poseval")
    assert "notes" not in read(tmp_path)


def test_average_precision_alone_has_no_notes_on_tracks(tmp_path):
    truth, predictions = write_back(POSEVAL["gt_without_track_id"], tmp_path)
    run(*paths(tmp_path, truth, predictions), "--quiet")
    assert "notes" not in read(tmp_path)
    with pytest.raises(UserError, match="IndexError"):  # poseval needs the ids for AP too
        run(*paths(tmp_path, truth, predictions), "--quiet", "--strict-poseval")
    truth, predictions = write_back(POSEVAL["single_frame"], tmp_path / "single")
    run(*paths(tmp_path, truth, predictions), "--quiet", "--strict-poseval")


@pytest.mark.parametrize("option", ["--tracking", "--strict-poseval"])
def test_options_of_poseval_alone_are_refused_elsewhere(option, tmp_path):
    truth, predictions = write_back(cases("posetrack21")["r_small"], tmp_path)
    with pytest.raises(UserError, match=f"{option} goes with --protocol poseval"):
        run(*paths(tmp_path, truth, predictions), "--protocol", "posetrack21", option)


def scaled(person: dict) -> None:
    person["keypoints"] = [v / 1000 if k % 3 < 2 else v for k, v in enumerate(person["keypoints"])]


def without_ankles(person: dict) -> None:
    for slot in (15, 16):
        person["keypoints"][3 * slot : 3 * slot + 3] = [0, 0, 0]


def evenly_scored(person: dict) -> None:
    person["scores"] = [0.5] * 17


def unscored(person: dict) -> None:
    person["scores"] = []


def untracked(person: dict) -> None:
    del person["track_id"]


def tiny_headed(person: dict) -> None:
    person["bbox_head"] = [v / 1000 for v in person["bbox_head"]]


@pytest.mark.parametrize(
    ("side", "damage", "warning"),
    [
        ("pred", scaled, r"95 % of predicted x are below [01]\.\d+, of annotated ones below \d{3}"),
        ("pred", scaled, "total AP is 0 %"),
        ("pred", without_ankles, r"never predicted, though annotated: right_ankle \(\d+\), left_a"),
        ("pred", evenly_scored, r"all \d+ predicted joints have the score 0\.5"),
        ("pred", unscored, "no predicted joint has a score"),
        ("pred", untracked, r"(\d+) of \1 predicted people have no track id"),
        ("gt", tiny_headed, r"the head size is 0\.\d+ px and the joints of a person span \d+ px"),
    ],
)
def test_signs_of_a_mistake_get_a_warning(side, damage, warning, tmp_path, capsys):
    case = copy.deepcopy(POSEVAL["m_medium_pt18"])
    for content in case[side].values():
        for person in content["annotations"]:
            damage(person)
    truth, predictions = write_back(case, tmp_path)
    run(*paths(tmp_path, truth, predictions), "--quiet", "--tracking")
    assert re.search(f"warning: .*{warning}", capsys.readouterr().err)


def test_places_as_track_ids_get_a_warning_with_tracking_only(tmp_path, capsys):
    case = copy.deepcopy(POSEVAL["m_medium_pt18"])
    for content in case["pred"].values():
        with_track_ids(content)
    truth, predictions = write_back(case, tmp_path)
    run(*paths(tmp_path, truth, predictions), "--quiet")
    assert capsys.readouterr().err == ""
    run(*paths(tmp_path, truth, predictions), "--quiet", "--tracking")
    assert "each person's place in its frame" in capsys.readouterr().err


@pytest.mark.parametrize("name", ["m_medium", "m_medium_pt18", "r_crowd_swaps", "r_ignore"])
def test_sound_files_get_no_warning(name, tmp_path, capsys):
    truth, predictions = write_back(POSEVAL[name], tmp_path)
    run(*paths(tmp_path, truth, predictions), "--quiet", "--tracking")
    assert capsys.readouterr().err == ""


def test_nobody_to_find_and_nobody_found_get_a_warning(tmp_path, capsys):
    for name, warning in (
        ("no_labelled_frames", "no joint is annotated in any judged frame"),
        ("no_predictions", "no joint is predicted in any judged frame"),
    ):
        truth, predictions = write_back(POSEVAL[name], tmp_path / name)
        run(*paths(tmp_path, truth, predictions), "--quiet", "--tracking")
        assert warning in capsys.readouterr().err


@pytest.mark.parametrize("options", [[], ["--tracking", "--curves"]])
def test_any_number_of_processes_gives_the_same_bytes(options, tmp_path):
    truth, predictions = write_back(POSEVAL["m_medium"], tmp_path)
    written = []
    for jobs in ("1", "2", "100"):
        run(*paths(tmp_path, truth, predictions), "--quiet", "--jobs", jobs, *options)
        written.append((tmp_path / "metrics.json").read_bytes())
    assert len(set(written)) == 1


def test_curves_are_added_and_nothing_else_changes(tmp_path):
    truth, predictions = write_back(POSEVAL["m_medium_pt18"], tmp_path)
    run(*paths(tmp_path, truth, predictions), "--quiet")
    without = read(tmp_path)
    run(*paths(tmp_path, truth, predictions), "--quiet", "--curves")
    curves = read(tmp_path)
    pckh, reliability = curves.pop("pckh"), curves.pop("reliability")
    assert curves == without
    assert sum(reliability["joints"]) > 0
    recall = [without["recall"][column] for column in without["recall"] if column != "per_joint"]
    ends = [pckh["annotated"][column][-1] for column in without["recall"] if column != "per_joint"]
    np.testing.assert_allclose(ends, recall, rtol=0, atol=1e-9)


def test_whole_numbers_cut_the_scores_of_posetrack21_with_a_warning(tmp_path, capsys):
    truth, predictions = write_back(cases("posetrack21")["pt18_plain"], tmp_path)
    run(*paths(tmp_path, truth, predictions), "--protocol", "posetrack21", "--quiet")
    assert re.search(r"in \d+ frames of the predictions all numbers", capsys.readouterr().err)
    truth, predictions = write_back(cases("posetrack21")["m_medium"], tmp_path / "fractions")
    run(*paths(tmp_path, truth, predictions), "--protocol", "posetrack21", "--quiet")
    assert "whole" not in capsys.readouterr().err


def test_more_predicted_frames_than_annotated_get_a_warning_by_posetrack21(tmp_path, capsys):
    case = copy.deepcopy(cases("posetrack21")["m_medium"])
    for content in case["pred"].values():
        last = content["images"][-1]
        name = last["file_name"].replace(".jpg", "9.jpg")
        content["images"].append(last | {"id": last["id"] + 1, "file_name": name})
    truth, predictions = write_back(case, tmp_path)
    run(*paths(tmp_path, truth, predictions), "--protocol", "posetrack21", "--quiet")
    videos = len(case["pred"])
    assert f"than in the ground truth ({videos} such videos)" in capsys.readouterr().err


def renamed(image: dict) -> None:
    image["file_name"] = image["file_name"].replace("mpii", "elsewhere").replace("bonn", "there")


@pytest.mark.parametrize("option", [[], ["--tracking"]])
def test_names_that_poseval_cannot_use_are_refused_strictly(option, tmp_path):
    case = copy.deepcopy(POSEVAL["r_small_pt18"])
    for side in ("gt", "pred"):
        for content in case[side].values():
            for image in content["images"]:
                renamed(image)
    truth, predictions = write_back(case, tmp_path)
    run(*paths(tmp_path, truth, predictions), "--quiet", *option)
    assert "notes" not in read(tmp_path)
    with pytest.raises(UserError, match=r"an image whose name is not <number>_<mpii.* frame 0 "):
        run(*paths(tmp_path, truth, predictions), "--quiet", "--strict-poseval", *option)


def test_ids_missing_in_frames_that_are_not_judged_are_refused_strictly_in_2018_form(tmp_path):
    case = copy.deepcopy(POSEVAL["pt18_unlabelled_frame"])
    (truth_content,), (content,) = case["gt"].values(), case["pred"].values()
    judged = {person["image_id"] for person in truth_content["annotations"]}
    others = [person for person in content["annotations"] if person["image_id"] not in judged]
    assert others
    for person in others:
        del person["track_id"]
    truth, predictions = write_back(case, tmp_path)
    run(*paths(tmp_path, truth, predictions), "--quiet", "--tracking")
    assert "notes" not in read(tmp_path)
    with pytest.raises(UserError, match=r"without 'track_id' in the predictions.*KeyError"):
        run(*paths(tmp_path, truth, predictions), "--quiet", "--strict-poseval")


def test_oks_metrics(tmp_path, capsys):
    truth, _ = write_back(POSEVAL["m_medium_pt18"], tmp_path)
    run(*paths(tmp_path, truth, truth), "--protocol", "oks")
    metrics = read(tmp_path)
    assert metrics["protocol"] == "oks"
    assert list(metrics["oks"]) == [
        "ap", "ap_50", "ap_75", "ap_medium", "ap_large",
        "ar", "ar_50", "ar_75", "ar_medium", "ar_large",
    ]  # fmt: skip
    assert metrics["oks"]["ar_50"] == 1
    assert len(capsys.readouterr().out.splitlines()) == 10


# A stand-in with the interface of poseval 0.1.0: the same options, plain joining of the prediction
# folder and the file name, unique track ids demanded, the results in total_AP_metrics.json and
# total_MOT_metrics.json. Instead of scoring it answers what the test put into answer.json.
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
for path in glob.glob(args.groundTruth + "/*.json"):
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
        for ids in frames.values():
            if len(set(ids)) < len(ids) or max(ids, default=0) >= 10000:
                raise Exception("Non-unique tracklet IDs found")
with open(os.path.join(os.path.dirname(__file__), "answer.json")) as file:
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
    """Install the stand-in; gives a function that sets its answer."""
    package = tmp_path / "site" / "poseval"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text("")
    (package / "evaluate.py").write_text(FAKE)
    monkeypatch.setenv("PYTHONPATH", str(package.parent))
    monkeypatch.syspath_prepend(package.parent)
    monkeypatch.delitem(sys.modules, "poseval", raising=False)

    def answer(ap: list, tracking: dict | None = None) -> None:
        text = json.dumps({"ap": ap, "tracking": tracking})
        (package / "answer.json").write_text(text)

    return answer


def official(name: str) -> list:
    return [float("nan") if v is None else v for v in POSEVAL[name]["expected"]["ap"]["ap"]]


@pytest.mark.parametrize("name", ["r_small", "r_small_pt18", "joint_never_annotated_but_predicted"])
def test_cross_check_agrees(name, tmp_path, fake_poseval, capsys):
    truth, predictions = write_back(POSEVAL[name], tmp_path)
    fake_poseval(official(name))
    run(*paths(tmp_path, truth, predictions), "--quiet", "--cross-check")
    assert "(0 of 16 numbers disagree)" in capsys.readouterr().err


@pytest.mark.parametrize("name", ["prediction_without_track_id", "repeated_track_id"])
def test_cross_check_fills_in_track_ids(name, tmp_path, fake_poseval):
    truth, predictions = write_back(POSEVAL[name], tmp_path)
    fake_poseval([100.0] * 16)
    run(*paths(tmp_path, truth, predictions), "--quiet", "--cross-check")


def test_cross_check_allows_what_equal_scores_allow(tmp_path, fake_poseval, capsys):
    truth, predictions = write_back(POSEVAL["r_ties"], tmp_path)
    fake_poseval(official("r_ties"))
    run(*paths(tmp_path, truth, predictions), "--quiet", "--cross-check")
    report = capsys.readouterr().err
    assert "explained: right_ankle: 49.608" in report
    assert "(0 of 16 numbers disagree)" in report


def test_cross_check_reports_a_difference_with_status_1(tmp_path, fake_poseval, capsys):
    truth, predictions = write_back(POSEVAL["r_small"], tmp_path)
    answer = official("r_small")
    answer[6] += 1e-6
    answer[2] = float("nan")
    fake_poseval(answer)
    with pytest.raises(SystemExit) as ended:
        run(*paths(tmp_path, truth, predictions), "--quiet", "--cross-check")
    assert ended.value.code == 1
    report = capsys.readouterr().err
    assert "DIFFERS: right_wrist" in report and "DIFFERS: right_hip" in report
    assert "(2 of 16 numbers disagree)" in report
    assert (tmp_path / "metrics.json").exists()


def official_tracking(name: str) -> dict[str, list]:
    """As poseval writes them, under its own keys."""
    found = cases("poseval", "tracking")[name]
    keys = {"mota": "mota", "motp": "motp", "pre": "precision", "rec": "recall"}
    return {
        theirs: [float("nan") if v is None else v for v in found[ours]]
        for theirs, ours in keys.items()
    }


@pytest.mark.parametrize("name", ["r_small", "m_medium_pt18", "r_crowd_swaps"])
def test_cross_check_of_tracking_agrees(name, tmp_path, fake_poseval, capsys):
    truth, predictions = write_back(POSEVAL[name], tmp_path)
    fake_poseval(official(name), official_tracking(name))
    run(*paths(tmp_path, truth, predictions), "--quiet", "--cross-check", "--tracking")
    report = capsys.readouterr().err
    assert "AP: largest difference" in report and "(0 of 16 numbers disagree)" in report
    assert "tracking: largest difference" in report and "(0 of 64 numbers disagree)" in report


def test_cross_check_of_tracking_reports_a_difference(tmp_path, fake_poseval, capsys, monkeypatch):
    truth, predictions = write_back(POSEVAL["r_small"], tmp_path)
    answer = official_tracking("r_small")
    answer["mota"][3] += 1e-6
    answer["motp"][0] += 1.0
    fake_poseval(official("r_small"), answer)
    command = (*paths(tmp_path, truth, predictions), "--quiet", "--cross-check", "--tracking")
    monkeypatch.setattr(cross_check, "installed_version", lambda package: cross_check.MOTMETRICS)
    with pytest.raises(SystemExit) as ended:
        run(*command)
    assert ended.value.code == 1
    report = capsys.readouterr().err
    assert "DIFFERS: mota of left_hip" in report and "DIFFERS: motp of right_ankle" in report
    assert "(2 of 64 numbers disagree)" in report
    # Another version of motmetrics explains another MOTP, and nothing else.
    monkeypatch.setattr(cross_check, "installed_version", lambda package: "1.1.3")
    with pytest.raises(SystemExit):
        run(*command)
    report = capsys.readouterr().err
    assert "explained: motp of right_ankle" in report and "(motmetrics 1.1.3, not" in report
    assert "(1 of 64 numbers disagree)" in report


def test_cross_check_of_tracking_leaves_out_what_poseval_refuses(tmp_path, fake_poseval, capsys):
    truth, predictions = write_back(POSEVAL["repeated_track_id"], tmp_path)
    fake_poseval([100.0] * 16)
    run(*paths(tmp_path, truth, predictions), "--quiet", "--cross-check", "--tracking")
    report = capsys.readouterr().err
    assert "cross-check: AP only, as poseval refuses these track ids" in report
    assert "cross-check: tracking" not in report


def test_cross_check_passes_on_a_failure(tmp_path, fake_poseval):
    truth, predictions = write_back(POSEVAL["perfect"], tmp_path)
    with pytest.raises(UserError, match=r"poseval ended with status 1: FileNotFoundError"):
        run(*paths(tmp_path, truth, predictions), "--quiet", "--cross-check")
    fake_poseval([100.0] * 15)
    with pytest.raises(UserError, match="no list 'ap' of 16 numbers"):
        run(*paths(tmp_path, truth, predictions), "--quiet", "--cross-check")


def test_cross_check_says_how_to_get_poseval(tmp_path, monkeypatch):
    truth, predictions = write_back(POSEVAL["perfect"], tmp_path)
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(UserError, match=r"pip install -e '\.\[poseval\]'"):
        run(*paths(tmp_path, truth, predictions), "--quiet", "--cross-check")
    assert not (tmp_path / "metrics.json").exists(), "refused before the work"
    with pytest.raises(UserError, match="goes with --protocol poseval"):
        run(*paths(tmp_path, truth, predictions), "--protocol", "oks", "--cross-check")


def test_track_ids_are_places_in_the_frame():
    people = [{"image_id": 4}, {"image_id": 2, "track_id": 99}, {"image_id": 4, "track_id": 7}]
    content = with_track_ids({"annotations": people})
    assert [person["track_id"] for person in content["annotations"]] == [0, 0, 1]
