"""PoseTrack files of either year: the form is recognised file by file, as poseval does."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from tdmi.annotations import Annotations, concatenate, on_skeleton
from tdmi.datasets import posetrack17, posetrack18
from tdmi.files import read_json
from tdmi.skeletons import Skeleton


def read_video_file(path: Path | str) -> Annotations:
    """Read ground truth or predictions of one video; the key ``annolist`` tells the year 2017."""
    content = read_json(path)
    if isinstance(content, dict) and "annolist" in content:
        return posetrack17.parse(content, path)
    return posetrack18.parse(content, path)


def read_folder(folder: Path | str, names: Iterable[str], skeleton: Skeleton) -> Annotations:
    """Read the videos `names` of a folder, whatever their years, on one skeleton."""
    folder = Path(folder)
    return concatenate(
        [on_skeleton(read_video_file(folder / f"{name}.json"), skeleton) for name in names]
    )
