"""HiEve's pose labels and predictions of several videos at once, and the splits.

The data set has 19 training videos (1 to 19) with labels and 13 test videos (20 to 32) without:
their labels are on the challenge's server alone, and no validation split is published. This
project holds out every fourth training video by number, 4, 8, 12 and 16. Whole videos, so that no
person is on both sides; a fixed rule, so that nobody chose the videos by their results; and about
a fifth, so that 15 videos are left for training. It is a choice of this project: scores on it are
no test-set scores and compare only with others on the same four videos.
"""

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

VALIDATION_VIDEOS = ("4", "8", "12", "16")
TRAIN_VIDEOS = tuple(str(n) for n in range(1, 20) if str(n) not in VALIDATION_VIDEOS)
TEST_VIDEOS = tuple(str(n) for n in range(20, 33))
LABELS = Path("HIE20/labels/train/track2&3")
FRAMES_PER_VIDEO = 1_000_000
"""Image ids are video number * this + frame number, so one list of boxes can serve all videos."""


def labels_path(root: Path | str, video: str) -> Path:
    """Return the file of a training video's pose labels below the data set's root."""
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


def read_labels(root: Path | str, videos: Iterable[str]) -> Annotations:
    """Read the poses of the training videos `videos` ("1" to "19"), in that order.

    Frame files are ``images/<video>/000000.jpg`` as `tdmi data prepare hieve` extracts them, frame
    numbers those of the names in the labels. UserError if a file is missing or out of form.
    """
    parts = []
    for video in videos:
        path = labels_path(root, video)
        if not path.is_file():
            raise UserError(
                f"{path}: no such file, expected the pose labels of HiEve video {video}; unpack "
                f"the labels of the data set in {root}, so that the file comes to lie there"
            )
        part = annolist.read_file(path)
        parts.append(replace(part, frame_id=int(video) * FRAMES_PER_VIDEO + part.frame_number))
    return concatenate(parts)
