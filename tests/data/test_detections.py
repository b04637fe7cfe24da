"""Detection lists: round trips, refusals, damaged files."""

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tdmi.core.errors import UserError
from tdmi.core.files import write_json
from tdmi.data.detections import Detections, read_detections, write_detections
from tests.support.annotation_sets import assert_read_or_refused
from tests.support.mutations import mutated_json

FUZZ = settings(max_examples=200, derandomize=True, deadline=None, database=None)
SEEDS = st.integers(0, 2**32 - 1)
DETECTIONS = [
    {"image_id": 10034180000 + k, "category_id": 1, "bbox": [k, 2, 3.5, 4], "score": 0.5}
    for k in range(3)
]


def read(content, tmp_path):
    path = tmp_path / "file.json"
    path.write_text(json.dumps(content))
    return read_detections(path)


def test_detections_round_trip(tmp_path):
    detections = Detections(
        image_id=np.array([10034180000, 3]),
        category_id=np.array([1, 1]),
        box=np.array([[-0.5, 1.25, 3, 4], [0.1, 0.2, 0.3, 0.4]]),
        score=np.array([0.9, 1 / 3]),
    )
    write_detections(detections, tmp_path / "boxes.json")
    again = read_detections(tmp_path / "boxes.json")
    for name, column in vars(detections).items():
        np.testing.assert_array_equal(getattr(again, name), column)
    write_json(tmp_path / "none.json", [])
    assert read_detections(tmp_path / "none.json").box.shape == (0, 4)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({"images": []}, "expected a list of detections"),
        ([{"image_id": 1, "bbox": [1, 2, 3], "score": 1}], "detection 0: bbox: found a list of 3"),
        ([{"image_id": 1, "bbox": [1, 2, 3, 4]}], "detection 0: score: found null"),
        ([{"image_id": "1.jpg"}], "'image_id' is '1.jpg', expected a whole number"),
    ],
)
def test_detection_refusals(content, message, tmp_path):
    write_json(tmp_path / "boxes.json", content)
    with pytest.raises(UserError, match=message):
        read_detections(tmp_path / "boxes.json")


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
        read(content, tmp_path)


def test_a_record_that_is_no_object_is_named(tmp_path):
    with pytest.raises(UserError, match=r"detection 1: found null, expected an object"):
        read([DETECTIONS[0], None], tmp_path)


def test_detections_that_are_not_finite_are_not_written(tmp_path):
    one = np.ones(2, np.int64)
    found = Detections(one, one, np.ones((2, 4)), np.array([0.5, np.nan]))
    with pytest.raises(UserError, match=r"detection 1 \(image 1\) has a box or score that is not"):
        write_detections(found, tmp_path / "boxes.json")
    assert not list(tmp_path.iterdir())


@FUZZ
@given(seed=SEEDS)
def test_damaged_detection_lists_are_read_or_refused_in_one_line(seed):
    assert_read_or_refused(read_detections, mutated_json(DETECTIONS, seed))
