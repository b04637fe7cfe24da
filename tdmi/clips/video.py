"""Frames of a video file, decoded as they are needed."""

from __future__ import annotations

import os
from collections import OrderedDict
from pathlib import Path

# FFmpeg's own messages tell a user nothing that our errors do not; read when OpenCV first uses it.
os.environ.setdefault("OPENCV_FFMPEG_LOGLEVEL", "-8")

import cv2
import numpy as np

from tdmi.core.errors import UserError

_ERRORS_ONLY = 2  # OpenCV's level that leaves out its warning about every file it cannot read
_TURNS = {
    90: cv2.ROTATE_90_CLOCKWISE, 180: cv2.ROTATE_180, 270: cv2.ROTATE_90_COUNTERCLOCKWISE,
}  # fmt: skip
"""Turned here, because OpenCV's own turning is on or off by its version (its issue 26795)."""
UNEVEN = 0.2
"""Share of the usual step between frames by which steps may differ in a video of one rate."""


class VideoFrames:
    """Read upright frames like `FrameStore`, by names whose stem is the frame's number (from 0).

    Decoding goes forwards; the last `keep` frames stay in memory, and an older one is found by
    starting again (seeking is not exact in all containers).
    """

    def __init__(self, path: Path, keep: int) -> None:
        self.path = path
        self.keep = keep
        self._capture = open_video(path)
        self._next = 0
        self._frames: OrderedDict[int, np.ndarray] = OrderedDict()

    def read(self, file: str) -> np.ndarray:
        """Read a frame [H, W, 3] uint8 RGB; do not write to it."""
        number = int(Path(file).stem)
        if number < self._next and number not in self._frames:
            self._capture = open_video(self.path)
            self._next = 0
            self._frames.clear()
        while self._next <= number:
            # Frames that nobody will ask for are not converted.
            wanted = self._next > number - self.keep
            if not (self._capture.grab() if not wanted else self._decode()):
                raise UserError(
                    f"{self.path}: frame {self._next} cannot be decoded, though it could be "
                    "before; is the file being changed?"
                )
            self._next += 1
        return self._frames[number]

    def _decode(self) -> bool:
        success, frame = self._capture.read()
        if success:
            turn = _TURNS.get(_quarter_turn(self._capture))
            frame = frame if turn is None else cv2.rotate(frame, turn)
            self._frames[self._next] = cv2.cvtColor(frame, cv2.COLOR_BGR2RGB)
            if len(self._frames) > self.keep:
                self._frames.popitem(last=False)
        return success


def open_video(path: Path) -> cv2.VideoCapture:
    """Open a video whose frames are read as they are stored; `VideoFrames` turns them upright."""
    if not path.is_file():
        raise UserError(f"{path}: no such video")
    level = cv2.setLogLevel(_ERRORS_ONLY)
    # FFmpeg takes what stands before a colon in a relative path for a protocol.
    capture = cv2.VideoCapture(str(path.absolute()), cv2.CAP_FFMPEG)
    capture.set(cv2.CAP_PROP_ORIENTATION_AUTO, 0)
    cv2.setLogLevel(level)
    if not capture.isOpened():
        raise UserError(
            f"{path}: not a video that OpenCV can read; convert it, for example to MP4 with H.264"
        )
    return capture


def _quarter_turn(capture: cv2.VideoCapture) -> int:
    """Degrees, clockwise, that the file's display matrix asks for; 0 if OpenCV turns by itself."""
    if capture.get(cv2.CAP_PROP_ORIENTATION_AUTO):
        return 0
    return round(capture.get(cv2.CAP_PROP_ORIENTATION_META)) % 360


def count_frames(path: Path, limit: int | None = None) -> tuple[int, int, bool]:
    """Frames that can be decoded, at most `limit`; as many as the header states; even times or not.

    The header's number is an estimate in some containers, and too high if the file was cut off.
    """
    capture = open_video(path)
    stated = max(0, int(capture.get(cv2.CAP_PROP_FRAME_COUNT)))
    times: list[float] = []
    while (limit is None or len(times) < limit) and capture.grab():
        times.append(capture.get(cv2.CAP_PROP_POS_MSEC))
    steps = np.diff(times)
    # Times are rounded to the clock of the file, often milliseconds.
    even = len(steps) < 2 or float(np.ptp(steps)) <= max(2.0, UNEVEN * float(np.median(steps)))
    return len(times), stated if limit is None else min(stated, limit), even


def frames_per_second(path: Path) -> float:
    """As the header states it; 25 if it states nothing sensible."""
    rate = open_video(path).get(cv2.CAP_PROP_FPS)
    return rate if 0 < rate <= 1000 else 25.0
