"""Decoded frames of a data set, each read once while memory allows."""

from __future__ import annotations

from collections import OrderedDict
from pathlib import Path

import cv2
import numpy as np

from tdmi.core.errors import UserError

REDUCTIONS = {
    1: cv2.IMREAD_COLOR,
    2: cv2.IMREAD_REDUCED_COLOR_2,
    4: cv2.IMREAD_REDUCED_COLOR_4,
    8: cv2.IMREAD_REDUCED_COLOR_8,
}
"""How many times smaller than its file a frame can be read. From a JPEG that is faster and keeps
the mean over the pixels that become one; other formats are read whole and then made smaller."""


def read_frame(path: Path, reduction: int = 1) -> np.ndarray:
    """One frame, [H, W, 3] uint8 RGB. A missing or truncated file is refused by name.

    Args:
        reduction: one of `REDUCTIONS`; sides are divided by it and rounded up.
    """
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        raise UserError(f"{path}: no such frame; fetch or generate the data set again") from None
    # OpenCV fills the rest of a truncated JPEG with grey and only warns.
    truncated = data[:2] == b"\xff\xd8" and b"\xff\xd9" not in data[-64:]
    image = None
    if data and not truncated:
        image = cv2.imdecode(np.frombuffer(data, np.uint8), REDUCTIONS[reduction])
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
        self._frames: OrderedDict[tuple[str, int], np.ndarray] = OrderedDict()
        self._bytes = 0

    def read(self, file: str, reduction: int = 1) -> np.ndarray:
        """Frame [H, W, 3] uint8 RGB, sides divided by `reduction` (see `read_frame`).

        Do not write to it.
        """
        name = (file, reduction)
        if name in self._frames:
            self._frames.move_to_end(name)
            return self._frames[name]
        frame = read_frame(self.root / file, reduction)
        self._frames[name] = frame
        self._bytes += frame.nbytes
        while self._bytes > self.cache_bytes and len(self._frames) > 1:
            _, old = self._frames.popitem(last=False)
            self._bytes -= old.nbytes
        return frame
