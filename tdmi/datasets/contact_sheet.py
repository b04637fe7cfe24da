"""Draw a data set as one picture: a row per video, time from left to right, some with labels."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np

from tdmi.core.errors import UserError
from tdmi.core.files import replacing
from tdmi.data.annotations import Annotations
from tdmi.formats.posetrack18 import read_folder

# Blue, green, red. Left limbs are warm, right limbs cool, in shades that colour-blind readers can
# distinguish; the head box is white.
LEFT, RIGHT, MIDDLE, WHITE = (0, 127, 255), (255, 180, 30), (60, 220, 60), (255, 255, 255)
GAP = 4


def contact_sheet(
    root: Path | str,
    path: Path | str,
    splits: tuple[str, ...] = ("train", "val", "test"),
    videos: int = 3,
    columns: int = 5,
    width: int = 240,
) -> None:
    """Write a PNG with `videos` rows per split and `columns` frames spread over each video.

    First and middle column show skeleton (hidden joints as rings) and head box where the frame is
    labelled. `width` is that of one picture in px. UserError if a split of the PoseTrack18-form
    data set at `root` is missing.
    """
    root = Path(root)
    rows = []
    for split in splits:
        folder = root / "annotations" / split
        if not folder.is_dir():
            raise UserError(f"{folder}: no such folder; generate the data set first")
        annotations = read_folder(folder)
        chosen = np.linspace(0, len(annotations.video_names) - 1, videos).round().astype(int)
        rows += [_row(annotations, root, video, columns, width) for video in np.unique(chosen)]
    with replacing(path) as temporary:
        cv2.imwrite(str(temporary), np.concatenate(rows, axis=0))


def _row(annotations: Annotations, root: Path, video: int, columns: int, width: int) -> np.ndarray:
    frames = annotations.frames_of(video)
    chosen = frames[np.linspace(0, len(frames) - 1, columns).round().astype(int)]
    pictures = []
    for column, frame in enumerate(chosen):
        path = root / annotations.frame_file[frame]
        image = cv2.imread(str(path))
        if image is None:
            raise UserError(f"{path}: no such picture")
        scale = width / image.shape[1]
        size = (width, round(image.shape[0] * scale))
        image = cv2.resize(image, size, interpolation=cv2.INTER_AREA)
        if column in (0, columns // 2):
            draw_labels(image, annotations, frame, scale)
        pictures.append(np.pad(image, ((0, GAP), (0, GAP), (0, 0)), constant_values=255))
    return np.concatenate(pictures, axis=1)


def draw_labels(image: np.ndarray, annotations: Annotations, frame: int, scale: float) -> None:
    """Draw the people labelled in one frame onto `image` in place.

    `scale` is image px per labelled px.
    """
    skeleton = annotations.skeleton
    for person in np.flatnonzero(annotations.person_frame == frame):
        points = np.rint(((annotations.keypoints[person] + 0.5) * scale - 0.5) * 16).astype(int)
        present = annotations.present[person]
        for first, second in skeleton.limbs:
            a, b = skeleton.index(first), skeleton.index(second)
            if present[a] and present[b]:
                colour = _colour(first, second)
                cv2.line(image, points[a].tolist(), points[b].tolist(), colour, 1, cv2.LINE_AA, 4)
        for joint in np.flatnonzero(present):
            colour = _colour(skeleton.joints[joint], skeleton.joints[joint])
            thickness = cv2.FILLED if annotations.visible[person, joint] else 1
            cv2.circle(image, points[joint].tolist(), 28, colour, thickness, cv2.LINE_AA, 4)
        corners = np.rint((annotations.head_box[person] + 0.5) * scale - 0.5).astype(int)
        cv2.rectangle(image, corners[:2].tolist(), corners[2:].tolist(), WHITE, 1, cv2.LINE_AA)


def _colour(first: str, second: str) -> tuple[int, int, int]:
    for side, colour in (("left", LEFT), ("right", RIGHT)):
        if first.startswith(side) and second.startswith(side):
            return colour
    return MIDDLE
