"""PoseTrack2017 JSON: what is written comes back bit by bit, odd forms, look-alikes, damage."""

import copy
import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tdmi.core.errors import UserError
from tdmi.core.files import write_json
from tdmi.data.annotations import NO_TRACK, UNSCORED, concatenate
from tdmi.data.skeletons import ALIASES, POSETRACK17, POSETRACK18
from tdmi.formats import posetrack17, posetrack18
from tdmi.formats.posetrack import label_files, read_folder, read_video_file
from tdmi.formats.posetrack17 import is_hieve, video_key
from tests.support.golden_evaluation import cases
from tests.support.mutations import mutated_json
from tests.support.posetrack17_samples import (
    FOLDER,
    assert_same_bits,
    content,
    frame,
    hieve_content,
    person,
    point,
)

EMPTY_ARRAY = {"_ArrayType_": "double", "_ArraySize_": [1, 0], "_ArrayData_": None}


def parse(value, name="v.json"):
    return posetrack17.parse(value, name)


def test_columns_hold_what_the_file_says():
    a = parse(content())
    assert a.frame_number.tolist() == [11, 12, 13, 14] and a.frame_id.tolist() == [0, 1, 2, 3]
    assert a.frame_labelled.tolist() == [True, True, False, False]
    assert a.frame_annotated.tolist() == [True, True, True, False]
    assert a.person_frame.tolist() == [0, 0, 2] and a.track_id.tolist() == [3, 7, 3]
    assert a.keypoints[0, 14].tolist() == [100 + 14 / 3, 198.0]
    assert a.visible[0].tolist() == [j % 2 == 1 for j in range(15)]
    assert a.joint_score[1, [0, 13]].tolist() == [UNSCORED, 0.1 + 0.2]
    assert a.head_box[1].tolist() == [10, 20.5, 31, 44] and a.score[1] == 0.75
    assert a.ignore_regions[0][0].tolist() == [[0, 0], [50.1, 0], [50.1, 1 / 3]]
    assert np.isnan(a.box).all() and not a.present[2].any()


def test_written_files_come_back_bit_by_bit(tmp_path):
    both = concatenate([parse(content(), "a.json"), parse(hieveless(), "b.json")])
    posetrack17.write_folder(both, tmp_path)
    again = [read_video_file(tmp_path / f"{name}.json") for name in "ab"]
    assert_same_bits(concatenate(again), both)


def hieveless() -> dict:
    """Another video: negative zero, huge and tiny numbers, large and negative tracks."""
    points = [point(2, -0.0, 1e-310), point(3, 1e300, -7)]
    people = [person(2**62 + 1, points), person(-5, points[:1])]
    return {"annolist": [frame(1, people)]}


def test_every_recorded_file_survives_writing(tmp_path):
    count = 0
    for name, case in cases("poseval").items():
        for file, value in case["gt"].items():
            if "annolist" not in value or "nan" in name:
                continue
            first = parse(value, file)
            posetrack17.write_folder(first, tmp_path / name)
            assert_same_bits(read_video_file(tmp_path / name / file), first)
            count += 1
    assert count > 80


def test_written_form_wraps_scalars_and_lists_frames_that_lost_everybody(tmp_path):
    posetrack17.write_folder(parse(content()), tmp_path)
    frames = json.loads((tmp_path / "v.json").read_text())["annolist"]
    assert [f["imgnum"] for f in frames] == [[1], [2], [3], [4]]
    assert frames[0]["image"] == [{"name": f"{FOLDER}/00000011.jpg"}]
    assert frames[0]["annorect"][1]["annopoints"][0]["point"][1] == point(
        13, 12.5, 30.25, is_visible=1, score=0.1 + 0.2
    )
    assert frames[1]["annorect"] == [{"annopoints": []}]
    assert frames[2]["annorect"][0]["annopoints"] == [{"point": []}]
    assert frames[3]["annorect"] == [] and frames[3]["ignore_regions"] == []
    assert "score" not in frames[0]["annorect"][0]


def test_what_files_cannot_hold_is_refused_and_nothing_is_written(tmp_path):
    a = parse(content())
    a.keypoints[0, 3, 0] = np.nan
    with pytest.raises(
        UserError, match=r"left_hip of a person in .*11\.jpg is at \(nan, .* expected finite"
    ):
        posetrack17.write_folder(a, tmp_path)
    a = parse(content())
    a.ignore_regions[0][0][0, 0] = np.inf
    with pytest.raises(UserError, match=r"ignore region of .*11\.jpg"):
        posetrack17.write_folder(a, tmp_path)
    with pytest.raises(UserError, match=r"expected posetrack17; convert"):
        posetrack17.write_folder(posetrack18_sample(), tmp_path)
    assert list(tmp_path.iterdir()) == []


