"""Boxes that nothing is predicted in are counted with the reason, or the file is refused."""

from __future__ import annotations

import numpy as np
import pytest

from tdmi.core.errors import UserError
from tdmi.core.files import read_json, write_json
from tdmi.data.detections import Detections, read_detections
from tdmi.formats.posetrack18 import read_file
from tdmi.formats.precomputed_boxes import read_boxes
from tests.cases.conftest import CASES
from tests.support import tiny_dataset

FOLDER = CASES / "boxes-category-zero"
GOOD = {"image_id": 0, "category_id": 1, "bbox": [10, 10, 50, 90], "score": 0.9}


def boxes_of(tmp_path, *changes):
    write_json(tmp_path / "boxes.json", [GOOD | change for change in changes])
    return tmp_path / "boxes.json"


def test_a_file_of_category_zero_is_refused_by_its_category(demo, tmp_path, capsys):
    assert demo(FOLDER / "clip.mp4", "--boxes", str(FOLDER / "boxes.json")) == 2
    line = capsys.readouterr().err.strip()
    assert "boxes.json: 5 of 5 boxes have category_id 0, expected 1, the person" in line
    assert "\n" not in line
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ([{"category_id": 17}] * 2, "2 of 2 boxes have category_id 17, expected 1"),
        ([{"category_id": 0}, {"category_id": 2}], "2 of 2 boxes have category_id 0, 2, expected"),
        ([{}, {"score": 90}, {"score": 80}], "box 1 and 1 more: score 90, expected 0 to 1; divide"),
        ([{"score": 17.5}], "box 0 and 0 more: score 17.5, expected 0 to 1"),
        ([{"bbox": [0.1, 0.2, 0.3, 0.5]}] * 3, "shares of the picture, expected x, y, width and"),
    ],
)
def test_a_file_that_means_something_else_is_refused_by_every_reader(tmp_path, changes, words):
    path = boxes_of(tmp_path, *changes)
    labels = tiny_dataset.annotations("test")
    ids = labels.frame_id[0]
    write_json(path, [record | {"image_id": int(ids)} for record in read_json(path)])
    for read in (read_detections, lambda path: read_boxes(path, labels)):
        with pytest.raises(UserError, match=r"boxes\.json: ") as error:
            read(path)
        assert words in str(error.value)


def test_boxes_left_out_are_counted_by_their_reasons(demo, tmp_path, capsys):
    path = boxes_of(
        tmp_path, {}, {"category_id": 3}, {"bbox": [5, 5, 0, 9]}, {"bbox": [5, 5, 9, -1]},
        {"bbox": [160, 5, 9, 9]}, {"bbox": [-20, 5, 20, 9]}, {"bbox": [-20, 5, 21, 9]},
        {"score": 0.4},
    )  # fmt: skip
    assert demo(FOLDER / "clip.mp4", "--boxes", str(path)) == 0
    assert (
        "6 of 8 detected boxes left out: 1 of another category than 1, the person, 2 without width "
        "or height, 2 outside the picture, 1 with a score below 0.5"
    ) in capsys.readouterr().err
    assert read_file(tmp_path / "out" / "predictions.json").persons == 2


def test_no_box_at_all_is_no_fault(tmp_path):
    write_json(tmp_path / "boxes.json", [])
    assert isinstance(read_detections(tmp_path / "boxes.json"), Detections)
    assert np.size(read_detections(tmp_path / "boxes.json").score) == 0
