"""The one in-memory form of every data set and of every prediction: flat numpy columns.

Videos, frames and persons are three tables; persons point to frames and frames to videos by row
number. All coordinates are pixels of the full frame; the centre of the top left pixel is (0, 0).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tdmi.skeletons import Skeleton

# poseval's own value for a joint without a score: it ranks below every real one.
UNSCORED = -9999.0
NO_TRACK = -1


@dataclass
class Annotations:
    """V videos, F frames (sorted by video, then time), N persons (sorted by frame, file order)."""

    skeleton: Skeleton
    video_names: list[str]
    """[V] file stem of the video's annotation file, e.g. ``000342_mpii_test``."""

    frame_video: np.ndarray
    """[F] int64, row in `video_names`."""
    frame_index: np.ndarray
    """[F] int64, position in its video, from 0."""
    frame_file: list[str]
    """[F] image path relative to the data set's root, e.g. ``images/val/<video>/000000.jpg``."""
    frame_id: np.ndarray
    """[F] int64, the file's own image id (the position where the form has none)."""
    frame_labelled: np.ndarray
    """[F] bool, the file's ``is_labeled``."""
    frame_annotated: np.ndarray
    """[F] bool, the file lists at least one person here, even one without joints."""
    ignore_regions: list[list[np.ndarray]]
    """[F] lists of polygons [P, 2] inside which joints are not judged."""

    person_frame: np.ndarray
    """[N] int64, row in the frame columns."""
    track_id: np.ndarray
    """[N] int64; NO_TRACK where the file has none."""
    keypoints: np.ndarray
    """[N, J, 2] float64 (x, y); 0 where absent."""
    present: np.ndarray
    """[N, J] bool, the joint is annotated (ground truth) or predicted."""
    visible: np.ndarray
    """[N, J] bool, the joint is annotated and not hidden."""
    joint_score: np.ndarray
    """[N, J] float64; UNSCORED where the file has none."""
    box: np.ndarray
    """[N, 4] float64 x, y, width, height; NaN where the file has none."""
    head_box: np.ndarray
    """[N, 4] float64 x1, y1, x2, y2; NaN where the file has none."""
    score: np.ndarray
    """[N] float64 score of the whole person or box; NaN where the file has none."""

    @property
    def persons(self) -> int:
        return len(self.person_frame)

    @property
    def frames(self) -> int:
        return len(self.frame_video)

    def frames_of(self, video: int) -> np.ndarray:
        """Rows of the frames of one video, in time order."""
        return np.flatnonzero(self.frame_video == video)
