"""HiEve's pose labels (track 2 and 3) and predictions: one ``annolist`` JSON per video.

It looks like PoseTrack2017's form and is another: x1..y2 is the box of the whole person, joint ids
are HiEve's 14, image names have no folder, and no ``is_labeled`` was seen, so frames with a person
count as labelled. A person without joints stays, because its box is a label as well.

What the ``score`` of a joint means in ground truth is not documented. It is read as a confidence:
every listed joint is visible. The average precision of this project never asks for visibility.

Sources: format page of the HiEve challenge (joint numbers, names of submitted files) and public
readers of the released files (the rest).
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

from tdmi.core.files import read_json, write_json
from tdmi.data.annotations import Annotations
from tdmi.data.records import member, objects
from tdmi.data.skeletons import HIEVE
from tdmi.formats.annolist import Form, image_name, parse_frames
from tdmi.formats.annolist_writing import contents
from tdmi.formats.files import video_name
from tdmi.formats.merged import frame_path

FORM = Form(skeleton=HIEVE, corners="box", strict=True, needs_joints=False, has_flags=False)


def read_file(path: Path | str) -> Annotations:
    """Read one video named by the file's stem; frame files are ``images/<video>/<name>``."""
    return parse(read_json(path), path)


def parse(content: Any, path: Path | str) -> Annotations:
    """Turn the content of one file into annotations; UserError if it is not this form."""
    annotations = parse_frames(member(content, "annolist", list, str(path)), path, FORM)
    files = [frame_path(video_name(path), file) for file in annotations.frame_file]
    return replace(annotations, frame_file=files)


def frame_names(path: Path | str) -> list[str]:
    """Return the names of the frames, in the order of the file, without reading all the rest."""
    frames = objects(read_json(path), "annolist", str(path))
    names = [image_name(frame, f"{path}: annolist[{i}]") for i, frame in enumerate(frames)]
    return [name.rpartition("/")[2] for name in names]


def write_folder(annotations: Annotations, folder: Path | str) -> None:
    """Write ``<video>.json`` for every video, which `read_file` gives back.

    UserError if the joints are not HiEve's or a number is not finite.
    """
    names = [file.rpartition("/")[2] for file in annotations.frame_file]
    for video, content in contents(replace(annotations, frame_file=names), folder, FORM):
        write_json(Path(folder) / f"{video}.json", content, indent=None)
