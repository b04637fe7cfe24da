"""Odd PoseTrack18 and PoseTrack21 files: what they mean, and a clear line where they are wrong."""

import copy
import json

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from tdmi.core.errors import UserError
from tdmi.data.annotations import NO_PERSON_ID, NO_TRACK, UNSCORED
from tdmi.data.skeletons import POSETRACK18
from tdmi.formats import posetrack18
from tdmi.formats.posetrack import read_video_file
from tests.support.annotation_sets import assert_read_or_refused
from tests.support.mutations import mutated_json

NAME = "000011_mpii_test"
FUZZ = settings(max_examples=200, derandomize=True, deadline=None, database=None)
SEEDS = st.integers(0, 2**32 - 1)


def content21() -> dict:
    """Two frames in PoseTrack21's form: an occluded joint, and a box without joints."""
    joints = [0, 0, 0] * 17
    joints[:6] = [10.5, 20, 1, 30, 40, 0]
    images = [
        {
            "file_name": f"images/val/{NAME}/{k:06d}.jpg",
            "id": 10000110000 + k,
            "frame_id": 10000110000 + k,
            "vid_id": "000011",
            "nframes": 76,
            "is_labeled": k == 0,
            "has_labeled_person": True,
            "ignore_regions_x": [[0, 5, 5]],
            "ignore_regions_y": [[0, 0, 5]],
        }
        for k in range(2)
    ]
    people = [
        {
            "image_id": 10000110000 + k,
            "id": 1000011000000 + k,
            "category_id": 1,
            "bbox": [1, 2, 30, 40],
            "bbox_head": [4, 5, 6, 8],
            "keypoints": joints if k == 0 else [0] * 51,
            "person_id": 1024 + k,
            "track_id": k,
        }
        for k in range(2)
    ]
    category = {"name": "person", "id": 1, "keypoints": list(POSETRACK18.joints)}
    return {"images": images, "annotations": people, "categories": [category]}


def content18() -> dict:
    """The same without what PoseTrack21 added, with the scores of a prediction."""
    content = content21()
    for image in content["images"]:
        del image["has_labeled_person"]
    for person in content["annotations"]:
        del person["person_id"]
        person |= {"scores": [0.5] * 17, "score": 0.75}
    return content


def changed(path: str, value: object) -> dict:
    content = copy.deepcopy(content21())
    *parents, last = [int(key) if key.isdigit() else key for key in path.split(".")]
    place = content
    for key in parents:
        place = place[key]
    place[last] = value
    return content


def test_posetrack21_columns():
    a = posetrack18.parse(content21(), f"{NAME}.json")
    assert a.persons == 2
    assert a.person_id.tolist() == [1024, 1025] and a.track_id.tolist() == [0, 1]
    assert a.present[0, :3].tolist() == [True, True, False]
    assert a.visible[0, :3].tolist() == [True, False, False]
    assert not a.present[1].any() and a.box[1].tolist() == [1, 2, 30, 40]
    assert a.frame_boxed.tolist() == [True, True] and a.frame_labelled.tolist() == [True, False]
    assert a.frame_annotated.tolist() == [True, True]
    assert a.video_length.tolist() == [76]


