"""PoseTrack2017 annotation files in JSON: one ``annolist`` per video, scalars wrapped in lists.

Read as poseval reads them: a person whose joint list is missing is left out (its frame still
counts as annotated), one whose joint list is empty stays; unknown joint ids are ignored; bare NaN
is a number (such a joint exists and matches nothing).

The form has no place for person boxes, areas, ``iscrowd``, identities across videos, actions, image
ids (a frame's id is its position), image sizes, ``has_labeled_person`` and ``nframes``; frame
numbers are those of the file names.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tdmi.core.files import read_json, write_json
from tdmi.data.annotations import Annotations
from tdmi.data.skeletons import POSETRACK17
from tdmi.formats import annolist
from tdmi.formats.annolist_kinds import posetrack17_frames
from tdmi.formats.annolist_writing import contents

FORM = annolist.Form(
    skeleton=POSETRACK17, corners="head_box", strict=False, needs_joints=True, has_flags=True
)


def read_file(path: Path | str) -> Annotations:
    """Read one video; frames in the order of the file, image id = position.

    Raises UserError for anything that is not this form, HiEve's look-alike among it.
    """
    return parse(read_json(path), path)


def parse(content: Any, path: Path | str) -> Annotations:
    """Turn the content of one file into annotations; `path` names the video and the errors."""
    return annolist.parse_frames(posetrack17_frames(content, str(path)), path, FORM)


def write_folder(annotations: Annotations, folder: Path | str) -> None:
    """Write one ``<video>.json`` per video, which `read_file` gives back to the last bit.

    All columns that the form holds (see above) come back, if joints that are absent are 0 and
    unscored, as the reader makes them. Raises UserError if the joints are not POSETRACK17 or a
    number is not finite.
    """
    for name, content in contents(annotations, folder, FORM):
        write_json(Path(folder) / f"{name}.json", content, indent=None)


def video_key(frame_file: str) -> str:
    """Return collection and folder: ``images/bonn/000342_mpii/1.jpg`` -> ``bonn/000342_mpii``.

    This identifies a PoseTrack2017 video: the numbers collide between collections, and the names of
    label files differ from those of folders. A frame in fewer folders gives those it is in.
    """
    parts = [part for part in frame_file.replace("\\", "/").split("/") if part not in ("", ".")]
    return "/".join(parts[:-1][-2:])
