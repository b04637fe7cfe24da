"""Merged COCO-like files: both forms read by hand counts, and single videos in one file."""

import copy
import json
import tempfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tdmi.core.errors import UserError
from tdmi.core.files import read_json
from tdmi.data.skeletons import COCO, POSETRACK18
from tdmi.formats import merged, posetrack18
from tests.support.annotation_sets import assert_read_or_refused, differing_columns, generated
from tests.support.label_samples import detect_and_track, mmpose
from tests.support.mutations import mutated_json

FUZZ = settings(max_examples=200, derandomize=True, deadline=None, database=None)
SEEDS = st.integers(0, 2**32 - 1)


def read(content: dict, tmp_path: Path):
    path = tmp_path / "posetrack_val.json"
    path.write_text(json.dumps(content))
    return read_merged(path)


def read_merged(path: Path):
    return merged.parse(read_json(path), path)


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


def test_vid_id_identifies_videos_without_folders(tmp_path):
    content = mmpose()
    for image in content["images"]:
        image["file_name"] = image["file_name"].rpartition("/")[2]
    a = read(content, tmp_path)
    assert a.video_names == ["012834", "003418"] and a.frame_video.tolist() == [0, 0, 1]


@settings(max_examples=60, derandomize=True, deadline=None, database=None)
@given(seed=SEEDS, skeleton=st.sampled_from((POSETRACK18, COCO)))
def test_the_files_of_single_videos_put_together_give_every_column_to_the_last_bit(seed, skeleton):
    written = generated(seed, skeleton)
    written.box[(written.box == 0).all(axis=1)] = 1.0
    with tempfile.TemporaryDirectory() as folder:
        posetrack18.write_folder(written, folder)
        files = [json.loads(path.read_text()) for path in sorted(Path(folder).iterdir())]
    together = {
        key: [record for file in files for record in file[key]] for key in ("images", "annotations")
    }
    together["categories"] = files[0]["categories"]
    again = merged.parse(together, "all.json")
    assert differing_columns(again, written) == []


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"vid_id": 1.5}, r"images\[1\]: 'vid_id': found 1\.5, expected a text or a whole number"),
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
