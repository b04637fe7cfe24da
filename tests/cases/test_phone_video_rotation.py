"""Videos with a display matrix are upright, whatever OpenCV does by itself."""

from __future__ import annotations

import struct

import cv2
import numpy as np
import pytest

from tdmi.clips.video import VideoFrames
from tdmi.formats.posetrack18 import read_file
from tests.cases.conftest import CASES

PORTRAIT = CASES / "phone-video-rotation" / "portrait.mp4"
ONE = 1 << 16
# a, b, c, d of the matrix: where the axes of the stored picture point (ISO 14496-12, 8.3.2).
MATRICES = {
    0: (ONE, 0, 0, ONE), 90: (0, ONE, -ONE, 0), 180: (-ONE, 0, 0, -ONE), 270: (0, -ONE, ONE, 0),
}  # fmt: skip
TURNS = {0: 0, 90: -1, 180: 2, 270: 1}
"""Quarter turns counter-clockwise, as NumPy counts."""


class Turning:
    """A capture that turns by itself."""

    def __init__(self, *arguments, capture=cv2.VideoCapture):
        self.capture = capture(*arguments)
        self.capture.set(cv2.CAP_PROP_ORIENTATION_AUTO, 1)

    def set(self, *_):
        return False

    def __getattr__(self, name):
        return getattr(self.capture, name)


def rotated_copy(path, angle):
    """The video with another matrix in its track header."""
    data = bytearray(PORTRAIT.read_bytes())
    a, b, c, d = MATRICES[angle]
    place = data.index(b"tkhd") + 4 + 40
    data[place : place + 36] = struct.pack(">9i", a, b, 0, c, d, 0, 0, 0, 1 << 30)
    path.write_bytes(data)
    return path


@pytest.mark.parametrize("angle", MATRICES)
@pytest.mark.parametrize("automatic", [False, True])
def test_frames_are_turned_as_the_matrix_says(tmp_path, monkeypatch, angle, automatic):
    """`automatic`: OpenCV turns and cannot be told otherwise, as a stand-in for old versions."""
    stored = VideoFrames(rotated_copy(tmp_path / "stored.mp4", 0), keep=5).read("0.jpg")
    assert stored.shape == (120, 160, 3)
    path = rotated_copy(tmp_path / "turned.mp4", angle)
    if automatic:
        monkeypatch.setattr(cv2, "VideoCapture", Turning)
    frame = VideoFrames(path, keep=5).read("0.jpg")
    np.testing.assert_array_equal(frame, np.rot90(stored, TURNS[angle]))


def test_the_demo_states_the_upright_size(demo, tmp_path):
    assert demo(PORTRAIT, "--whole-frame") == 0
    people = read_file(tmp_path / "out" / "predictions.json")
    assert people.frame_size.tolist() == [[120, 160]] * 5
    assert cv2.imread(str(tmp_path / "out" / "poster.png")).shape == (640, 480, 3)


def test_frames_at_no_single_rate_are_said(demo, tmp_path, capsys):
    """Times between frames stand in ``stts``; the last of five become a quarter."""
    data = PORTRAIT.read_bytes()
    assert demo(PORTRAIT) == 0
    assert "do not come at one rate" not in capsys.readouterr().err
    place = data.index(b"stts") + 8
    entries, count, step = struct.unpack(">III", data[place : place + 12])
    assert (entries, count) == (1, 5)
    box = data.index(b"stts") - 4
    longer = data[box : box + 4] + b"stts" + bytes(4) + struct.pack(">5I", 2, 3, step, 2, step // 4)
    path = tmp_path / "uneven.mp4"
    path.write_bytes(inserted(data, box, longer))
    assert demo(path) == 0
    assert "uneven.mp4: its frames do not come at one rate" in capsys.readouterr().err


def inserted(data, place, longer):
    """The file with a box that is eight bytes longer, behind its frames, and those around it."""
    grown = bytearray(data[:place] + longer + data[place + 24 :])
    for kind in (b"moov", b"trak", b"mdia", b"minf", b"stbl", b"stts"):
        at = grown.index(kind) - 4
        grown[at : at + 4] = struct.pack(">I", struct.unpack(">I", grown[at : at + 4])[0] + 8)
    return bytes(grown)
