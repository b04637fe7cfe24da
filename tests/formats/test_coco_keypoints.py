"""COCO keypoint files: columns by hand, damaged files."""

import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tdmi.core.errors import UserError
from tdmi.core.files import read_json
from tdmi.data.skeletons import COCO
from tdmi.formats import merged
from tests.support.annotation_sets import assert_read_or_refused
from tests.support.label_samples import coco_keypoints
from tests.support.mutations import mutated_json

FUZZ = settings(max_examples=200, derandomize=True, deadline=None, database=None)
SEEDS = st.integers(0, 2**32 - 1)


def read_keypoints(path: Path):
    return merged.parse_stills(read_json(path), path)


def read(content: object, tmp_path: Path):
    path = tmp_path / "file.json"
    path.write_text(json.dumps(content))
    return read_keypoints(path)


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
        (
            0,
            3,
            r"'000000000139\.jpg': found a joint with flag 3\.0, expected 0 \(absent\), 1",
        ),
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


@FUZZ
@given(seed=SEEDS)
def test_damaged_keypoint_files_are_read_or_refused_in_one_line(seed):
    assert_read_or_refused(read_keypoints, mutated_json(coco_keypoints(), seed))
