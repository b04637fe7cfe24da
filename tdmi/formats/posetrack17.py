"""PoseTrack2017 annotation files in JSON: one ``annolist`` per video, scalars wrapped in lists.

Read as poseval reads them: a person whose joint list is missing is left out (its frame still
counts as annotated), one whose joint list is empty stays; unknown joint ids are ignored; bare NaN
is a number (such a joint exists and matches nothing).

Two other data sets have files that look alike, and are refused by name. HiEve lists frames as well,
but ``x1..y2`` of a person is the whole person and not the *head* box that evaluation measures
distances with. The video pose set of Iqbal et al. (CVPR 2017) lists videos.

The form has no place for person boxes, areas, ``iscrowd``, identities across videos, actions, image
ids (a frame's id is its position), image sizes, ``has_labeled_person`` and ``nframes``; frame
numbers are those of the file names.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from tdmi.core.errors import UserError
from tdmi.core.files import write_json
from tdmi.data.annotations import Annotations
from tdmi.data.records import REGENERATE, Flags, Record, describe
from tdmi.data.skeletons import HIEVE, POSETRACK17
from tdmi.formats.annolist import Form, parse_frames
from tdmi.formats.annolist_writing import contents

FORM = Form(
    skeleton=POSETRACK17, corners="head_box", strict=False, needs_joints=True, has_flags=True
)
# Head boxes hold at most nose, neck and head top, so more than half of this many joints inside
# cannot be a head box.
FEWEST_JOINTS = 4


def parse(content: Any, path: Path | str) -> Annotations:
    """Turn the content of one file into annotations; `path` names the video and the errors.

    Frames come in the order of the file, their image id is the position. Raises UserError for
    anything that is not this form, HiEve's look-alike among it.
    """
    if not isinstance(content, dict) or "annolist" not in content:
        raise UserError(f"{path}: no 'annolist', expected the PoseTrack2017 form; {REGENERATE}")
    frames = content["annolist"]
    entries = frames if isinstance(frames, list) else [frames]
    videos = any(isinstance(entry, dict) and "num_frames" in entry for entry in entries)
    if videos or entries is not frames:
        found = "a list of videos with 'num_frames'" if videos else describe(frames)
        raise UserError(
            f"{path}: 'annolist' is {found}, expected a list of frames; another data set uses "
            "this name as well (Iqbal et al., CVPR 2017), PoseTrack2017 labels are needed"
        )
    annotations = parse_frames(frames, path, FORM)
    if _has_boxes_of_hieve(annotations, frames):
        raise UserError(
            f"{path}: this is HiEve, where x1..y2 is the box of the whole person, expected the "
            "PoseTrack2017 form, where it is the head; convert it with `tdmi data convert`, or "
            "evaluate with `--protocol hieve`"
        )
    return annotations


def is_hieve(content: Any) -> bool:
    """Return whether content with an ``annolist``, or any other, is HiEve's.

    All three must hold (choice of this project):

    - one of PoseTrack2017's marks is missing: no frame has ``is_labeled``, or no image name has a
      folder. HiEve files have neither mark, PoseTrack2017 labels both, predictions the folder;
    - no joint has the number 14, PoseTrack2017's head top, of which HiEve has none;
    - of the people with a box and four joints or more, the box of most holds more than half of
      the joints. A head box holds three of PoseTrack2017's joints at most.

    A file without such people is never HiEve's: no head size could go wrong there.
    """
    frames = content.get("annolist") if isinstance(content, dict) else None
    try:
        return isinstance(frames, list) and _has_boxes_of_hieve(
            parse_frames(frames, "", FORM), frames
        )
    except UserError:
        return False


def _has_boxes_of_hieve(annotations: Annotations, frames: list[Record]) -> bool:
    labelled = any(frame.get("is_labeled") not in (None, []) for frame in frames)
    in_folder = any("/" in file for file in annotations.frame_file)
    if (labelled and in_folder) or annotations.present[:, len(HIEVE) :].any():
        return False
    first, last = annotations.head_box[:, None, :2], annotations.head_box[:, None, 2:]
    low, high = np.minimum(first, last), np.maximum(first, last)
    places = annotations.keypoints
    inside: Flags = ((low <= places) & (places <= high)).all(axis=2) & annotations.present
    joints = annotations.present.sum(axis=1)
    boxed = ~np.isnan(annotations.head_box).any(axis=1) & (joints >= FEWEST_JOINTS)
    whole_person = boxed & (2 * inside.sum(axis=1) > joints)
    return bool(2 * whole_person.sum() > boxed.sum())


def write_folder(annotations: Annotations, folder: Path | str) -> None:
    """Write one ``<video>.json`` per video, which `parse` gives back to the last bit.

    Raises UserError if the joints are not POSETRACK17 or a number is not finite.
    """
    for name, content in contents(annotations, folder, FORM):
        write_json(Path(folder) / f"{name}.json", content, indent=None)


def video_key(frame_file: str) -> str:
    """Return collection and folder: ``images/bonn/000342_mpii/1.jpg`` -> ``bonn/000342_mpii``.

    This identifies a PoseTrack2017 video: the numbers collide between collections, and the names of
    label files differ from those of folders.
    """
    parts = [part for part in frame_file.replace("\\", "/").split("/") if part not in ("", ".")]
    return "/".join(parts[:-1][-2:])
