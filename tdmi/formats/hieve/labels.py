"""Pose labels and predictions of several videos at once."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

from tdmi.core.errors import UserError
from tdmi.core.files import read_json
from tdmi.data.annotations import Annotations, concatenate
from tdmi.data.skeletons import HIEVE
from tdmi.formats import posetrack18
from tdmi.formats.hieve import annolist

LABELS = Path("HIE20/labels/train/track2&3")
FRAMES_PER_VIDEO = 1_000_000
"""Image ids are video number * this + frame number, so one list of boxes can serve all videos."""


def labels_path(root: Path | str, video: str) -> Path:
    """Where the pose labels of a training video lie below the data set's root."""
    return Path(root) / LABELS / f"{video}.json"


def read_video_file(path: Path | str) -> Annotations:
    """Read labels or predictions of one video: an ``annolist``, or PoseTrack18's form.

    The latter is what this project prepares and predicts, with HiEve's 14 joints by name.
    UserError for another joint set.
    """
    content = read_json(path)
    if isinstance(content, dict) and "annolist" in content:
        return annolist.parse(content, path)
    annotations = posetrack18.parse(content, path)
    if annotations.skeleton != HIEVE:
        raise UserError(
            f"{path}: joints are {annotations.skeleton.name}, expected HiEve's {len(HIEVE)}, "
            "among them the chest; predict with a model for HiEve"
        )
    return annotations


def read_folder(folder: Path | str, names: Iterable[str]) -> Annotations:
    """Read ``<name>.json`` for each of the `names`."""
    return concatenate([read_video_file(Path(folder) / f"{name}.json") for name in names])


def read_labels(
    root: Path | str, videos: Iterable[str], point_score: str = "confidence"
) -> Annotations:
    """Poses of the training videos `videos` ("1" to "19"), in that order.

    Frame files are ``images/<video>/000000.jpg`` as `extract_frames` writes them, frame numbers
    those of the names in the labels. `point_score` as in `annolist`. UserError if a file is
    missing or out of form.
    """
    parts = []
    for video in videos:
        path = labels_path(root, video)
        if not path.is_file():
            raise UserError(
                f"{path}: no such file, expected the pose labels of HiEve video {video}; unpack "
                f"the labels of the data set in {root}, so that the file comes to lie there"
            )
        part = annolist.read_file(path, point_score)
        parts.append(replace(part, frame_id=int(video) * FRAMES_PER_VIDEO + part.frame_number))
    if not parts:
        raise UserError(f"{root}: no video asked for, expected numbers such as 1 or 19")
    return concatenate(parts)
