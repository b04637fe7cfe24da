"""`evaluate_folders`: metrics, notes and warnings of every protocol on files."""

import copy
import re

import numpy as np
import pytest

from tdmi.core.errors import UserError
from tdmi.evaluation.protocols.base import Evaluation, Request
from tdmi.evaluation.protocols.cross_check import with_track_ids
from tdmi.evaluation.run import evaluate_folders
from tests.support.golden_evaluation import cases, write_back

POSEVAL = cases("poseval")
COLUMNS = ["head", "shoulder", "elbow", "wrist", "hip", "knee", "ankle", "total"]


def evaluated(case: dict | str, folder, **options) -> Evaluation:
    """Evaluate the files of a case, by default of poseval's, written into `folder`."""
    case = POSEVAL[case] if isinstance(case, str) else case
    return evaluate_folders(Request(*write_back(case, folder), **options))


def test_poseval_metrics_and_table(tmp_path):
    found = evaluated("m_medium_pt18", tmp_path)
    metrics, expected = found.content, POSEVAL["m_medium_pt18"]["expected"]
    assert set(metrics) == {
        "protocol", "frames", "ground_truth_persons", "predicted_persons",
        "ap", "precision", "recall", "per_video",
    }  # fmt: skip
    assert metrics["protocol"] == "poseval"
    assert metrics["frames"] == expected["load"]["frames_kept"]
    for kind in ("ap", "precision", "recall"):
        ours = [metrics[kind][column] for column in COLUMNS]
        np.testing.assert_allclose(ours, expected["ap"][f"table_{kind}"], rtol=0, atol=1e-9)
        assert len(metrics[kind]["per_joint"]) == 15
    for video, values in expected["ap_per_video"].items():
        assert metrics["per_video"][video]["ap_total"] == pytest.approx(values["ap"][-1], abs=1e-9)
    heading, row = found.tables[0].splitlines()
    assert heading.startswith("& Head & Shou & Elb  & Wri  &")
    cells = "".join(f"{value:>5.1f} &" for value in expected["ap"]["table_ap"])
    assert row == "&" + cells.removesuffix(" &") + " \\\\"


def test_undefined_values_become_none(tmp_path):
    ap = evaluated("joint_never_annotated_but_predicted", tmp_path).content["ap"]
    assert ap["per_joint"]["right_ankle"] is None and ap["ankle"] is None
    assert ap["total"] is not None


def test_swapped_frames_get_a_warning(tmp_path):
    line = evaluated("frames_reordered", tmp_path).warnings[0]
    assert line.startswith("000001_mpii_test: frame 0")


def test_predictions_of_an_unknown_video_are_refused(tmp_path):
    with pytest.raises(UserError, match=r"pred/zzz\.json: no such video .*000001_mpii_test"):
        evaluated("extra_file", tmp_path)


@pytest.mark.parametrize("protocol", ["poseval", "oks"])
def test_missing_predictions_are_refused(protocol, tmp_path):
    truth, predictions = write_back(POSEVAL["r_small_pt18"], tmp_path)
    lost = sorted(predictions.iterdir())[1]
    lost.unlink()
    with pytest.raises(UserError, match=rf"{lost.name}: no such file.*3 videos.*1 missing"):
        evaluate_folders(Request(truth, predictions, protocol))


def test_tracking_metrics_and_table(tmp_path):
    found = evaluated("m_medium_pt18", tmp_path, tracking=True)
    expected = cases("poseval", "tracking")["m_medium_pt18"]
    metrics = found.content
    assert list(metrics)[-2:] == ["mota", "per_video"]
    mota = metrics["mota"]
    ours = [mota[column] for column in [*COLUMNS, "motp", "precision", "recall"]]
    np.testing.assert_allclose(ours, expected["table"], rtol=0, atol=1e-9)
    np.testing.assert_allclose(
        list(mota["per_joint"].values()), expected["mota"][:15], rtol=0, atol=1e-9
    )
    for values in metrics["per_video"].values():
        assert list(values) == [
            "ap_total", "precision_total", "recall_total", "mota_total", "motp_total",
            "tracking_precision_total", "tracking_recall_total",
        ]  # fmt: skip
    lines = found.tables[1].splitlines()
    assert lines[:2] == [
        "& MOTA & MOTA & MOTA & MOTA & MOTA & MOTA & MOTA & MOTA & MOTP & Prec & Rec  \\\\",
        "& Head & Shou & Elb  & Wri  & Hip  & Knee & Ankl & Total& Total& Total& Total\\\\",
    ]
    cells = " &".join(f"{value:>5.1f}" for value in expected["table"])
    assert lines[2:] == [f"&{cells} \\\\"]


