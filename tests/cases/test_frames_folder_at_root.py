"""Folders of frames at short paths."""

from __future__ import annotations

from pathlib import Path

import cv2
import pytest

from tdmi.data.skeletons import POSETRACK18
from tdmi.experiments.demo import source
from tests.cases.conftest import smooth_picture


@pytest.mark.parametrize(
    ("folder", "files"),
    [("/frames", "frames/0.jpg"), ("/", "0.jpg"), ("/data/frames", "data/frames/0.jpg")],
)
def test_frames_are_found_below_the_root_of_the_file_system(monkeypatch, folder, files):
    monkeypatch.setattr(Path, "is_dir", lambda path: True)
    monkeypatch.setattr(Path, "iterdir", lambda path: iter([path / "0.jpg"]))
    monkeypatch.setattr(Path, "resolve", lambda path: path)
    monkeypatch.setattr(source, "picture_size", lambda path: (16, 12))
    found = source.open_source(Path(folder), POSETRACK18, reach=1)
    assert found.annotations.frame_file == [files]
    assert found.frames.root / files == Path(folder) / "0.jpg"


def test_a_relative_folder_has_its_real_name(demo, monkeypatch, tmp_path):
    (tmp_path / "frames").mkdir()
    cv2.imwrite(str(tmp_path / "frames" / "0.png"), smooth_picture())
    monkeypatch.chdir(tmp_path / "frames")
    assert demo(".", "--whole-frame") == 0
