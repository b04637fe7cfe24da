"""COCO keypoint files and detection lists: columns by hand, round trips, damaged files."""

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
from tdmi.data.detections import Detections, read_detections, write_detections
from tdmi.data.skeletons import COCO, HIEVE
from tdmi.formats.coco_keypoints import read_keypoints, write_keypoints
from tests.support.annotation_sets import assert_read_or_refused, differing_columns, generated
from tests.support.mutations import mutated_json
from tests.support.tiny_dataset import annotations as tiny

FUZZ = settings(max_examples=200, derandomize=True, deadline=None, database=None)
SEEDS = st.integers(0, 2**32 - 1)
DETECTIONS = [
    {"image_id": 10034180000 + k, "category_id": 1, "bbox": [k, 2, 3.5, 4], "score": 0.5}
    for k in range(3)
]


def keypoints() -> dict:
    """Three images; a person with a hidden joint, a crowd without joints, an empty image."""
    joints = [0, 0, 0] * 17
    joints[:9] = [10, 20, 2, 0, 5, 1, 7, 7, 0]
    common = {"category_id": 1, "num_keypoints": 2, "area": 321.5}
    return {
        "info": {"year": 2017},
        "licenses": [],
        "images": [
            {"id": image, "file_name": f"{image:012d}.jpg", "width": 640, "height": 480}
            for image in (139, 285, 632)
        ],
        "annotations": [
            common
            | {"id": 900100258219, "image_id": 285, "iscrowd": 1, "keypoints": [0] * 51}
            | {"segmentation": {"counts": [1, 2], "size": [480, 640]}, "bbox": [5, 6, 7, 8]},
            common
            | {"id": 183126, "image_id": 139, "iscrowd": 0, "keypoints": joints}
            | {"segmentation": [[1.5, 2, 3, 4, 5, 6]], "bbox": [1, 2, 3.25, 4]},
        ],
        "categories": [{"id": 1, "name": "person", "keypoints": list(COCO.joints)}],
    }


def read(content: object, tmp_path: Path, reader=read_keypoints):
    path = tmp_path / "file.json"
    path.write_text(json.dumps(content))
    return reader(path)


def test_keypoint_columns(tmp_path):
    a = read(keypoints(), tmp_path)
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
    a = read(keypoints(), tmp_path)
    assert a.video_names == ["000000000139", "000000000285", "000000000632"]
    assert a.frame_video.tolist() == [0, 1, 2] and a.frame_index.tolist() == [0, 0, 0]
    assert a.video_length.tolist() == [1, 1, 1]


@settings(max_examples=50, derandomize=True, deadline=None, database=None)
@given(seed=SEEDS, skeleton=st.sampled_from((COCO, HIEVE)))
def test_every_column_but_those_of_videos_comes_back(seed, skeleton):
    written = generated(seed, skeleton)
    written.area[:] = 2.0
    with tempfile.TemporaryDirectory() as folder:
        write_keypoints(written, Path(folder, "all.json"))
        again = read_keypoints(Path(folder, "all.json"))
        write_keypoints(again, Path(folder, "twice.json"))
        assert differing_columns(read_keypoints(Path(folder, "twice.json")), again) == []
    videos = {"video_names", "video_length", "frame_video", "frame_index"}
    assert set(differing_columns(again, written)) <= videos


def test_written_persons_have_what_cocos_tools_demand(tmp_path):
    both = concatenate([tiny("train", 1), tiny("val", 1)])
    both.frame_id[:] = 0
    both.visible[0, 0] = False
    write_keypoints(both, tmp_path / "all.json")
    content = json.loads((tmp_path / "all.json").read_text())
    assert [image["id"] for image in content["images"]] == [1, 2]
    for k, person in enumerate(content["annotations"]):
        width, height = both.box[k, 2:]
        assert person["area"] == width * height and person["num_keypoints"] == 15
        assert (person["id"], person["image_id"], person["iscrowd"]) == (k + 1, k + 1, 0)
        assert person["segmentation"] == []
    assert content["annotations"][0]["keypoints"][2::3] == [1, 2, 2, 0, 0] + [2] * 12


@pytest.mark.parametrize(
    ("joint", "flag", "message"),
    [
        (0, 3, r"image '000000000139\.jpg' has a joint with flag 3\.0, expected 0 \(absent\), 1"),
        (1, 0.5, r"flag 0\.5"),
        (2, float("nan"), r"flag nan"),
    ],
)
def test_other_flags_are_refused(joint, flag, message, tmp_path):
    content = keypoints()
    content["annotations"][1]["keypoints"][3 * joint + 2] = flag
    with pytest.raises(UserError, match=message):
        read(content, tmp_path)


def test_an_image_that_comes_twice_is_refused(tmp_path):
    content = keypoints()
    content["images"][2]["file_name"] = "000000000139.jpg"
    with pytest.raises(UserError, match=r"images\[2\] has the file name of images\[0\]"):
        read(content, tmp_path)
    with pytest.raises(UserError, match="has the file name of"):
        write_keypoints(replace(tiny("val", 2), frame_file=["a.jpg", "a.jpg"]), tmp_path / "a.json")


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
    assert_read_or_refused(read_keypoints, mutated_json(keypoints(), seed))


@FUZZ
@given(seed=SEEDS)
def test_damaged_detection_lists_are_read_or_refused_in_one_line(seed):
    assert_read_or_refused(read_detections, mutated_json(DETECTIONS, seed))
