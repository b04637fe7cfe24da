"""What cannot be written is refused before the first frame is looked at, and nothing is lost."""

from __future__ import annotations

import os
import shutil

import pytest

from tdmi.core.errors import UserError
from tdmi.core.files import check_writable
from tdmi.formats.posetrack18 import read_file
from tests.cases.conftest import CASES

CLIP = CASES / "boxes-category-zero" / "clip.mp4"


@pytest.mark.parametrize("name", [".clip.mp4", f"{'n' * 240}.mp4", "..a.mp4", "clip"])
def test_any_name_of_a_video_will_do(demo, tmp_path, name):
    shutil.copy(CLIP, tmp_path / name)
    assert demo(tmp_path / name, "--whole-frame") == 0
    out = tmp_path / "out"
    assert read_file(out / "predictions.json").frames == 5
    assert sorted(os.listdir(out)) == ["overlay.mp4", "poster.png", "predictions.json"]


@pytest.mark.parametrize("case", ["file", "below a file", "long", "long below", "folder as file"])
def test_a_place_that_cannot_be_written_is_refused_first(demo, tmp_path, monkeypatch, capsys, case):
    (tmp_path / "file").write_text("mine")
    out = {
        "file": tmp_path / "file",
        "below a file": tmp_path / "file" / "out",
        "long": tmp_path / ("n" * 250),
        "long below": tmp_path / ("n" * 256) / "out",
        "folder as file": tmp_path / "out",
    }[case]
    if case == "folder as file":
        (out / "overlay.mp4").mkdir(parents=True)
    before = sorted(tmp_path.rglob("*"))
    monkeypatch.setattr("tdmi.experiments.demo.demo.open_source", None)
    assert demo(CLIP, "--whole-frame", out=out) == 2
    line = capsys.readouterr().err.strip()
    assert line.startswith("tdmi demo: ") and "--out" in line and "\n" not in line
    assert sorted(tmp_path.rglob("*")) == before
    assert (tmp_path / "file").read_text() == "mine"


def test_a_folder_without_permission_is_refused(tmp_path, monkeypatch):
    """Made up, because an administrator may write anywhere."""

    def refuse(**_):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("tempfile.NamedTemporaryFile", refuse)
    with pytest.raises(UserError, match=r"x\.json: --out cannot be written in .*Permission denied"):
        check_writable(tmp_path / "x.json", "--out")


def test_the_demo_does_not_write_over_its_input(demo, tmp_path, capsys):
    out = tmp_path / "out"
    out.mkdir()
    shutil.copy(CLIP, out / "overlay.mp4")
    for video in (out / "overlay.mp4", out):
        assert demo(video, "--whole-frame") == 2
        assert "expected another folder" in capsys.readouterr().err
    assert (out / "overlay.mp4").read_bytes() == CLIP.read_bytes()
    assert os.listdir(out) == ["overlay.mp4"]
