"""A picture is cut off if its data do not reach their end mark, whatever stands behind that."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image

from tdmi.clips.frames import read_frame
from tdmi.core.errors import UserError
from tdmi.datasets.public.check.images import inspect
from tests.cases.conftest import smooth_picture


def encoded(kind="JPEG", **options):
    buffer = io.BytesIO()
    Image.fromarray(smooth_picture()).save(buffer, kind, **options)
    return buffer.getvalue()


def with_thumbnail():
    """A JPEG whose EXIF data hold another whole JPEG, as cameras write them."""
    exif = Image.Exif()
    exif[0x010E] = "thumbnail"
    data = exif.tobytes() + encoded(quality=30)
    return encoded(exif=data)


PICTURES = {
    "baseline": encoded(),
    "progressive": encoded(progressive=True),
    "restarts": encoded(restart_marker_blocks=2),
    "thumbnail": with_thumbnail(),
    "png": encoded("PNG"),
}


def judge(path, data):
    path.write_bytes(data)
    return inspect(str(path)).kind, inspect(str(path), deep=True).kind


@pytest.mark.parametrize("kind", PICTURES)
@pytest.mark.parametrize("trailer", [b"", b"x" * 50, b"SEFT" * 50, bytes(4000), b"\xff\x00" * 9999])
def test_trailers_of_any_length_change_no_pixel(tmp_path, kind, trailer):
    path = tmp_path / "0.jpg"
    assert judge(path, PICTURES[kind] + trailer) == ("", "")
    with_trailer = read_frame(path)
    path.write_bytes(PICTURES[kind])
    np.testing.assert_array_equal(with_trailer, read_frame(path))


@pytest.mark.parametrize("kind", PICTURES)
@pytest.mark.parametrize("share", [0.5, 0.9, 0.98])
@pytest.mark.parametrize("padding", [0, 5000])
def test_files_that_are_cut_off_are_found_also_with_zeros_behind(tmp_path, kind, share, padding):
    """Interrupted copies may be filled up with zeros to the size that was stated."""
    data = PICTURES[kind]
    path = tmp_path / "0.jpg"
    for found in judge(path, data[: int(share * len(data))] + bytes(padding)):
        assert found in ("image-truncated", "image-unreadable")
    with pytest.raises(UserError, match=r"0\.jpg: found .*, expected a whole frame") as error:
        read_frame(path)
    assert "\n" not in str(error.value)
