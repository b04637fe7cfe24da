"""From one PoseTrack form to the other: what returns, what the notes name, and the same AP."""

import json
from dataclasses import replace

import numpy as np
import pytest

from tdmi.cli.main import main
from tdmi.core.errors import UserError
from tdmi.core.files import write_json
from tdmi.data.annotations import (
    NO_TRACK,
    UNSCORED,
    concatenate,
    on_skeleton,
    select_frames,
)
from tdmi.data.skeletons import HIEVE, POSETRACK17, POSETRACK18
from tdmi.evaluation.protocols.poseval import average_precision, combine, evaluate
from tdmi.formats import posetrack17, posetrack17_matlab, posetrack18
from tdmi.formats.conversion import image_ids, to_posetrack17, to_posetrack18
from tdmi.formats.posetrack import read_video_file
from tests.support.golden_evaluation import cases
from tests.support.posetrack17_samples import assert_same_bits, content, frame, person, point
from tests.support.tiny_dataset import annotations as tiny


def sample17(name="v.json"):
    """Without the frame that lost everybody, which 2018 cannot hold."""
    value = content()
    del value["annolist"][1]
    return posetrack17.parse(value, name)


def rich18():
    """Every column of the 2018 form filled, in two frames."""
    a = tiny("val", 2)
    ears = [POSETRACK18.index("left_ear"), POSETRACK18.index("right_ear")]
    a.present[0, ears] = True
    return replace(
        a,
        keypoints=np.where(a.present[..., None], a.keypoints + 1 / 3, 0),
        visible=a.present & (np.arange(17) % 3 > 0),
        joint_score=np.where(a.present, 0.1 + 0.2, UNSCORED),
        score=np.array([0.7, np.nan]),
        area=np.array([np.nan, 12.5]),
        crowd=np.array([True, False]),
        person_id=np.array([5, 6]),
        action=["", "walking"],
        frame_size=np.array([[160, 120], [160, 120]]),
        frame_boxed=np.array([True, True]),
        video_length=np.array([9]),
        ignore_regions=[[np.array([[0, 0], [5.5, 0], [5, 7]])], []],
    )


def test_2017_to_2018_and_back_returns_every_bit():
    a = sample17()
    there, notes = to_posetrack18(a)
    assert notes == [
        "2 persons: box made from the joints",
        "3 frames: image id made from folder and frame number",
    ]
    back, notes = to_posetrack17(there)
    assert_same_bits(back, a)
    assert notes == ["2 persons: box", "3 frames: image id"]


def test_2017_to_2018_and_back_through_files(tmp_path):
    a = sample17()
    posetrack18.write_folder(to_posetrack18(a)[0], tmp_path)
    there = read_video_file(tmp_path / "v.json")
    assert there.video_length.tolist() == [3]
    assert_same_bits(to_posetrack17(there)[0], a)


def test_2018_to_2017_and_back_loses_what_the_notes_say():
    a = rich18()
    there, notes = to_posetrack17(a)
    assert notes == [
        "1 person: left_ear",
        "1 person: right_ear",
        "2 persons: box",
        "1 person: area",
        "1 person: iscrowd",
        "2 persons: person_id",
        "1 person: action",
        "2 frames: image id",
        "2 frames: image size",
        "2 frames: has_labeled_person",
        "1 video: nframes",
    ]
    back, _ = to_posetrack18(there)
    without_ears = on_skeleton(on_skeleton(a, POSETRACK17), POSETRACK18)
    lost = ("box", "area", "crowd", "person_id", "action", "frame_size", "frame_boxed",
            "video_length")  # fmt: skip
    assert_same_bits(back, without_ears, except_for=lost)


def test_what_already_has_the_form_stays_as_it_is(tmp_path):
    a = rich18()
    same, notes = to_posetrack18(a)
    assert_same_bits(same, a)
    assert notes == []
    b = posetrack17.parse(content(), "v.json")
    same, notes = to_posetrack17(b)
    assert_same_bits(same, b)
    assert notes == []


def test_the_converted_is_what_the_reader_of_its_form_gives(tmp_path):
    there = to_posetrack17(rich18())[0]
    posetrack17.write_folder(there, tmp_path)
    name = there.video_names[0]
    assert_same_bits(read_video_file(tmp_path / f"{name}.json"), there)