def test_tracking_changes_nothing_else(tmp_path):
    sides = write_back(POSEVAL["r_small"], tmp_path)
    without = evaluate_folders(Request(*sides)).content
    tracked = evaluate_folders(Request(*sides, tracking=True)).content
    del tracked["mota"]
    for name, values in tracked["per_video"].items():
        tracked["per_video"][name] = {key: values[key] for key in without["per_video"][name]}
    assert tracked == without


def test_posetrack21_metrics_and_table(tmp_path):
    case = cases("posetrack21")["m_medium"]
    found = evaluated(case, tmp_path, protocol="posetrack21")
    metrics, expected = found.content, case["expected"]["map"]
    assert metrics["protocol"] == "posetrack21"
    for kind in ("ap", "precision", "recall"):
        ours = [metrics[kind][column] for column in COLUMNS]
        official = list(expected[f"table_{kind}"].values())
        np.testing.assert_allclose(ours, official, rtol=0, atol=1e-9)
    row = found.tables[0].splitlines()[1]
    assert row.startswith(f"&{expected['table_ap']['Head']:>5.1f} &")


def test_answers_where_the_kit_crashes_are_noted(tmp_path):
    case = cases("posetrack21")["labelled_frame_without_people"]
    found = evaluated(case, tmp_path, protocol="posetrack21")
    (note,) = found.notes
    assert found.content["notes"] == [note]
    assert "000011_mpii_test: frame 1 (1 in all)" in note


# What poseval refuses though it can be scored: file, place and exception.
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
    sides = write_back(POSEVAL[name], tmp_path)
    (note,) = evaluate_folders(Request(*sides, tracking=True)).notes
    assert re.search(REFUSED[name], note)
    with pytest.raises(UserError, match=f"--strict-poseval: .*pred: .*{REFUSED[name]}") as error:
        evaluate_folders(Request(*sides, tracking=True, strict_poseval=True))
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("name", ["m_medium", "unlabelled_prediction_without_track_id"])
def test_what_poseval_accepts_is_accepted_strictly(name, tmp_path):
    assert evaluated(name, tmp_path, tracking=True, strict_poseval=True).notes == []


def test_average_precision_alone_has_no_notes_on_tracks(tmp_path):
    sides = write_back(POSEVAL["gt_without_track_id"], tmp_path)
    assert "notes" not in evaluate_folders(Request(*sides)).content
    with pytest.raises(UserError, match="IndexError"):  # poseval needs the ids for AP too
        evaluate_folders(Request(*sides, strict_poseval=True))
    assert evaluated("single_frame", tmp_path / "single", strict_poseval=True).notes == []


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
def test_signs_of_a_mistake_get_a_warning(side, damage, warning, tmp_path):
    case = copy.deepcopy(POSEVAL["m_medium_pt18"])
    for content in case[side].values():
        for person in content["annotations"]:
            damage(person)
    lines = evaluated(case, tmp_path, tracking=True).warnings
    assert any(re.search(warning, line) for line in lines)


def test_places_as_track_ids_get_a_warning_with_tracking_only(tmp_path):
    case = copy.deepcopy(POSEVAL["m_medium_pt18"])
    for content in case["pred"].values():
        with_track_ids(content)
    sides = write_back(case, tmp_path)
    assert evaluate_folders(Request(*sides)).warnings == []
    (line,) = evaluate_folders(Request(*sides, tracking=True)).warnings
    assert "each person's place in its frame" in line


@pytest.mark.parametrize("name", ["m_medium", "m_medium_pt18", "r_crowd_swaps", "r_ignore"])
def test_sound_files_get_no_warning(name, tmp_path):
    found = evaluated(name, tmp_path, tracking=True)
    assert found.warnings == found.notes == []


@pytest.mark.parametrize(
    ("name", "warning"),
    [
        ("no_labelled_frames", "no joint is annotated in any judged frame"),
        ("no_predictions", "no joint is predicted in any judged frame"),
    ],
)
def test_nobody_to_find_and_nobody_found_get_a_warning(name, warning, tmp_path):
    assert warning in "\n".join(evaluated(name, tmp_path, tracking=True).warnings)


