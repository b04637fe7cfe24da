"""Merged COCO-like files: videos told apart, both forms read by hand counts and written back."""

import copy
import json
import tempfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tdmi.core.errors import UserError
from tdmi.data.annotations import concatenate
from tdmi.data.skeletons import COCO, HIEVE, POSETRACK18
from tdmi.formats import posetrack18
from tdmi.formats.merged import FORMS, read_merged, write_merged
from tests.support.annotation_sets import assert_read_or_refused, differing_columns, generated
from tests.support.mutations import mutated_json
from tests.support.tiny_dataset import annotations as tiny

FUZZ = settings(max_examples=200, derandomize=True, deadline=None, database=None)
SEEDS = st.integers(0, 2**32 - 1)
CATEGORY = {"name": "person", "id": 1, "keypoints": list(POSETRACK18.joints)}


def detect_and_track(size: bool = True) -> dict:
    """Two 2017 videos: ids from 1 in one file, a person with two joints, and one without."""
    joints = [0, 0, 0] * 17
    joints[:6] = [100.5, 50, 2, 0, 0, 2]
    images = [
        {
            "nframes": 2,
            "frame_id": number,
            "file_name": f"{folder}/{number:08d}.jpg",
            "original_file_name": f"images/{folder}/{number + 16:04d}.jpg",
            "is_labeled": number == 1,
            "id": 2 * k + number,
        }
        | ({"width": 1280, "height": 720} if size else {})
        for k, folder in enumerate(("bonn_5sec/000342_mpii", "mpii_5sec/24788_mpii"))
        for number in (1, 2)
    ]
    person = {
        "iscrowd": 0,
        "segmentation": [],
        "num_keypoints": 17,
        "category_id": 1,
        "head_box": [90.5, 30.0, 110.5, 60.0],
    }
    people = [
        person
        | {
            "id": 1,
            "image_id": 3,
            "track_id": 4,
            "keypoints": joints,
            "bbox": [1, 2, 30, 40],
            "area": 1200,
        },
        person
        | {
            "id": 2,
            "image_id": 1,
            "track_id": 0,
            "keypoints": [0] * 51,
            "bbox": [0, 0, 0, 0],
            "area": 0,
        },
    ]
    return {"images": images, "annotations": people, "categories": [CATEGORY]}


def mmpose() -> dict:
    """Two 2018 videos whose frames stand in any order."""
    images = [
        {
            "has_no_densepose": True,
            "is_labeled": True,
            "file_name": f"images/val/{video}/{frame:06d}.jpg",
            "nframes": 140,
            "frame_id": number * 10**4 + frame,
            "vid_id": video[:6],
            "id": number * 10**4 + frame,
            "width": 1920,
            "height": 1080,
            "mask_file": f"mask/val/{video}/{frame:06d}.jpg",
            "ignore_regions_x": [[0, 5, 5]],
            "ignore_regions_y": [[0, 0, 5]],
        }
        for video, number, frame in (
            ("012834_mpii_test", 1012834, 8),
            ("003418_mpii_test", 1003418, 0),
            ("012834_mpii_test", 1012834, 4),
        )
    ]
    people = [
        {
            "bbox_head": [346, 337, 296, 237],
            "keypoints": [621, 471, 1, 0, 0, 0, 7, 8, 0] + [0] * 42,
            "track_id": k,
            "image_id": image["id"],
            "bbox": [214.25, 15.0, 1358.5, 1092.0],
            "scores": [],
            "category_id": 1,
            "id": image["id"] * 100,
            "iscrowd": False,
            "num_keypoints": 2,
        }
        for k, image in enumerate(images)
    ]
    return {"images": images, "annotations": people, "categories": [CATEGORY]}


def read(content: dict, tmp_path: Path):
    path = tmp_path / "posetrack_val.json"
    path.write_text(json.dumps(content))
    return read_merged(path)


