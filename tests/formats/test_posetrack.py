"""Reading and writing annotation files: round trips, odd but legal content, refusals."""

import copy
import json
from dataclasses import fields

import numpy as np
import pytest

from tdmi.core.errors import UserError
from tdmi.core.files import write_json
from tdmi.data.annotations import NO_TRACK, UNSCORED, Annotations, concatenate, on_skeleton
from tdmi.data.skeletons import POSETRACK17, POSETRACK18
from tdmi.formats import posetrack17, posetrack18
from tdmi.formats.files import video_files
from tdmi.formats.posetrack import read_folder, read_video_file
from tests.support.golden_evaluation import cases

NAME = "000011_mpii_test"


def content18() -> dict:
    """Two frames; the second listed person stands in the first frame."""
    zero = [0, 0, 0] * 17
    first = list(zero)
    first[0:3] = [10, 20.5, 1]  # nose
    first[3:6] = [0, 0, 1]  # head_bottom in the picture's corner
    first[-3:] = [7, 8, 0]  # right_ankle, hidden
    people = [
        {"image_id": 10000110001, "id": 1, "category_id": 1, "track_id": -1, "keypoints": zero},
        {
            "image_id": 10000110000,
            "id": 2,
            "category_id": 1,
            "track_id": 5,
            "keypoints": first,
            "scores": [0.25] * 17,
            "bbox": [1, 2, 30, 40],
            "bbox_head": [4, 5, 6, 8],
            "score": 0.5,
            "area": 600,
            "iscrowd": 1,
        },
    ]
    frames = [
        {
            "file_name": f"images/val/{NAME}/{k:06d}.jpg",
            "id": 10000110000 + k,
            "is_labeled": k == 0,
            "nframes": 3,
        }
        for k in range(3)
    ]
    frames[0] |= {"ignore_regions_x": [[0, 5, 5]], "ignore_regions_y": [[0, 0, 5]]}
    category = {"name": "person", "id": 1, "keypoints": list(POSETRACK18.joints)}
    return {"images": frames, "annotations": people, "categories": [category]}


def point(joint, x, y, **more) -> dict:
    return {"id": [joint], "x": [x], "y": [y], **{key: [value] for key, value in more.items()}}


def content17(people: list) -> dict:
    return {"annolist": [{"image": [{"name": "images/v/00000001.jpg"}], "annorect": people}]}


def assert_same(a: Annotations, b: Annotations) -> None:
    for field in fields(Annotations):
        left, right = getattr(a, field.name), getattr(b, field.name)
        if field.name == "ignore_regions":
            left, right = ([[p.tolist() for p in f] for f in side] for side in (left, right))
        if isinstance(left, np.ndarray):
            assert left.dtype == right.dtype, field.name
            np.testing.assert_array_equal(left, right, field.name)
        else:
            assert left == right, field.name


def test_posetrack18_columns():
    a = posetrack18.parse(content18(), f"{NAME}.json")
    assert a.video_names == [NAME]
    assert a.frame_id.tolist() == [10000110000, 10000110001, 10000110002]
    assert a.frame_index.tolist() == [0, 1, 2]
    assert a.frame_labelled.tolist() == [True, False, False]
    assert a.frame_annotated.tolist() == [True, True, False]
    assert a.person_frame.tolist() == [0, 1]
    assert a.track_id.tolist() == [5, -1]
    assert np.flatnonzero(a.present[0]).tolist() == [0, 1, 16]
    assert np.flatnonzero(a.visible[0]).tolist() == [0, 1]
    assert not a.present[1].any()
    assert a.keypoints[0, [0, 16]].tolist() == [[10, 20.5], [7, 8]]
    assert a.joint_score[:, 0].tolist() == [0.25, UNSCORED]
    assert a.box[0].tolist() == [1, 2, 30, 40]
    assert a.head_box[0].tolist() == [4, 5, 10, 13]
    assert np.isnan(a.head_box[1]).all() and np.isnan(a.box[1]).all()
    assert a.score[0] == 0.5 and np.isnan(a.score[1])
    assert a.area[0] == 600 and np.isnan(a.area[1])
    assert a.crowd.tolist() == [True, False]
    assert a.ignore_regions[0][0].tolist() == [[0, 0], [5, 0], [5, 5]]
    assert a.ignore_regions[1] == []


def test_posetrack18_round_trip(tmp_path):
    parts = [posetrack18.parse(content18(), f"{n}_mpii_test.json") for n in ("000011", "000012")]
    written = concatenate(parts)
    posetrack18.write_folder(written, tmp_path)
    again = posetrack18.read_folder(tmp_path)
    assert_same(again, written)
    assert posetrack18.read_folder(tmp_path, ["000012_mpii_test"]).video_names == [
        "000012_mpii_test"
    ]