@pytest.mark.parametrize(
    ("joint", "slot"),
    list(enumerate([16, 14, 12, 11, 13, 15, 10, 8, 6, 5, 7, 9, 1, 0, 2])),
)
def test_each_joint_alone_there_and_back(joint, slot):
    value = {"annolist": [frame(1, [person(1, [point(joint, 5, 6, is_visible=1, score=0.25)])])]}
    a = posetrack17.parse(value, "v.json")
    there, _ = to_posetrack18(a)
    assert np.flatnonzero(there.present[0]).tolist() == [slot]
    assert there.keypoints[0, slot].tolist() == [5, 6] and there.joint_score[0, slot] == 0.25
    assert np.flatnonzero(to_posetrack17(there)[0].present[0]).tolist() == [joint]


def test_the_neck_of_2017_is_head_bottom_wherever_the_shoulders_are():
    a = rich18()
    bottom, shoulders = POSETRACK18.index("head_bottom"), [5, 6]
    before = to_posetrack17(a)[0].keypoints[:, 12]
    a.keypoints[:, shoulders] += 50
    np.testing.assert_array_equal(to_posetrack17(a)[0].keypoints[:, 12], before)
    a.present[:, bottom] = False
    assert not to_posetrack17(a)[0].present[:, 12].any()


def test_boxes_that_are_there_are_kept():
    a = rich18()
    a.box[1] = np.nan
    there, notes = to_posetrack18(a)
    np.testing.assert_array_equal(there.box[0], a.box[0])
    assert notes == ["1 person: box made from the joints"] and np.isfinite(there.box).all()


def in_folder(folder, name, numbers=(1, 2)):
    frames = [frame(k, [person(1, [point(0, 5, 6)])]) for k in numbers]
    for f, k in zip(frames, numbers, strict=True):
        f["image"][0]["name"] = f"images/{folder}/{k:08d}.jpg"
    return posetrack17.parse({"annolist": frames}, f"{name}.json")


@pytest.mark.parametrize(
    ("folder", "first"),
    [
        ("bonn_5sec/000342_mpii", 10003420001),
        ("bonn_mpii_train_5sec/00044_mpii_step2_relpath_5sec_testsub", 10000440001),
        ("val/000001_bonn_test", 20000010001),
        ("val/900002_mpiinew_dots", 39000020001),
        ("a/walk 12", 120001),
        ("a/walk", 1),
    ],
)
def test_image_ids_say_kind_video_and_frame(folder, first):
    ids, made = image_ids(in_folder(folder, "v"))
    assert ids.tolist() == [first, first + 1] and made.all()


def test_equal_video_numbers_get_different_ids():
    parts = [
        in_folder(folder, f"v{k}")
        for k, folder in enumerate(("bonn/000044_mpii", "mpii_5sec/00044_mpii", "x/000044_mpii"))
    ]
    ids, _ = image_ids(concatenate(parts))
    assert ids.tolist() == [
        10000440001, 10000440002, 110000440001, 110000440002, 210000440001, 210000440002,
    ]  # fmt: skip


def test_stated_ids_are_kept_and_made_ones_keep_clear_of_them():
    stated = tiny("val", 2)
    clash = in_folder("a/900002_mpiinew_dots", "v", (0, 1))
    both = concatenate([on_skeleton(clash, POSETRACK18), stated])
    ids, made = image_ids(both)
    assert ids[2:].tolist() == stated.frame_id.tolist() and made.tolist() == [
        True,
        True,
        False,
        False,
    ]
    assert ids[:2].tolist() == [139000020000, 139000020001]


def test_positions_count_where_frame_numbers_cannot():
    assert image_ids(in_folder("a/000007_mpii", "v", (5, 123456)))[0].tolist() == [
        10000070000,
        10000070001,
    ]
    a = tiny("val", 1)
    many = np.zeros(10001, np.int64)
    long = replace(
        select_frames(a, np.zeros(1, bool)),
        frame_video=many, frame_index=np.arange(10001), frame_file=["a/1_mpii/1.jpg"] * 10001,
        frame_id=np.arange(10001), frame_labelled=many > 0, frame_annotated=many > 0,
        ignore_regions=[[]] * 10001, frame_number=many, frame_size=None, frame_boxed=None,
    )  # fmt: skip
    with pytest.raises(UserError, match=r"10001 frames and no image ids, expected at most 10000"):
        to_posetrack18(long)


