"""Paths and frames of the fetched videos and their calibration."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import cv2
from cv2.typing import MatLike

from tdmi.core.errors import UserError

_TRIAL = Path("pose2sim/Pose2Sim/Demo_SinglePerson")
_CURE = "fetch it with 'tdmi data fetch pose2sim'"


def video_path(sources: Path | str, camera: str) -> Path:
    return Path(sources) / _TRIAL / "videos" / f"{camera}.mp4"


def calibration_path(sources: Path | str) -> Path:
    return Path(sources) / _TRIAL / "calibration" / "Calib.qca.txt"


def read_frames(path: Path | str) -> Iterator[MatLike]:
    """Give the frames of a video one by one, uint8 [H, W, 3], blue first (OpenCV's order).

    UserError if the file is missing or no frame of it can be read.
    """
    capture = _opened(path)
    count = 0
    try:
        while (read := capture.read())[0]:
            count += 1
            yield read[1]
    finally:
        capture.release()
    if not count:
        raise UserError(f"{path}: no readable frame, expected a video; remove it and {_CURE}")


def frame_rate(path: Path | str) -> float:
    """Frames per second as the file states it."""
    capture = _opened(path)
    rate = float(capture.get(cv2.CAP_PROP_FPS))
    capture.release()
    return rate


def _opened(path: Path | str) -> cv2.VideoCapture:
    if not Path(path).is_file():
        raise UserError(f"{path}: no such file, expected a video; {_CURE}")
    return cv2.VideoCapture(str(path))
