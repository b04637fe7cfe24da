"""Check the two folders of an evaluation and pair their videos.

Every video of the ground truth needs predictions and the other way round, so that neither a
forgotten video nor predictions for another data set pass for a result.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import numpy as np

from tdmi.core.errors import UserError
from tdmi.data.annotations import Annotations
from tdmi.data.judging import person_text
from tdmi.formats.files import video_files

LARGEST_FILE = 256 * 2**20
"""Bytes. Files of the data sets have below 20 MB per video; reading takes about 5 to 20 times the
size of the file in memory, so a larger one could exhaust it (choice of this project)."""


def paired_videos(truth: Path, predictions: Path) -> list[str]:
    """Return the names of the videos, sorted; UserError unless both folders have the same."""
    names, predicted = _videos(truth, "--gt"), _videos(predictions, "--pred")
    missing = sorted(set(names) - set(predicted))
    if missing:
        raise UserError(
            f"{predictions / missing[0]}.json: no such file, expected predictions for all "
            f"{len(names)} videos of {truth} ({len(missing)} missing); predict this video too, "
            "with all its frames even if nobody was found"
        )
    unknown = sorted(set(predicted) - set(names))
    if unknown:
        shown = ", ".join(names[:3]) + (", ..." if len(names) > 3 else "")
        raise UserError(
            f"{predictions / unknown[0]}.json: no such video in {truth}, which has {len(names)} "
            f"({shown}); remove the file or give the ground truth that belongs to it"
        )
    return names


def total_size(truth: Path, predictions: Path, names: Iterable[str]) -> int:
    """Return the bytes of all files; UserError for one above LARGEST_FILE."""
    total = 0
    for name in names:
        for folder in (truth, predictions):
            path = folder / f"{name}.json"
            try:
                size = path.stat().st_size
            except OSError as error:
                raise UserError(f"{path}: cannot be read ({error.strerror})") from None
            if size > LARGEST_FILE:
                raise UserError(
                    f"{path}: the file has {size / 2**20:.0f} MB, expected at most "
                    f"{LARGEST_FILE // 2**20} MB for the frames of one video; write one file per "
                    "video"
                )
            total += size
    return total


def check_scores_finite(predictions: Annotations, folder: Path, cure: str = "") -> None:
    """Raise UserError for the first predicted joint or person whose score is NaN or infinite."""
    joints = predictions.present & ~np.isfinite(predictions.joint_score)
    odd = joints.any(axis=1) | np.isinf(predictions.score)
    if not odd.any():
        return
    person = int(np.argmax(odd))
    joint, score = "", predictions.score[person]
    if joints[person].any():
        first = int(np.argmax(joints[person]))
        joint = f"{predictions.skeleton.joints[first]} "
        score = predictions.joint_score[person, first]
    frame = predictions.person_frame[person]
    name = predictions.video_names[predictions.frame_video[frame]]
    raise UserError(
        f"{folder / name}.json: frame {predictions.frame_index[frame]}: "
        f"{person_text(predictions, person)}: {joint}has the score {score:g}, expected a finite "
        f"number ({int(odd.sum())} such people); the model has probably diverged, look at what it "
        f"predicts{cure}"
    )


def check_not_repeated(names: Iterable[str], frames: Iterable[str], folder: Path) -> None:
    """Raise UserError if two videos list the same images, by the text of `images_of` for each."""
    first: dict[str, str] = {}
    for name, images in zip(names, frames, strict=True):
        other = first.setdefault(images, name) if images else name
        if other != name:
            raise UserError(
                f"{folder / name}.json: lists the same images as {other}.json, expected every "
                "video once; one is a copy, remove it or write the predictions of its video"
            )


def check_videos_differ(annotations: Annotations, folder: Path) -> None:
    """Raise UserError if two videos of annotations read from `folder` list the same images."""
    videos = range(len(annotations.video_names))
    images = [images_of(annotations, video) for video in videos]
    check_not_repeated(annotations.video_names, images, folder)


def images_of(annotations: Annotations, video: int = 0) -> str:
    """Return a text that identifies a video's images: first and last name and their number.

    The text is empty if the names have no folder, because 000000.jpg is in every video.
    """
    frames = annotations.frames_of(video)
    if not len(frames) or "/" not in annotations.frame_file[frames[0]]:
        return ""
    first, last = (annotations.frame_file[frames[end]] for end in (0, -1))
    return f"{first} {last} {len(frames)}"


def _videos(folder: Path, option: str) -> list[str]:
    if folder.is_file():
        raise UserError(
            f"{folder}: {option} is a file, expected a folder with a PoseTrack file per video; "
            "give the folder it lies in"
        )
    try:
        return video_files(folder)
    except OSError as error:
        raise UserError(
            f"{folder}: cannot be listed ({error.strerror}), expected a readable folder"
        ) from None