def posetrack18_sample(names=POSETRACK18.joints, people=()):
    images = [{"file_name": "images/val/1_mpii_test/000000.jpg", "id": 10000010000}]
    category = {"name": "person", "id": 1, "keypoints": list(names)}
    records = [{"image_id": 10000010000, "id": k, **p} for k, p in enumerate(people)]
    return posetrack18.parse(
        {"images": images, "annotations": records, "categories": [category]}, "p.json"
    )


def change(value, path, new):
    """A copy of the content with one entry replaced."""
    value = copy.deepcopy(value)
    *parents, last = [int(key) if key.isdigit() else key for key in path.split(".")]
    place = value
    for key in parents:
        place = place[key]
    place[last] = new(place[last]) if callable(new) else new
    return value


@pytest.mark.parametrize(
    ("path", "new"),
    [
        ("annolist.0.image", lambda image: image[0]),
        ("annolist.0.image.0.name", lambda name: [name]),
        ("annolist.0.annorect", lambda people: [[p] for p in people]),
        ("annolist.0.annorect", lambda people: [people]),
        ("annolist.0.annorect.0.annopoints", lambda holders: holders[0]),
        ("annolist.0.annorect.0.annopoints.0.point", lambda points: [[p] for p in points]),
        ("annolist.0.annorect.0.track_id", 3),
        ("annolist.0.annorect.0.track_id", [3.0]),
        ("annolist.0.annorect.0.score", EMPTY_ARRAY),
        ("annolist.0.annorect.0.score", None),
        ("annolist.0.annorect.0.annopoints.0.point.0.is_visible", False),
        ("annolist.0.annorect.0.annopoints.0.point.1.is_visible", []),
        ("annolist.0.annorect.0.annopoints.0.point.1.score", []),
        ("annolist.0.is_labeled", True),
        ("annolist.2.is_labeled", 0),
        ("annolist.2.is_labeled", [False]),
        ("annolist.3.annorect", EMPTY_ARRAY),
        ("annolist.3.ignore_regions", EMPTY_ARRAY),
        ("annolist.3.ignore_regions", None),
        ("annolist.1.annorect.0.annopoints", {}),
        ("annolist.1.annorect.0.annopoints", [[]]),
        ("annolist.1.annorect.0.annopoints", EMPTY_ARRAY),
    ],
)
def test_other_ways_to_write_the_same(path, new):
    assert_same_bits(parse(change(content(), path, new)), parse(content()))


def test_a_bare_track_zero_is_a_track():
    assert parse(change(content(), "annolist.0.annorect.0.track_id", 0)).track_id[0] == 0
    assert parse(change(content(), "annolist.0.annorect.0.track_id", [])).track_id[0] == NO_TRACK


@pytest.mark.parametrize(
    ("path", "new", "message"),
    [
        ("annolist.0.annorect.0.track_id", [1.5], r"annorect\[0\]: track_id: found 1.5"),
        ("annolist.0.annorect.0.track_id", [2**63], r"track_id: found 9223372036854775808"),
        ("annolist.0.annorect.0.track_id", [float("nan")], r"track_id: found nan, .* whole"),
        ("annolist.0.annorect.0.annopoints.0.point.2.id", ["7"], r"point\[2\]: id: found '7'"),
        ("annolist.0.annorect.0.annopoints.0.point.2.x", [1, 2], r"point\[2\]: x: found a list"),
        ("annolist.2.is_labeled", ["no"], r"annolist\[2\]: is_labeled: found 'no'"),
        (
            "annolist.0.annorect",
            {"_ArrayType_": "double"},
            r"'annorect' is .* object of 1",
        ),
    ],
)
def test_refusals_name_file_and_place(path, new, message):
    with pytest.raises(UserError, match=message) as error:
        parse(change(content(), path, new), "some/v.json")
    assert str(error.value).startswith("some/v.json") and "\n" not in str(error.value)


def test_videos_are_told_apart_by_collection_and_folder():
    keys = [
        "images/bonn_5sec/000342_mpii/00000001.jpg",
        "bonn_5sec/000342_mpii/12_crop.jpg",
        "images_renamed\\bonn_5sec\\000342_mpii\\00000002.jpg",
    ]
    assert {video_key(name) for name in keys} == {"bonn_5sec/000342_mpii"}
    assert video_key("images/mpii_5sec/000342_mpii/00000001.jpg") == "mpii_5sec/000342_mpii"
    assert video_key("000342_mpii/1.jpg") == "000342_mpii" and video_key("1.jpg") == ""


def test_hieve_is_recognised_and_refused_by_name(tmp_path):
    write_json(tmp_path / "1.json", hieve_content())
    assert is_hieve(hieve_content())
    for read in (read_video_file,):
        with pytest.raises(UserError, match=r"1\.json: this is HiEve, .*tdmi data convert"):
            read(tmp_path / "1.json")


def without(value, key):
    return {"annolist": [{k: v for k, v in f.items() if k != key} for f in value["annolist"]]}


def renamed(value, folder):
    value = copy.deepcopy(value)
    for f in value["annolist"]:
        f["image"][0]["name"] = folder + f["image"][0]["name"].rpartition("/")[2]
    return value