def test_what_is_missing_null_or_empty_is_unknown():
    content = content21()
    content["annotations"][0] |= {"bbox": [], "bbox_head": None, "track_id": None, "scores": []}
    content["annotations"][0] |= {"person_id": None, "score": None, "iscrowd": None, "action": None}
    content["images"][1] |= {"nframes": None, "width": None, "has_labeled_person": None}
    a = posetrack18.parse(content, f"{NAME}.json")
    assert np.isnan(a.box[0]).all() and np.isnan(a.head_box[0]).all() and np.isnan(a.score[0])
    assert (a.track_id[0], a.person_id[0]) == (NO_TRACK, NO_PERSON_ID)
    assert (a.joint_score[0] == UNSCORED).all() and not a.crowd[0] and a.action[0] == ""
    assert a.frame_size.tolist() == [[0, 0], [0, 0]] and a.frame_boxed.tolist() == [True, False]


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        (
            "annotations.1.track_id",
            10**40,
            r"annotations\[1\] .*'track_id' is 1e\+40, expected a w",
        ),
        ("annotations.1.track_id", 2**63, r"'track_id' is 9223372036854775808, .*at most 64 bits"),
        ("annotations.1.track_id", 5.0, r"'track_id' is 5\.0, expected a whole number"),
        ("annotations.1.track_id", True, r"'track_id' is True, expected a whole number"),
        ("annotations.1.image_id", -(2**70), r"annotations\[1\]: 'image_id' is .*whole number"),
        ("annotations.0.person_id", "a", r"\(frame 0\): 'person_id' is 'a'"),
        ("annotations.0.keypoints.4", "7", r"keypoints: found '7' among the numbers"),
        ("annotations.0.keypoints.4", True, r"keypoints: found True among the numbers"),
        ("annotations.0.bbox", [1, 2, [3], 4], r"bbox: found a list of 1 among the numbers"),
        ("annotations.0.bbox", "long" * 99, r"bbox: found 'longlong.*\.\.\., expected 4 numbers"),
        ("annotations.0.score", "high", r"score: found 'high', expected a number"),
        ("annotations.0.iscrowd", "no", r"'iscrowd' is 'no', expected true or false"),
        ("annotations.0.action", 3, r"'action' is 3, expected a text"),
        ("images.1.is_labeled", "yes", r"images\[1\]: 'is_labeled' is 'yes', expected true or"),
        ("images.1.nframes", "76", r"images\[1\]: 'nframes' is '76', expected a whole number"),
        ("images.0.width", 0.5, r"'width' is 0\.5, expected a whole number"),
        ("images.0.file_name", None, r"images\[0\]: 'file_name' is null, expected a text"),
        ("images.1", [1, 2], r"images\[1\]: found a list of 2, expected an object"),
        ("images.0.ignore_regions_x", [[0, None, 5]], r"ignore_regions_x\[0\]: found null among"),
        ("categories.0.keypoints.3", {}, r"keypoints: found an empty object, expected names"),
        ("categories.0.keypoints.3", "neck", r"keypoints: found head_bottom twice"),
        ("categories.0", "person", r"categories\[0\]: found 'person', expected an object"),
    ],
)
def test_wrong_values_are_named_in_one_line(path, value, message, tmp_path):
    file = tmp_path / f"{NAME}.json"
    file.write_text(json.dumps(changed(path, value)))
    with pytest.raises(UserError, match=message) as error:
        read_video_file(file)
    assert str(error.value).startswith(f"{file}: ")
    assert len(str(error.value).splitlines()) == 1


def test_numbers_beyond_the_range_of_floats_are_refused():
    with pytest.raises(UserError, match=r"keypoints: found 1000.*\.\.\. among the numbers"):
        posetrack18.parse(changed("annotations.0.keypoints.3", 10**400), "v.json")


def test_bare_nan_and_lone_surrogates_are_read(tmp_path):
    content = changed("annotations.0.bbox", [float("nan"), 1, 2, 3])
    content["images"] = content["images"][:1]
    content["annotations"] = content["annotations"][:1]
    content["images"][0]["file_name"] = "v/\ud800.jpg"
    file = tmp_path / "v.json"
    file.write_text(json.dumps(content))
    a = read_video_file(file)
    assert np.isnan(a.box[0]).tolist() == [True, False, False, False]
    a.box[:] = 1.0
    posetrack18.write_folder(a, tmp_path / "again")
    assert posetrack18.read_folder(tmp_path / "again").frame_file == ["v/\ud800.jpg"]


@pytest.mark.parametrize(
    ("encoding", "message"),
    [
        ("utf-16", "found text in UTF-16 or UTF-32, expected UTF-8; save it again as UTF-8"),
        ("utf-16-be", "found text in UTF-16"),
        ("utf-32", "found text in UTF-16 or UTF-32"),
        ("cp037", "found byte 0xc0 in line 1, which is not UTF-8"),
    ],
)
def test_other_encodings_are_refused(encoding, message, tmp_path):
    file = tmp_path / "v.json"
    file.write_bytes(json.dumps(content21()).encode(encoding))
    with pytest.raises(UserError, match=rf"v\.json: {message}") as error:
        read_video_file(file)
    assert len(str(error.value)) < 300


def test_a_byte_order_mark_of_utf8_is_skipped(tmp_path):
    file = tmp_path / "v.json"
    file.write_text(json.dumps(content21()), encoding="utf-8-sig")
    assert read_video_file(file).persons == 2


@pytest.mark.parametrize("text", ["", "[" * 100_000, '{"images": ' + "1" * 5000 + "}"])
def test_files_that_no_parser_reads_are_refused(text, tmp_path):
    file = tmp_path / "v.json"
    file.write_text(text)
    with pytest.raises(UserError, match=r"v\.json: not valid JSON") as error:
        read_video_file(file)
    assert len(str(error.value)) < 400


def test_a_folder_is_no_file(tmp_path):
    with pytest.raises(UserError, match=r"cannot be read \(Is a directory\)"):
        read_video_file(tmp_path)


@FUZZ
@given(seed=SEEDS)
@example(seed=3_765_142_295)  # image ids that are null
def test_damaged_posetrack18_files_are_read_or_refused_in_one_line(seed):
    assert_read_or_refused(read_video_file, mutated_json(content18(), seed))


@FUZZ
@given(seed=SEEDS)
@example(seed=0)
def test_damaged_posetrack21_files_are_read_or_refused_in_one_line(seed):
    assert_read_or_refused(read_video_file, mutated_json(content21(), seed))
