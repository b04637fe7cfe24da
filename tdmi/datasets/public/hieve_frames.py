"""Extract the frames of HiEve's videos as pictures ``images/<video>/000000.jpg`` ..."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import cv2
import numpy as np
from tqdm import tqdm

from tdmi.clips.video import open_video
from tdmi.core.errors import UserError
from tdmi.core.files import replacing_folder
from tdmi.core.locks import exclusive_writer
from tdmi.data.annotations import frame_numbers
from tdmi.formats.hieve import annolist
from tdmi.formats.hieve.labels import labels_path

JPEG_QUALITY = 95
FRAMES_LOST = 5
"""Frames by which a whole video may fall short of its header (choice of this project: headers are
off by a frame or two; a cut off file lacks many)."""
_SUFFIXES = (".mp4", ".mov")
# Where the released archives put the videos differs between users' programs.
_FOLDERS = ("HIE20/videos/train", "HIE20/videos/test", "HIE20/videos")


def extract_frames(root: Path | str, videos: Iterable[str]) -> list[str]:
    """Write the frames of `videos` ("1" to "32") as JPEG files, numbered from 0.

    A video's folder appears complete or not at all; one that exists is left as it is. Where
    labels lie beside the videos every labelled frame must be there. Returns a line for every
    video whose labels name fewer frames than it has. Raises UserError for a video that is missing,
    unreadable or cut off.
    """
    images = Path(root) / "images"
    notes = []
    for video in videos:
        folder = images / video
        labelled = _labelled_frames(root, video)
        with exclusive_writer(folder):
            if folder.is_dir():
                count = sum(path.suffix == ".jpg" for path in folder.iterdir())
                _check_count(folder, count, labelled, "remove the folder and extract it again")
            else:
                path = video_path(root, video)
                with replacing_folder(folder) as temporary:
                    count = _write_frames(path, temporary)
                    _check_count(path, count, labelled, "unpack the video again")
        if 0 < labelled < count:
            notes.append(f"video {video}: {count} frames, labels name the first {labelled}")
    return notes


def video_path(root: Path | str, video: str) -> Path:
    """The file of a video below the data set's root; UserError if it is not there."""
    for folder in _FOLDERS:
        for path in sorted((Path(root) / folder).glob(f"{video}.*")):
            if path.suffix.lower() in _SUFFIXES:
                return path
    raise UserError(
        f"{Path(root) / _FOLDERS[0] / video}.mp4: no such file, expected HiEve video {video} "
        "there, in ../test or in the folder above; unpack the videos of the data set there"
    )


def _labelled_frames(root: Path | str, video: str) -> int:
    """Number of frames that the labels need; 0 if there are no labels."""
    path = labels_path(root, video)
    names = annolist.frame_names(path) if path.is_file() else []
    return int(frame_numbers(names, np.arange(len(names))).max(initial=-1)) + 1


def _check_count(found_in: Path, count: int, labelled: int, cure: str) -> None:
    if count < labelled:
        raise UserError(
            f"{found_in}: {count} frames, expected {labelled}, as many as the labels name; {cure}"
        )


def _write_frames(path: Path, folder: Path) -> int:
    """Write all frames of a video into `folder`; return their number."""
    capture, count = open_video(path), 0
    stated = int(capture.get(cv2.CAP_PROP_FRAME_COUNT))
    with tqdm(total=max(stated, 0), desc=f"video {path.stem}", leave=False, disable=None) as bar:
        while (read := capture.read())[0]:
            _, data = cv2.imencode(".jpg", read[1], [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY])
            (folder / f"{count:06d}.jpg").write_bytes(data.tobytes())
            count += 1
            bar.update()
    if count < max(1, stated - FRAMES_LOST):
        raise UserError(
            f"{path}: {count} frames can be read of {stated} that it should have, so it is damaged "
            "or cut off; unpack it again"
        )
    return count
