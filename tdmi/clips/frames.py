"""Decoded frames of a data set, each read once while memory allows."""

from __future__ import annotations

from collections import OrderedDict
from pathlib import Path

import cv2
import numpy as np

from tdmi.core.errors import UserError


def read_frame(path: Path) -> np.ndarray:
    """Read a frame, [H, W, 3] uint8 RGB; UserError names a missing or truncated file."""
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        raise UserError(f"{path}: no such frame; fetch or generate the data set again") from None
    # OpenCV fills the rest of a truncated JPEG with grey and only warns.
    truncated = data[:2] == b"\xff\xd8" and b"\xff\xd9" not in data[-64:]
    image = None
    if data and not truncated:
        image = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)
    if image is None:
        found = "a truncated JPEG" if truncated else "no readable picture"
        raise UserError(
            f"{path}: found {found} of {len(data)} bytes, expected a whole frame; "
            "delete it and fetch or generate the data set again"
        )
    return cv2.cvtColor(image, cv2.COLOR_BGR2RGB)


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
