"""Hidden files beside frames are no frames, in the demo, in preparation and in the check."""

from __future__ import annotations

import cv2

from tdmi.datasets.public.check.images import inspect_tree
from tdmi.datasets.public.prepare import prepare
from tdmi.formats.posetrack18 import read_file
from tests.cases.conftest import smooth_picture
from tests.support import check_trees

COMPANION = b"\x00\x05\x16\x07\x00\x02\x00\x00Mac OS X        " + bytes(60)


def add_companions(folder):
    for path in list(folder.rglob("*.*")):
        if path.is_file():
            path.with_name(f"._{path.name}").write_bytes(COMPANION)


def test_the_demo_leaves_companions_out(demo, tmp_path):
    frames = tmp_path / "frames"
    frames.mkdir()
    for i in range(3):
        cv2.imwrite(str(frames / f"{i:06d}.jpg"), smooth_picture())
    add_companions(frames)
    assert demo(frames, "--whole-frame") == 0
    assert read_file(tmp_path / "out" / "predictions.json").frames == 3


def test_preparation_and_check_count_the_same_with_companions(tmp_path):
    check_trees.posetrack18_tree(tmp_path)
    without = prepare("posetrack18", tmp_path, detected_boxes=False)
    seen = inspect_tree(tmp_path, False)
    add_companions(tmp_path / "images")
    assert prepare("posetrack18", tmp_path, detected_boxes=False) == without
    assert inspect_tree(tmp_path, False) == seen