def labelled(value):
    return {"annolist": [{**f, "is_labeled": [1]} for f in value["annolist"]]}


def test_hieve_with_one_mark_of_posetrack_is_still_hieve():
    assert is_hieve(renamed(hieve_content(), "images/1/"))
    assert is_hieve(labelled(hieve_content()))
    assert not is_hieve(labelled(renamed(hieve_content(), "images/1/")))


def test_posetrack17_without_its_marks_is_not_hieve():
    bare = renamed(without(content(), "is_labeled"), "")
    assert not is_hieve(bare)
    # Head tops missing: the head box alone must tell.
    points = bare["annolist"][0]["annorect"][0]["annopoints"][0]["point"]
    del points[14]
    assert not is_hieve(bare)
    boxless = without_boxes(hieve_content())
    assert not is_hieve(boxless) and parse(boxless).persons == 2


def without_boxes(value):
    for f in value["annolist"]:
        for p in f["annorect"]:
            for key in ("x1", "y1", "x2", "y2"):
                del p[key]
    return value


def test_a_head_box_with_three_joints_of_four_is_no_person_box():
    """A close-up: nose and neck in the head box, shoulders below it."""
    points = [point(13, 20, 30), point(12, 20, 43), point(8, 5, 60), point(9, 40, 60)]
    value = {"annolist": [{"image": [{"name": "1.jpg"}], "annorect": [person(1, points)]}]}
    assert not is_hieve(value) and parse(value).persons == 1


def test_no_recorded_file_is_taken_for_hieve():
    for case in cases("poseval").values():
        for value in (*case["gt"].values(), *case["pred"].values()):
            assert not is_hieve(value)
            if "annolist" in value:
                assert not is_hieve(renamed(without(value, "is_labeled"), ""))


@pytest.mark.parametrize("value", [None, [], {}, {"annolist": 3}, {"annolist": [3, {"image": 3}]}])
def test_recognition_accepts_any_content(value):
    assert not is_hieve(value)


@pytest.mark.parametrize("annolist", [{"num_frames": 3}, [{"name": "v", "num_frames": [30]}]])
def test_the_earlier_set_of_that_name_is_refused_by_name(annolist):
    with pytest.raises(UserError, match=r"v\.json: 'annolist' is .*Iqbal et al., CVPR 2017"):
        parse({"annolist": annolist})


@pytest.mark.parametrize(("joint", "slot"), list(enumerate(
    [16, 14, 12, 11, 13, 15, 10, 8, 6, 5, 7, 9, 1, 0, 2]
)))  # fmt: skip
def test_each_joint_finds_its_slot(joint, slot, tmp_path):
    write_json(tmp_path / "v.json", {"annolist": [frame(1, [person(1, [point(joint, 5, 6)])])]})
    a = read_folder(tmp_path, ["v"], POSETRACK18)
    assert np.flatnonzero(a.present[0]).tolist() == [slot]
    assert a.keypoints[0, slot].tolist() == [5, 6]


def test_the_neck_is_head_bottom_and_not_the_middle_of_the_shoulders(tmp_path):
    """DetectAndTrack and PoseWarper call joint 12 neck; files name it head_bottom or neck."""
    assert POSETRACK17.joints[12] == "head_bottom" and ALIASES["neck"] == "head_bottom"
    flat = [0.0] * 51
    flat[3:6] = [30, 40, 1]
    flat[15:21] = [10, 80, 1, 50, 80, 1]
    for name in ("head_bottom", "neck"):
        names = [name if joint == "head_bottom" else joint for joint in POSETRACK18.joints]
        a = posetrack18_sample(names, [{"keypoints": flat}])
        write_json(tmp_path / "v.json", {"annolist": [frame(1, [person(1, [point(12, 30, 40)])])]})
        neck = read_video_file(tmp_path / "v.json").keypoints[0, 12].tolist()
        assert a.keypoints[0, POSETRACK18.index("head_bottom")].tolist() == neck == [30, 40]


def test_label_files_prefer_json_and_leave_hidden_files(tmp_path):
    for name in ("b.json", "a.mat", "b.mat", ".c.1.part.json", "notes.txt"):
        (tmp_path / name).write_text("")
    assert label_files(tmp_path) == [tmp_path / "a.mat", tmp_path / "b.json"]
    assert label_files(tmp_path / "b.mat") == [tmp_path / "b.mat"]
    with pytest.raises(UserError, match=r"no such file or folder"):
        label_files(tmp_path / "nowhere")


@settings(max_examples=200, derandomize=True, deadline=None, database=None)
@given(seed=st.integers(0, 2**32 - 1))
def test_damaged_files_are_read_or_refused_in_one_line(tmp_path_factory, seed):
    path = tmp_path_factory.getbasetemp() / "damaged17.json"
    path.write_bytes(mutated_json(content(), seed))
    try:
        read_video_file(path)
    except UserError as error:
        assert "damaged17.json" in str(error) and "\n" not in str(error)