@pytest.mark.parametrize("options", [{}, {"tracking": True, "curves": True, "slices": True}])
def test_any_number_of_processes_gives_the_same(options, tmp_path):
    sides = write_back(POSEVAL["m_medium"], tmp_path)
    one, two, many = (
        evaluate_folders(Request(*sides, jobs=jobs, **options)).content for jobs in (1, 2, 100)
    )
    assert one == two == many


def test_curves_are_added_and_nothing_else_changes(tmp_path):
    sides = write_back(POSEVAL["m_medium_pt18"], tmp_path)
    without = evaluate_folders(Request(*sides)).content
    curves = evaluate_folders(Request(*sides, curves=True)).content
    pckh, reliability = curves.pop("pckh"), curves.pop("reliability")
    assert curves == without
    assert sum(reliability["joints"]) > 0
    recall = [without["recall"][column] for column in COLUMNS]
    ends = [pckh["annotated"][column][-1] for column in COLUMNS]
    np.testing.assert_allclose(ends, recall, rtol=0, atol=1e-9)


def test_whole_numbers_cut_the_scores_of_posetrack21_with_a_warning(tmp_path):
    whole = evaluated(cases("posetrack21")["pt18_plain"], tmp_path, protocol="posetrack21")
    assert re.search(r"in \d+ frames of the predictions all numbers", "\n".join(whole.warnings))
    fractions = cases("posetrack21")["m_medium"]
    lines = evaluated(fractions, tmp_path / "fractions", protocol="posetrack21").warnings
    assert "whole" not in "\n".join(lines)


def test_more_predicted_frames_than_annotated_get_a_warning_by_posetrack21(tmp_path):
    case = copy.deepcopy(cases("posetrack21")["m_medium"])
    for content in case["pred"].values():
        last = content["images"][-1]
        name = last["file_name"].replace(".jpg", "9.jpg")
        content["images"].append(last | {"id": last["id"] + 1, "file_name": name})
    lines = evaluated(case, tmp_path, protocol="posetrack21").warnings
    videos = len(case["pred"])
    assert f"than in the ground truth ({videos} such videos)" in lines[0]


def renamed(image: dict) -> None:
    image["file_name"] = image["file_name"].replace("mpii", "elsewhere").replace("bonn", "there")


@pytest.mark.parametrize("tracking", [False, True])
def test_names_that_poseval_cannot_use_are_refused_strictly(tracking, tmp_path):
    case = copy.deepcopy(POSEVAL["r_small_pt18"])
    for side in ("gt", "pred"):
        for content in case[side].values():
            for image in content["images"]:
                renamed(image)
    sides = write_back(case, tmp_path)
    assert evaluate_folders(Request(*sides, tracking=tracking)).notes == []
    with pytest.raises(UserError, match=r"an image whose name is not <number>_<mpii.* frame 0 "):
        evaluate_folders(Request(*sides, tracking=tracking, strict_poseval=True))


def test_ids_missing_in_frames_that_are_not_scored_are_refused_strictly_in_2018_form(tmp_path):
    case = copy.deepcopy(POSEVAL["pt18_unlabelled_frame"])
    (truth_content,), (content,) = case["gt"].values(), case["pred"].values()
    scored = {person["image_id"] for person in truth_content["annotations"]}
    others = [person for person in content["annotations"] if person["image_id"] not in scored]
    assert others
    for person in others:
        del person["track_id"]
    sides = write_back(case, tmp_path)
    assert evaluate_folders(Request(*sides, tracking=True)).notes == []
    with pytest.raises(UserError, match=r"without 'track_id' in the predictions.*KeyError"):
        evaluate_folders(Request(*sides, strict_poseval=True))


def test_oks_metrics_and_table(tmp_path):
    truth, _ = write_back(POSEVAL["m_medium_pt18"], tmp_path)
    found = evaluate_folders(Request(truth, truth, "oks"))
    assert found.content["protocol"] == "oks"
    assert list(found.content["oks"]) == [
        "ap", "ap_50", "ap_75", "ap_medium", "ap_large",
        "ar", "ar_50", "ar_75", "ar_medium", "ar_large",
    ]  # fmt: skip
    assert found.content["oks"]["ar_50"] == 1
    assert len(found.tables) == 10
