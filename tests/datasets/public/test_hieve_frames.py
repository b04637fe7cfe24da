"""Frames of HiEve's videos: written once and whole, counted against the labels."""

import cv2
import numpy as np
import pytest

from tdmi.core.errors import UserError
from tdmi.core.files import write_json
from tdmi.datasets.public.hieve_frames import extract_frames
from tests.support.hieve_samples import labels, one_line


def video(path, frames: int = 12) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter_fourcc(*"mp4v"), 25, (64, 48))
    for k in range(frames):
        writer.write(np.full((48, 64, 3), 20 * k, np.uint8))
    writer.release()


def test_frames_are_written_once_and_whole(tmp_path):
    video(tmp_path / "HIE20/videos/train/4.mp4")
    video(tmp_path / "HIE20/videos/20.MP4", frames=3)
    assert extract_frames(tmp_path, ["4", "20"]) == []
    names = sorted(p.name for p in (tmp_path / "images/4").iterdir())
    assert names == [f"{k:06d}.jpg" for k in range(12)]
    assert len(list((tmp_path / "images/20").iterdir())) == 3
    grey = [cv2.imread(str(tmp_path / f"images/4/{k:06d}.jpg")).mean() for k in (0, 5, 10)]
    np.testing.assert_allclose(grey, [0, 100, 200], atol=4)
    before = (tmp_path / "images/4/000000.jpg").stat().st_mtime_ns
    (tmp_path / "HIE20/videos/train/4.mp4").unlink()
    extract_frames(tmp_path, ["4"])
    assert (tmp_path / "images/4/000000.jpg").stat().st_mtime_ns == before


@pytest.mark.parametrize("kind", ["missing", "no video", "cut off"])
def test_an_unreadable_video_leaves_no_frames(tmp_path, kind):
    path = tmp_path / "HIE20/videos/test/20.mp4"
    path.parent.mkdir(parents=True)
    if kind == "no video":
        path.write_bytes(b"nothing of a video")
    if kind == "cut off":
        video(tmp_path / "whole.mp4", 40)
        data = (tmp_path / "whole.mp4").read_bytes()
        path.write_bytes(data[: len(data) // 2])
    with pytest.raises(UserError) as error:
        extract_frames(tmp_path, ["20"])
    assert one_line(error, "20.mp4")
    assert [p.name for p in (tmp_path / "images").iterdir() if p.is_dir()] == []


def test_frames_are_counted_against_the_labels(tmp_path):
    write_json(tmp_path / "HIE20/labels/train/track2&3/4.json", labels())  # needs 13 frames
    video(tmp_path / "HIE20/videos/train/4.mp4", 12)
    with pytest.raises(UserError, match="12 frames, expected 13"):
        extract_frames(tmp_path, ["4"])
    assert not (tmp_path / "images/4").exists()
    video(tmp_path / "HIE20/videos/train/4.mp4", 15)
    notes = extract_frames(tmp_path, ["4"])
    assert notes == ["video 4: 15 frames, labels name the first 13"]
