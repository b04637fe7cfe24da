"""Every place that tells the size or the pixels of a frame means the upright picture."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image, ImageOps

from tdmi.clips.frames import picture_size, read_frame
from tdmi.datasets.public.check.images import inspect
from tdmi.formats.posetrack18 import read_file
from tests.cases.conftest import smooth_picture


def write(path, orientation):
    exif = Image.Exif()
    exif[0x0112] = orientation
    Image.fromarray(smooth_picture()).save(path, exif=exif, quality=95)


@pytest.mark.parametrize("suffix", [".jpg", ".png"])
@pytest.mark.parametrize("orientation", [0, 1, 2, 3, 4, 5, 6, 7, 8, 9])
def test_size_and_pixels_are_those_that_pillow_shows(tmp_path, orientation, suffix):
    path = tmp_path / f"0{suffix}"
    write(path, orientation)
    with Image.open(path) as picture:
        shown = np.asarray(ImageOps.exif_transpose(picture).convert("RGB")).astype(int)
    frame = read_frame(path).astype(int)
    assert frame.shape == shown.shape
    assert np.abs(frame - shown).mean() < 2  # two decoders
    assert picture_size(path) == (shown.shape[1], shown.shape[0])
    seen = inspect(str(path), deep=True)
    assert (seen.kind, seen.width, seen.height) == ("", shown.shape[1], shown.shape[0])


def test_damaged_orientation_is_left_aside(tmp_path):
    write(tmp_path / "0.jpg", 6)
    data = (tmp_path / "0.jpg").read_bytes()
    (tmp_path / "0.jpg").write_bytes(data.replace(b"Exif\0\0MM", b"Exif\0\0XX", 1))
    assert picture_size(tmp_path / "0.jpg") == (160, 120)
    assert read_frame(tmp_path / "0.jpg").shape == (120, 160, 3)


def test_the_demo_states_the_upright_size_in_file_box_and_overlay(demo, tmp_path):
    import cv2

    frames = tmp_path / "frames"
    frames.mkdir()
    for i in range(3):
        write(frames / f"{i}.jpg", 6)
    assert demo(frames, "--whole-frame") == 0
    people = read_file(tmp_path / "out" / "predictions.json")
    assert people.frame_size.tolist() == [[120, 160]] * 3
    assert people.box.tolist() == [[0, 0, 120, 160]] * 3
    overlay = cv2.VideoCapture(str(tmp_path / "out" / "overlay.mp4"))
    assert overlay.read()[1].shape == (640, 480, 3)