@pytest.mark.parametrize("size", [True, False])
def test_detect_and_track_columns(size, tmp_path):
    a = read(detect_and_track(size), tmp_path)
    assert a.video_names == ["000342_mpii", "24788_mpii"]
    assert a.frame_video.tolist() == [0, 0, 1, 1] and a.frame_index.tolist() == [0, 1, 0, 1]
    assert a.frame_number.tolist() == [1, 2, 1, 2] and a.video_length.tolist() == [2, 2]
    assert a.frame_labelled.tolist() == [True, False, True, False]
    assert a.frame_size.tolist() == [[1280, 720] if size else [0, 0]] * 4
    assert a.person_frame.tolist() == [0, 2] and a.track_id.tolist() == [0, 4]
    assert np.isnan(a.box[0]).all() and a.box[1].tolist() == [1, 2, 30, 40]
    assert a.area.tolist() == [0, 1200]
    assert a.head_box[1].tolist() == [90.5, 30, 110.5, 60]
    assert a.present.sum(axis=1).tolist() == a.visible.sum(axis=1).tolist() == [0, 2]
    assert a.keypoints[1, 0].tolist() == [100.5, 50]


def test_mmpose_columns_with_frames_sorted_by_their_number(tmp_path):
    a = read(mmpose(), tmp_path)
    assert a.video_names == ["012834_mpii_test", "003418_mpii_test"]
    assert a.frame_number.tolist() == [4, 8, 0] and a.frame_index.tolist() == [0, 1, 0]
    assert a.frame_id.tolist() == [10128340004, 10128340008, 10034180000]
    assert a.track_id.tolist() == [2, 0, 1]
    assert a.video_length.tolist() == [140, 140]
    assert a.frame_size[0].tolist() == [1920, 1080]
    assert a.present[0].sum() == 2 and a.visible[0].sum() == 1
    assert a.head_box[0].tolist() == [346, 337, 642, 574]
    assert a.ignore_regions[2][0].tolist() == [[0, 0], [5, 0], [5, 5]]


def test_persons_marked_as_crowd_are_read_too(tmp_path):
    content = mmpose()
    for person in content["annotations"]:
        person["iscrowd"] = 1
    a = read(content, tmp_path)
    assert a.persons == 3 and a.crowd.all()


def test_videos_of_two_collections_with_one_name_get_their_whole_path(tmp_path):
    content = detect_and_track()
    for image in content["images"]:
        image["file_name"] = image["file_name"].replace("24788_mpii", "000342_mpii")
    names = read(content, tmp_path).video_names
    assert names == ["bonn_5sec_000342_mpii", "mpii_5sec_000342_mpii"]


def test_videos_are_told_apart_by_vid_id_too(tmp_path):
    content = mmpose()
    for image in content["images"]:
        image["file_name"] = image["file_name"].rpartition("/")[2]
    a = read(content, tmp_path)
    assert a.video_names == ["012834", "003418"] and a.frame_video.tolist() == [0, 0, 1]


def expected_back(written, form: str):
    """`written`, with the areas that DetectAndTrack's form states for every person."""
    if form == "mmpose":
        return written
    extent = np.nan_to_num(written.box[:, 2] * written.box[:, 3])
    return replace(written, area=np.where(np.isnan(written.area), extent, written.area))


@settings(max_examples=60, derandomize=True, deadline=None, database=None)
@given(
    seed=SEEDS, skeleton=st.sampled_from((POSETRACK18, HIEVE, COCO)), form=st.sampled_from(FORMS)
)
def test_every_column_comes_back_to_the_last_bit(seed, skeleton, form):
    written = generated(seed, skeleton)
    written.box[:] = np.clip(written.box, -1e100, 1e100)  # areas stay finite
    written.box[(written.box == 0).all(axis=1)] = 1.0
    with tempfile.TemporaryDirectory() as folder:
        write_merged(written, Path(folder, "all.json"), form)
        again = read_merged(Path(folder, "all.json"))
    assert differing_columns(again, expected_back(written, form)) == []


def test_written_files_have_the_keys_of_mmposes_form(tmp_path):
    original = mmpose()
    a = read(original, tmp_path)
    write_merged(a, tmp_path / "again.json")
    content = json.loads((tmp_path / "again.json").read_text())
    originals = {image["id"]: image for image in original["images"]}
    for image in content["images"]:
        assert image == {k: v for k, v in originals[image["id"]].items() if k != "has_no_densepose"}
    for person in content["annotations"]:
        assert set(original["annotations"][0]) == set(person)
        assert person["num_keypoints"] == 2 and person["iscrowd"] == 0
        assert person["keypoints"][:9] == [621, 471, 1, 0, 0, 0, 7, 8, 0]
    assert [person["id"] for person in content["annotations"]] == [1, 2, 3]