def test_a_frame_that_lost_everybody_gets_a_person_without_joints():
    a = posetrack17.parse(content(), "v.json")
    there, notes = to_posetrack18(a)
    assert "1 frame: person without joints made, as nobody is listed" in notes
    assert there.person_frame.tolist() == [0, 0, 1, 2]
    assert not there.present[2].any() and there.track_id.tolist() == [3, 7, 8, 3]
    assert there.action == ["", "", "", ""]


def test_other_joint_sets_go_by_name():
    a = tiny("val", 1)
    hieve = replace(on_skeleton(a, HIEVE), action=["running"])
    hieve.present[:, HIEVE.index("chest")] = True
    there, notes = to_posetrack17(hieve)
    assert "1 person: chest" in notes and "1 person: action" in notes
    assert not there.present[0, POSETRACK17.index("head_bottom")]
    assert there.present[0].sum() == 13


def recorded_in_2017_form():
    for name, case in cases("poseval").items():
        files = [*case["gt"].values(), *case["pred"].values()]
        scored = case["expected"].get("ap", {}).get("status") == "ok"
        if scored and all("annolist" in value for value in files):
            yield name


@pytest.mark.parametrize("name", list(recorded_in_2017_form()))
def test_average_precision_does_not_notice_the_conversion(name):
    case = cases("poseval")[name]
    for file, value in case["gt"].items():
        sides = [posetrack17.parse(side, file) for side in (value, case["pred"][file])]
        converted = [on_skeleton(to_posetrack18(side)[0], POSETRACK17) for side in sides]
        before, after = (
            average_precision(combine(evaluate(*pair).values())) for pair in (sides, converted)
        )
        np.testing.assert_array_equal(before.ap, after.ap)
        np.testing.assert_array_equal(before.precision, after.precision)
        np.testing.assert_array_equal(before.recall, after.recall)


def folder_of_both_years(tmp_path):
    source = tmp_path / "labels"
    write_json(source / "a.json", content())
    posetrack17_matlab.write_folder(sample17("b.json"), source)
    posetrack18.write_folder(tiny("val", 2), source)
    return source


@pytest.mark.parametrize("form", ["posetrack17", "posetrack17-mat", "posetrack18"])
def test_command_converts_a_folder_of_any_forms(tmp_path, capsys, form):
    source, out = folder_of_both_years(tmp_path), tmp_path / "new" / "out"
    assert main(["data", "convert", "--from", str(source), "--to", form, "--out", str(out)]) == 0
    printed = capsys.readouterr().out
    assert f"{out}: 3 videos, 9 frames" in printed
    ending = "mat" if form.endswith("mat") else "json"
    assert sorted(p.name for p in out.iterdir()) == [
        f"{name}.{ending}" for name in ("900002_mpiinew_dots", "a", "b")
    ]
    again = read_video_file(out / f"a.{ending}")
    assert again.keypoints.shape[1] == (17 if form == "posetrack18" else 15)
    # Only here was something lost that the notes must name.
    assert ("2 persons: box\n" in printed) == (form != "posetrack18")


def test_command_converts_one_file(tmp_path, capsys):
    write_json(tmp_path / "a.json", content())
    arguments = ["data", "convert", "--from", str(tmp_path / "a.json"), "--to", "posetrack18"]
    assert main([*arguments, "--out", str(tmp_path / "out")]) == 0
    images = json.loads((tmp_path / "out" / "a.json").read_text())["images"]
    assert [image["id"] for image in images] == [10003420000 + k for k in (11, 12, 13, 14)]


def test_command_writes_nothing_where_something_is_or_input_is_bad(tmp_path, capsys):
    source = folder_of_both_years(tmp_path)
    out = tmp_path / "out"
    arguments = ["data", "convert", "--from", str(source), "--to", "posetrack17", "--out", str(out)]
    out.mkdir()
    (out / "mine.txt").write_text("mine")
    assert main(arguments) == 2
    assert "holds files already" in capsys.readouterr().err
    assert [p.name for p in out.iterdir()] == ["mine.txt"]
    (out / "mine.txt").unlink()
    (source / "c.json").write_text("{")
    assert main(arguments) == 2
    assert "c.json: not valid JSON" in capsys.readouterr().err
    assert sorted(p.name for p in tmp_path.iterdir()) == ["labels", "out"]
    assert not list(out.iterdir())


def test_untracked_persons_stay_untracked():
    a = sample17()
    a.track_id[0] = NO_TRACK
    assert to_posetrack17(to_posetrack18(a)[0])[0].track_id[0] == NO_TRACK
