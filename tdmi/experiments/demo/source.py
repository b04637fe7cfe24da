"""Input of the demo, a video file or a folder of pictures, as annotations without persons."""

from __future__ import annotations

import logging
import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from tdmi.clips.frames import PICTURES, FrameReader, FrameStore, is_frame, picture_size
from tdmi.clips.video import VideoFrames, count_frames, frames_per_second
from tdmi.core.errors import UserError
from tdmi.data.annotations import Annotations, frame_numbers
from tdmi.data.skeletons import Skeleton

FOLDER_RATE = 25.0
CACHE_BYTES = 200_000_000
_logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Source:
    """One video to predict."""

    annotations: Annotations
    """Every frame, no person. The image id is the frame's number: its position in a video file
    (from 0), the number in the file name in a folder."""
    frames: FrameReader
    rate: float
    """Frames per second of the overlay."""

    @property
    def size(self) -> tuple[int, int]:
        """Width and height in pixels."""
        width, height = self.annotations.frame_size[0]
        return int(width), int(height)


def open_source(path: Path, skeleton: Skeleton, reach: int, limit: int | None = None) -> Source:
    """Open a video file, or a folder of pictures of one size in the natural order of their names.

    Args:
        skeleton: joints that will be predicted.
        reach: frames from the first to the last of a window, which are kept in memory.
        limit: use only that many frames from the start.
    """
    if path.is_dir():
        return _open_folder(path, skeleton, limit)
    if not path.exists():
        raise UserError(f"{path}: no such video or folder of frames")
    count, stated, even = count_frames(path, limit)
    if not count:
        raise UserError(f"{path}: holds no frame that can be decoded")
    if count < stated:
        _logger.warning(
            "%s: the file states %d frames, %d could be decoded; it may be cut off",
            path, stated, count,
        )  # fmt: skip
    rate = frames_per_second(path)
    if not even:
        _logger.warning(
            "%s: its frames do not come at one rate; the overlay shows all of them at the mean, "
            "%.4g a second, so that parts of it play too fast or too slowly", path, rate,
        )  # fmt: skip
    files = [f"{path.stem}/{i:06d}.jpg" for i in range(count)]
    frames = VideoFrames(path, reach)
    height, width = frames.read(files[0]).shape[:2]
    annotations = _without_persons(path.stem, files, np.arange(count), (width, height), skeleton)
    return Source(annotations, frames, rate)


def _open_folder(path: Path, skeleton: Skeleton, limit: int | None) -> Source:
    names = sorted((p.name for p in path.iterdir() if is_frame(p.name)), key=_natural)[:limit]
    if not names:
        raise UserError(f"{path}: no pictures there, expected {', '.join(PICTURES)}")
    numbers = frame_numbers(names, np.arange(len(names)))
    if len(set(numbers.tolist())) < len(names):
        numbers = np.arange(len(names))  # e.g. cam2_000001.jpg: the first number does not count
    size = picture_size(path / names[0])
    for name in names[1:]:
        if (other := picture_size(path / name)) != size:
            raise UserError(
                f"{path / name}: {other[0]}x{other[1]} pixels, expected {size[0]}x{size[1]} as the "
                f"first frame {names[0]}; give the frames of one video only"
            )
    folder = path.resolve()
    # Two folders deep: box files name frames by collection and video.
    root = folder.parent.parent
    files = [(folder / name).relative_to(root).as_posix() for name in names]
    annotations = _without_persons(folder.name, files, numbers, size, skeleton)
    return Source(annotations, FrameStore(root, CACHE_BYTES), FOLDER_RATE)


def _natural(name: str) -> list[tuple[int, int | str]]:
    """Sort key by which frame10 comes after frame9."""
    parts = re.split(r"(\d+)", name)
    return [(i % 2, int(part) if i % 2 else part) for i, part in enumerate(parts)]


def _without_persons(
    name: str,
    files: list[str],
    numbers: np.ndarray,
    size: tuple[int, int],
    skeleton: Skeleton,
) -> Annotations:
    count, joints = len(files), len(skeleton)
    return Annotations(
        skeleton=skeleton,
        video_names=[name],
        frame_video=np.zeros(count, np.int64),
        frame_index=np.arange(count),
        frame_file=files,
        frame_id=numbers,
        frame_number=numbers,
        frame_size=np.tile(np.array(size, dtype=np.int64), (count, 1)),
        frame_labelled=np.ones(count, bool),
        frame_annotated=np.zeros(count, bool),
        ignore_regions=[[] for _ in range(count)],
        video_length=np.array([count]),
        person_frame=np.zeros(0, np.int64),
        track_id=np.zeros(0, np.int64),
        keypoints=np.zeros((0, joints, 2)),
        present=np.zeros((0, joints), bool),
        visible=np.zeros((0, joints), bool),
        joint_score=np.zeros((0, joints)),
        box=np.zeros((0, 4)),
        head_box=np.zeros((0, 4)),
        score=np.zeros(0),
    )