def test_written_files_have_the_values_of_detect_and_tracks_form(tmp_path):
    original = detect_and_track()
    write_merged(read(original, tmp_path), tmp_path / "again.json", "detect_and_track")
    content = json.loads((tmp_path / "again.json").read_text())
    for image, before in zip(content["images"], original["images"], strict=True):
        assert {k: image.get(k) for k in before if k != "original_file_name"} == {
            k: v for k, v in before.items() if k != "original_file_name"
        }
    for person, before in zip(content["annotations"], original["annotations"][::-1], strict=True):
        kept = {k: v for k, v in before.items() if k != "id"}
        assert {k: person[k] for k in kept} == kept
        assert "bbox_head" not in person


def test_frame_ids_that_come_twice_are_numbered_anew(tmp_path):
    both = concatenate([tiny("train", 2), tiny("val", 2)])
    both.frame_id[:] = [0, 1, 0, 1]
    write_merged(both, tmp_path / "all.json", "detect_and_track")
    again = read_merged(tmp_path / "all.json")
    assert again.frame_id.tolist() == [1, 2, 3, 4]
    assert set(differing_columns(again, both)) == {"frame_id", "area"}


def test_one_video_of_a_merged_file_is_what_its_own_file_says(tmp_path):
    both = concatenate([tiny("train", 2), tiny("val", 3)])
    write_merged(both, tmp_path / "all.json")
    posetrack18.write_folder(read_merged(tmp_path / "all.json"), tmp_path / "videos")
    assert differing_columns(posetrack18.read_folder(tmp_path / "videos"), both) == []


@pytest.mark.parametrize(
    ("written", "form", "message"),
    [
        (tiny("val", 2), "coco", "option form: found 'coco', expected one of mmpose, detect"),
        (
            replace(tiny("val", 2), frame_file=["v/000007.png", "v/000003.png"]),
            "mmpose",
            r"frame v/000007\.png of video 900002_mpiinew_dots would be read at another place",
        ),
        (
            replace(
                concatenate([tiny("val", 1), tiny("train", 1)]),
                video_names=["1_a", "1_b"],
                frame_file=["v/1.png", "v/2.png"],
            ),
            "mmpose",
            r"frame v/2\.png of video 1_b would be read at another place",
        ),
        (replace(tiny("val", 1), box=np.full((1, 4), 1e200)), "detect_and_track", "area of a p"),
    ],
)
def test_what_a_merged_file_cannot_hold_is_refused(written, form, message, tmp_path):
    with pytest.raises(UserError, match=message) as error:
        write_merged(written, tmp_path / "all.json", form)
    assert len(str(error.value).splitlines()) == 1
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"vid_id": 1.5}, r"images\[1\]: 'vid_id' is 1\.5, expected a text or a whole number"),
        ({"file_name": 7}, r"images\[1\]: 'file_name' is 7, expected a text"),
        ({"id": 10128340008}, r"images\[1\] repeats id 10128340008 of images\[0\]"),
        ({"nframes": "140"}, r"images\[1\]: 'nframes' is '140', expected a whole number"),
    ],
)
def test_refusals_name_the_image_by_its_place_in_the_file(change, message, tmp_path):
    content = copy.deepcopy(mmpose())
    content["images"][1] |= change
    content["annotations"][1]["image_id"] = 10128340008
    with pytest.raises(UserError, match=message):
        read(content, tmp_path)


def test_videos_that_cannot_be_named_apart_are_refused(tmp_path):
    content = detect_and_track()
    folders = ("a/b/v", "a_b/v")
    for k, image in enumerate(content["images"]):
        image["file_name"] = f"{folders[k // 2]}/{k}.jpg"
    with pytest.raises(UserError, match="two videos are called 'a_b_v'"):
        read(content, tmp_path)


@FUZZ
@given(seed=SEEDS)
def test_damaged_mmpose_files_are_read_or_refused_in_one_line(seed):
    assert_read_or_refused(read_merged, mutated_json(mmpose(), seed))


@FUZZ
@given(seed=SEEDS)
def test_damaged_detect_and_track_files_are_read_or_refused_in_one_line(seed):
    assert_read_or_refused(read_merged, mutated_json(detect_and_track(), seed))