def test_written_files_have_what_the_evaluators_demand(tmp_path):
    posetrack18.write_folder(posetrack18.parse(content18(), f"{NAME}.json"), tmp_path)
    content = json.loads((tmp_path / f"{NAME}.json").read_text())
    assert content["categories"][0]["keypoints"] == list(POSETRACK18.joints)
    for image in content["images"]:
        assert {"ignore_regions_x", "ignore_regions_y", "is_labeled", "frame_id"} <= set(image)
        assert image["nframes"] == 3 and image["vid_id"] == "000011"
    assert [person["scores"] for person in content["annotations"]][1] == []
    assert all(len(person["keypoints"]) == 51 for person in content["annotations"])


@pytest.mark.parametrize("name", ["m_medium_pt18", "r_ignore_pt18", "pt18_gt_with_pt17_prediction"])
def test_recorded_files_survive_writing(name, tmp_path):
    for side in ("gt", "pred"):
        for file, content in cases("poseval")[name][side].items():
            if "annolist" in content:
                continue
            first = posetrack18.parse(content, file)
            posetrack18.write_folder(first, tmp_path / side)
            assert_same(read_video_file(tmp_path / side / file), first)


def test_joints_are_placed_by_name():
    content = content18()
    order = list(reversed(POSETRACK17.joints))
    content["categories"][0]["keypoints"] = order
    for person in content["annotations"]:
        person["keypoints"] = [v for k in range(15) for v in (k + 1, 2 * k, 1)]
        person.pop("scores", None)
    a = posetrack18.parse(content, f"{NAME}.json")
    assert a.keypoints[0, POSETRACK18.index("head_top"), 0] == 1
    assert a.keypoints[0, POSETRACK18.index("right_ankle")].tolist() == [15, 28]
    assert not a.present[:, POSETRACK18.index("left_ear")].any()


def test_posetrack17_columns():
    people = [
        {"annopoints": []},
        {"annopoints": [{}], "track_id": [1]},
        {"annopoints": [{"point": []}], "track_id": [2]},
        {
            "track_id": [3],
            "score": [0.75],
            "x1": [1],
            "y1": [2],
            "x2": [4],
            "y2": [6],
            "annopoints": [
                {
                    "point": [
                        point(13, 5, 6, score=0.5, is_visible=0),
                        point(13, 50, 60),
                        point(15, 1, 1),
                        {"id": None, "x": [1], "y": [1]},
                        point(0, 0, 0),
                    ]
                }
            ],
        },
    ]
    a = posetrack17.parse(content17(people), "v.json")
    assert a.skeleton == POSETRACK17
    assert a.track_id.tolist() == [2, 3]
    assert not a.present[0].any()
    assert np.flatnonzero(a.present[1]).tolist() == [0, 13]
    assert a.keypoints[1, 13].tolist() == [5, 6]
    assert a.visible[1, [0, 13]].tolist() == [True, False]
    assert a.joint_score[1, [0, 13]].tolist() == [UNSCORED, 0.5]
    assert a.head_box[1].tolist() == [1, 2, 4, 6]
    assert a.score[1] == 0.75
    assert a.frame_annotated.tolist() == [True]


def test_posetrack17_frames_that_list_nobody_are_told_from_those_that_lost_everybody():
    gone = posetrack17.parse(content17([{"annopoints": []}]), "v.json")
    none = posetrack17.parse(content17([]), "v.json")
    assert gone.persons == none.persons == 0
    assert gone.frame_annotated.tolist() == [True]
    assert none.frame_annotated.tolist() == [False]


def test_empty_arrays_of_the_matlab_converter_are_empty_lists():
    empty = {"_ArrayType_": "double", "_ArraySize_": [1, 0], "_ArrayData_": None}
    content = content17([{"annopoints": empty}])
    content["annolist"][0]["ignore_regions"] = empty
    a = posetrack17.parse(content, "v.json")
    assert a.persons == 0 and a.ignore_regions == [[]]


def test_form_is_recognised_file_by_file(tmp_path):
    write_json(tmp_path / "a.json", content17([{"annopoints": [{"point": [point(13, 5, 6)]}]}]))
    write_json(tmp_path / "b.json", content18())
    assert read_video_file(tmp_path / "a.json").skeleton == POSETRACK17
    assert read_video_file(tmp_path / "b.json").skeleton == POSETRACK18
    assert video_files(tmp_path) == ["a", "b"]
    both = read_folder(tmp_path, ["b", "a"], POSETRACK18)
    assert both.video_names == ["b", "a"]
    assert both.frame_video.tolist() == [0, 0, 0, 1]
    assert both.person_frame.tolist() == [0, 1, 3]
    assert both.keypoints[2, POSETRACK18.index("nose")].tolist() == [5, 6]
    assert both.track_id[2] == NO_TRACK


def test_on_skeleton_and_back_loses_only_the_ears():
    a = posetrack18.parse(content18(), f"{NAME}.json")
    a.present[0, POSETRACK18.index("left_ear")] = True
    fifteen = on_skeleton(a, POSETRACK17)
    assert fifteen.keypoints.shape == (2, 15, 2)
    assert fifteen.keypoints[0, POSETRACK17.index("right_ankle")].tolist() == [7, 8]
    back = on_skeleton(fifteen, POSETRACK18)
    ears = [POSETRACK18.index("left_ear"), POSETRACK18.index("right_ear")]
    assert not back.present[:, ears].any() and (back.joint_score[:, ears] == UNSCORED).all()
    others = np.setdiff1d(np.arange(17), ears)
    np.testing.assert_array_equal(back.present[:, others], a.present[:, others])
    np.testing.assert_array_equal(back.keypoints[:, others], a.keypoints[:, others])


