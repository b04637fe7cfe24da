"""Names that FFmpeg would take for protocols, lists or patterns."""

from __future__ import annotations

import shutil

import pytest

from tdmi.formats.posetrack18 import read_file
from tests.cases.conftest import CASES

NAMES = [
    "cam:1.mp4", "2024-05-01 10:20:30.mp4", "rtsp:cam.mp4", "file:x.mp4", "concat:a|b.mp4",
    "%03d.mp4",
]  # fmt: skip


@pytest.mark.parametrize("name", NAMES)
def test_a_relative_name_is_the_name_of_a_file(demo, tmp_path, monkeypatch, name):
    shutil.copy(CASES / "boxes-category-zero" / "clip.mp4", tmp_path / name)
    monkeypatch.chdir(tmp_path)
    assert demo(name, "--whole-frame") == 0
    assert read_file(tmp_path / "out" / "predictions.json").frames == 5
