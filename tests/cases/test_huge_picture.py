"""Pictures above the limits of Pillow and OpenCV: a size from the header, one line, or a result."""

from __future__ import annotations

import struct
import zlib

import numpy as np
import pytest

from tdmi.clips.frames import picture_size, read_frame
from tdmi.core.errors import UserError
from tdmi.datasets.public.check.images import inspect
from tdmi.experiments.demo.overlay import overlay_size


def write_png(path, width, height, rows=1):
    """A PNG whose header states a size; its data hold only the first rows."""

    def chunk(kind, data):
        check = struct.pack(">I", zlib.crc32(kind + data))
        return struct.pack(">I", len(data)) + kind + data + check

    header = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0))
    data = chunk(b"IDAT", zlib.compress(bytes((width + 1) * rows)))
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + header + data + chunk(b"IEND", b""))


def test_size_of_400_megapixels_is_read_and_the_check_finds_nothing(tmp_path):
    path = tmp_path / "0.png"
    write_png(path, 26753, 15052)
    assert picture_size(path) == (26753, 15052)
    seen = inspect(str(path))
    assert (seen.kind, seen.width, seen.height) == ("", 26753, 15052)


@pytest.mark.parametrize("size", [(32767, 8), (8, 32767), (200_000, 200_000)])
def test_a_picture_too_long_for_crops_is_refused_in_one_line(tmp_path, size):
    path = tmp_path / "0.png"
    write_png(path, *size)
    for look in (picture_size, read_frame):
        with pytest.raises(UserError, match=rf"{size[0]}x{size[1]} pixels, expected at most 32766"):
            look(path)


def test_a_picture_above_pillows_warning_limit_is_decoded(tmp_path):
    path = tmp_path / "0.png"
    write_png(path, 32766, 6000, rows=6000)  # 197 megapixels
    assert read_frame(path).shape == (6000, 32766, 3)


@pytest.mark.parametrize(
    ("size", "expected"),
    [
        ((160, 120), (640, 480)), ((480, 640), (480, 640)), ((1920, 1080), (1920, 1080)),
        ((26753, 15052), (4096, 2305)), ((15052, 26753), (2305, 4096)), ((3000, 20), (3000, 20)),
        ((4096, 1), (4096, 1)), ((30000, 2), (4096, 1)),
    ],
)  # fmt: skip
def test_the_overlay_is_small_enough_for_its_codec(size, expected):
    factor, shown = overlay_size(size)
    assert shown == expected
    np.testing.assert_allclose(factor, max(shown) / max(size))