def test_concatenate_refuses_a_video_that_comes_twice():
    a = posetrack18.parse(content18(), f"{NAME}.json")
    with pytest.raises(ValueError, match=NAME):
        concatenate([a, a])


def test_nan_is_read_as_a_number_and_never_written(tmp_path):
    content = content18()
    content["annotations"][1]["keypoints"][0] = float("nan")
    a = posetrack18.parse(content, f"{NAME}.json")
    assert a.present[0, 0] and np.isnan(a.keypoints[0, 0, 0])
    with pytest.raises(UserError, match=r"nose of a person in .*000000\.jpg .*nan.*diverged"):
        posetrack18.write_folder(a, tmp_path)
    assert list(tmp_path.iterdir()) == []


def spoil(path: str, value) -> dict:
    """PoseTrack18 content with one entry changed, or removed if `value` is Ellipsis."""
    content = copy.deepcopy(content18())
    *parents, last = [int(key) if key.isdigit() else key for key in path.split(".")]
    place = content
    for key in parents:
        place = place[key]
    if value is ...:
        del place[last]
    else:
        place[last] = value
    return content


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        ("categories", ..., r"no 'categories'.*copy 'categories'"),
        ("categories", [], r"'categories' has 0 entries, expected one"),
        ("categories.0.keypoints", ["nose"], r"lacks right_ankle"),
        ("images", ..., r"no 'images'"),
        ("annotations", {}, r"'annotations' is an empty object, expected a list"),
        ("images.1.id", 10000110000, r"images\[1\] repeats id 10000110000 of images\[0\]"),
        ("images.1.file_name", "images/val/other/000001.jpg", r"2 videos in one file"),
        ("images.0.ignore_regions_y", [], r"images\[0\]: found 1 polygons .* 0 in"),
        ("annotations.1.image_id", 7, r"annotations\[1\]: image_id 7 is not among"),
        (
            "annotations.1.keypoints",
            [1] * 48,
            r"annotations\[1\] \(frame 0\): keypoints: found a list of 48, expected 51 numbers",
        ),
        ("annotations.1.keypoints.3", None, r"annotations\[1\] .*found null among the numbers"),
        ("annotations.1.scores", [0.5] * 15, r"scores: found a list of 15, expected 17 numbers"),
        ("annotations.1.bbox_head", [1, 2], r"bbox_head: found a list of 2, expected 4"),
        ("annotations.1.track_id", "a", r"'track_id' is 'a', expected a whole number"),
        ("annotations.0", 5, r"annotations\[0\]: found 5, expected an object"),
    ],
)
def test_posetrack18_refusals_name_file_place_and_cure(path, value, message):
    with pytest.raises(UserError, match=message) as error:
        posetrack18.parse(spoil(path, value), "some/000011_mpii_test.json")
    assert str(error.value).startswith("some/000011_mpii_test.json")
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({"annolist": {"num_frames": 3}}, r"expected a list of frames; another data set"),
        ({"annolist": [{"annorect": []}]}, r"annolist\[0\]: 'image' gives null as name"),
        ({"annolist": [{"image": [{"name": "a.jpg"}]}]}, r"annolist\[0\]: 'annorect' is null"),
        (
            content17([{"annopoints": [{"point": [{"id": [0], "x": [1]}]}]}]),
            r"annorect\[0\].annopoints\[0\].point\[0\]: y: found null, expected a number",
        ),
        (content17([3]), r"annolist\[0\].annorect\[0\]: found 3, expected an object"),
    ],
)
def test_posetrack17_refusals_name_file_and_place(content, message):
    with pytest.raises(UserError, match=message) as error:
        posetrack17.parse(content, "some/v.json")
    assert str(error.value).startswith("some/v.json")


def test_truncated_and_missing_files(tmp_path):
    text = json.dumps(content18())
    (tmp_path / "v.json").write_text(text[: len(text) // 2])
    with pytest.raises(UserError, match=r"v\.json: not valid JSON"):
        read_video_file(tmp_path / "v.json")
    with pytest.raises(UserError, match=r"w\.json: no such file"):
        read_video_file(tmp_path / "w.json")
    with pytest.raises(UserError, match="no such folder"):
        video_files(tmp_path / "nowhere")
    (tmp_path / "empty").mkdir()
    (tmp_path / "empty" / ".v.1.part.json").write_text("{")
    with pytest.raises(UserError, match=r"no \*\.json there"):
        video_files(tmp_path / "empty")


def test_only_posetrack18_joints_are_written(tmp_path):
    a = on_skeleton(posetrack18.parse(content18(), f"{NAME}.json"), POSETRACK17)
    with pytest.raises(UserError, match="expected posetrack18"):
        posetrack18.write_folder(a, tmp_path)
