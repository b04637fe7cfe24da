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


class VideoFrames:
    """Read frames like `FrameStore`, by names whose stem is the frame's number (from 0).

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
            self._frames[self._next] = cv2.cvtColor(frame, cv2.COLOR_BGR2RGB)
            if len(self._frames) > self.keep:
                self._frames.popitem(last=False)
        return success


def open_video(path: Path) -> cv2.VideoCapture:
    if not path.is_file():
        raise UserError(f"{path}: no such video")
    level = cv2.setLogLevel(_ERRORS_ONLY)
    capture = cv2.VideoCapture(str(path), cv2.CAP_FFMPEG)
    cv2.setLogLevel(level)
    if not capture.isOpened():
        raise UserError(
            f"{path}: not a video that OpenCV can read; convert it, for example to MP4 with H.264"
        )
    return capture


def count_frames(path: Path, limit: int | None = None) -> tuple[int, int]:
    """Frames that can be decoded, at most `limit`, and how many of them the header states.

    The header's number is an estimate in some containers, and too high if the file was cut off.
    """
    capture = open_video(path)
    stated = max(0, int(capture.get(cv2.CAP_PROP_FRAME_COUNT)))
    count = 0
    while (limit is None or count < limit) and capture.grab():
        count += 1
    return count, stated if limit is None else min(stated, limit)


def frames_per_second(path: Path) -> float:
    """As the header states it; 25 if it states nothing sensible."""
    rate = open_video(path).get(cv2.CAP_PROP_FPS)
    return rate if 0 < rate <= 1000 else 25.0
