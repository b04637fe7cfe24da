"""COCO keypoint files and detection lists: columns by hand, damaged files."""

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tdmi.core.errors import UserError
from tdmi.core.files import read_json
from tdmi.data.detections import Detections, read_detections, write_detections
from tdmi.data.skeletons import COCO
from tdmi.formats import coco_keypoints as form
from tests.support.annotation_sets import assert_read_or_refused
from tests.support.label_samples import coco_keypoints
from tests.support.mutations import mutated_json

FUZZ = settings(max_examples=200, derandomize=True, deadline=None, database=None)
SEEDS = st.integers(0, 2**32 - 1)
DETECTIONS = [
    {"image_id": 10034180000 + k, "category_id": 1, "bbox": [k, 2, 3.5, 4], "score": 0.5}
    for k in range(3)
]


def read_keypoints(path: Path):
    return form.parse(read_json(path), path)


def read(content: object, tmp_path: Path, reader=read_keypoints):
    path = tmp_path / "file.json"
    path.write_text(json.dumps(content))
    return reader(path)


def test_keypoint_columns(tmp_path):
    a = read(coco_keypoints(), tmp_path)
    assert a.skeleton == COCO
    assert a.frame_id.tolist() == a.frame_number.tolist() == [139, 285, 632]
    assert a.person_frame.tolist() == [0, 1] and a.crowd.tolist() == [False, True]
    assert a.present[0, :4].tolist() == [True, True, False, False]
    assert a.visible[0, :4].tolist() == [True, False, False, False]
    assert a.keypoints[0, :3].tolist() == [[10, 20], [0, 5], [0, 0]]
    assert not a.present[1].any()
    assert a.box.tolist() == [[1, 2, 3.25, 4], [5, 6, 7, 8]] and a.area.tolist() == [321.5] * 2
    assert a.frame_size.tolist() == [[640, 480]] * 3
    assert a.frame_annotated.tolist() == [True, True, False] and a.frame_labelled.all()


def test_no_image_is_the_neighbour_of_another(tmp_path):
    a = read(coco_keypoints(), tmp_path)
    assert a.video_names == ["000000000139", "000000000285", "000000000632"]
    assert a.frame_video.tolist() == [0, 1, 2] and a.frame_index.tolist() == [0, 0, 0]
    assert a.video_length.tolist() == [1, 1, 1]


@pytest.mark.parametrize(
    ("joint", "flag", "message"),
    [
        (0, 3, r"image '000000000139\.jpg' has a joint with flag 3\.0, expected 0 \(absent\), 1"),
        (1, 0.5, r"flag 0\.5"),
        (2, float("nan"), r"flag nan"),
    ],
)
def test_other_flags_are_refused(joint, flag, message, tmp_path):
    content = coco_keypoints()
    content["annotations"][1]["keypoints"][3 * joint + 2] = flag
    with pytest.raises(UserError, match=message):
        read(content, tmp_path)


def test_an_image_that_comes_twice_is_refused(tmp_path):
    content = coco_keypoints()
    content["images"][2]["file_name"] = "000000000139.jpg"
    with pytest.raises(UserError, match=r"images\[2\] has the file name of images\[0\]"):
        read(content, tmp_path)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"image_id": 10**40}, r"detection 1: 'image_id' is 1e\+40, expected a whole number"),
        ({"category_id": "person"}, r"detection 1: 'category_id' is 'person'"),
        ({"bbox": [1, 2, 3, "4"]}, r"detection 1: bbox: found '4' among the numbers"),
        ({"score": True}, r"detection 1: score: found True, expected a number"),
    ],
)
def test_wrong_detections_are_named_in_one_line(change, message, tmp_path):
    content = [dict(record) for record in DETECTIONS]
    content[1] |= change
    with pytest.raises(UserError, match=message):
        read(content, tmp_path, read_detections)


def test_a_record_that_is_no_object_is_named(tmp_path):
    with pytest.raises(UserError, match=r"detection 1: found null, expected an object"):
        read([DETECTIONS[0], None], tmp_path, read_detections)


def test_detections_that_are_not_finite_are_not_written(tmp_path):
    one = np.ones(2, np.int64)
    found = Detections(one, one, np.ones((2, 4)), np.array([0.5, np.nan]))
    with pytest.raises(UserError, match=r"detection 1 \(image 1\) has a box or score that is not"):
        write_detections(found, tmp_path / "boxes.json")
    assert not list(tmp_path.iterdir())


@FUZZ
@given(seed=SEEDS)
def test_damaged_keypoint_files_are_read_or_refused_in_one_line(seed):
    assert_read_or_refused(read_keypoints, mutated_json(coco_keypoints(), seed))


@FUZZ
@given(seed=SEEDS)
def test_damaged_detection_lists_are_read_or_refused_in_one_line(seed):
    assert_read_or_refused(read_detections, mutated_json(DETECTIONS, seed))
