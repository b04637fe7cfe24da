"""Frames as they come: which files are frames, whether one is whole, its size, its pixels.

Readers, checks, `tdmi data prepare` and the demo all ask here, so that they agree. A frame is
upright everywhere: size and pixels are those after EXIF orientation, in data sets as well. That is
a choice of this project: the code of HRNet and DCPose ignores orientation, and frames of the public
data sets have none.
"""

from __future__ import annotations

import io
import mmap
import re
from collections import OrderedDict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, Protocol

import cv2
import numpy as np
import torch
from PIL import ExifTags, Image

from tdmi.core.errors import UserError

PICTURES = (".jpg", ".jpeg", ".png")
LONGEST_SIDE = 32_766
"""Pixels; OpenCV cuts no crop from a larger picture."""
Image.MAX_IMAGE_PIXELS = None  # Pillow reads headers here, and `LONGEST_SIDE` is the limit
_MARKER = re.compile(rb"\xff+([^\x00\xff\xd0-\xd7])")  # of a JPEG, without stuffing and restarts
_END, _BEGIN, _SCAN = 0xD9, 0xD8, 0xDA


def is_frame(name: str) -> bool:
    """Return whether a file of this name is a frame: a picture, and not hidden.

    macOS puts a hidden ``._NAME`` beside every file on network and exFAT drives.
    """
    return not name.startswith(".") and name.lower().endswith(PICTURES)


def is_cut(data: bytes | mmap.mmap) -> bool:
    """Return whether a JPEG or PNG ends before its end mark. Bytes after the mark are no fault.

    Phones and cameras write such trailers. Marks in embedded thumbnails do not count.
    """
    if data[:2] == b"\xff\xd8":
        return not _jpeg_ends(data)
    if data[:8] == b"\x89PNG\r\n\x1a\n":
        at = 8
        while kind := data[at + 4 : at + 8]:
            if kind == b"IEND":
                return False
            at += 12 + int.from_bytes(data[at : at + 4], "big")
        return True
    return False


def _jpeg_ends(data: bytes | mmap.mmap) -> bool:
    at = 2
    while found := _MARKER.search(data, at):
        marker, at = found[1][0], found.end()
        if marker in (_END, _BEGIN):
            return marker == _END
        if marker == _SCAN and data[-2:] == b"\xff\xd9":
            return True  # without a look at all data: no scan ends like that when it is cut
        at += int.from_bytes(data[at : at + 2], "big")
    return False


def upright_size(stream: BinaryIO) -> tuple[int, int, int]:
    """Width and height in pixels of the upright picture, and its EXIF orientation (1 to 8).

    Only the header is read. Raises whatever Pillow raises for files that are no pictures.
    """
    with Image.open(stream) as picture:
        width, height = picture.size
        try:
            # Not the method of PNG, which decodes the picture first.
            found = Image.Image.getexif(picture).get(ExifTags.Base.Orientation)
        except Exception:
            found = None  # damaged EXIF data, which viewers leave aside
    orientation = found if isinstance(found, int) and 1 <= found <= 8 else 1
    return (height, width, orientation) if orientation >= 5 else (width, height, orientation)


def picture_size(path: Path) -> tuple[int, int]:
    """Width and height in pixels of a frame; UserError as `read_frame`, but for damage inside."""
    with _naming(path), path.open("rb") as stream:
        width, height, _ = upright_size(stream)
    _check_side(path, width, height)
    return width, height


def read_frame(path: Path) -> np.ndarray:
    """Read a frame, [H, W, 3] uint8 RGB, upright.

    UserError names a file that is missing, truncated, no picture, or too large.
    """
    with _naming(path):
        data = path.read_bytes()
        # OpenCV fills the rest of a truncated JPEG with grey and only warns.
        if is_cut(data):
            raise UserError(f"found a truncated picture of {len(data)} bytes")
        width, height, orientation = upright_size(io.BytesIO(data))
    _check_side(path, width, height)
    with _naming(path):
        flags = cv2.IMREAD_COLOR | cv2.IMREAD_IGNORE_ORIENTATION
        image = cv2.imdecode(np.frombuffer(data, np.uint8), flags)
        if image is None:
            raise UserError(f"found no readable picture of {len(data)} bytes")
    return cv2.cvtColor(_rotated(image, orientation), cv2.COLOR_BGR2RGB)


def _rotated(image: np.ndarray, orientation: int) -> np.ndarray:
    """Turn a stored picture upright; the numbers are those of EXIF."""
    if orientation >= 5:
        image = image.swapaxes(0, 1)
    down, across = orientation in (3, 4, 7, 8), orientation in (2, 3, 6, 7)
    return np.ascontiguousarray(image[:: -1 if down else 1, :: -1 if across else 1])


@contextmanager
def _naming(path: Path) -> Iterator[None]:
    """Turn whatever decoders raise into one line; they raise errors of many types."""
    advice = "restore it, or fetch or generate the data set again"
    try:
        yield
    except FileNotFoundError:
        raise UserError(f"{path}: no such frame; {advice}") from None
    except UserError as error:
        raise UserError(f"{path}: {error}, expected a whole frame; {advice}") from None
    except Exception as error:
        if isinstance(error, OSError) and error.strerror:
            found = f"cannot be read ({error.strerror})"
        else:
            found = f"found no readable picture of {path.stat().st_size} bytes"
        raise UserError(f"{path}: {found}, expected a whole frame; {advice}") from None


def _check_side(path: Path, width: int, height: int) -> None:
    if max(width, height) > LONGEST_SIDE:
        raise UserError(
            f"{path}: found {width}x{height} pixels, expected at most {LONGEST_SIDE} a side, which "
            "is the most that OpenCV crops; make the pictures smaller, or cut them into parts"
        )


class FrameReader(Protocol):
    """A source of frames by name: a folder (`FrameStore`) or a video (`video.VideoFrames`)."""

    def read(self, file: str) -> np.ndarray:
        """Read a frame [H, W, 3] uint8 RGB; do not write to it."""
        ...


class FrameCue(Protocol):
    """An auxiliary input of a method, cut from whole frames beside the crops."""

    def cut(
        self,
        store: FrameReader,
        key: str,
        files: Sequence[str],
        matrix: np.ndarray,
        size: tuple[int, int],
    ) -> np.ndarray:
        """[T, C, h, w] for the frames `files` of the window whose key frame is `key`, as names in
        `store`; `matrix` [2, 3] and `size` (height, width) are those of the crops."""
        ...

    def mirrored(self, cue: torch.Tensor) -> torch.Tensor:
        """The tensor [..., C, h, w] for the mirrored crops."""
        ...


class FrameStore:
    """Frames by path relative to a root, in a cache bounded in bytes (least recently used out)."""

    def __init__(self, root: Path | str, cache_bytes: int = 1_000_000_000) -> None:
        self.root = Path(root)
        self.cache_bytes = cache_bytes
        self._frames: OrderedDict[str, np.ndarray] = OrderedDict()
        self._bytes = 0

    def read(self, file: str) -> np.ndarray:
        """Read a frame [H, W, 3] uint8 RGB; do not write to it."""
        if file in self._frames:
            self._frames.move_to_end(file)
            return self._frames[file]
        frame = read_frame(self.root / file)
        self._frames[file] = frame
        self._bytes += frame.nbytes
        while self._bytes > self.cache_bytes and len(self._frames) > 1:
            _, old = self._frames.popitem(last=False)
            self._bytes -= old.nbytes
        return frame
