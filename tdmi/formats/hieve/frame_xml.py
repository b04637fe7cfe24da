"""HiEve's all-track labels: a folder per video with one XML file per frame, ``000000.xml`` first.

::

    <annotation>
      <folder>1</folder> <filename>0.jpg</filename>
      <size> <width>1920</width> <height>1080</height> <depth>3</depth> </size>
      <object>
        <name>P-1</name> <action>standing-alone</action>
        <bndbox> <xmin>747</xmin> ... <ymax>1079</ymax> <Nose>928,185,0</Nose> ... </bndbox>
      </object> ...
    </annotation>

``P-1`` is track 1. A joint is "x,y,flag": 0 visible, 1 hidden, -1 not annotated, the reverse of
COCO's sense. Source: format page of the HiEve challenge, which shows the content as nested names
and values; that each name is an element is inferred. Files of this form need no document type, so
one that declares any is refused: entities could make a small file a huge one.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any
from xml.etree import ElementTree
from xml.parsers import expat

import numpy as np

from tdmi.core.errors import UserError
from tdmi.core.files import replacing
from tdmi.data.annotations import NO_TRACK, Annotations
from tdmi.data.skeletons import HIEVE
from tdmi.formats.hieve.columns import (
    finite,
    frame_path,
    from_corners,
    need_hieve,
    new_person,
    one_video,
    people_of_frames,
    set_joint,
    to_corners,
    whole,
)
from tdmi.formats.parsing import REGENERATE, describe

ACTIONS = (
    "walking-alone", "walking-together", "running-alone", "running-together", "riding",
    "sitting-talking", "sitting-alone", "queuing", "standing-alone", "gathering", "fighting",
    "fall-over", "walking-up-down-stairs", "crouching-bowing",
)  # fmt: skip
"""The 14 actions of the format page, in its order (there they count from 1)."""

_TAGS = tuple(joint.replace("_", "-").capitalize() for joint in HIEVE.joints)
_CORNERS = ("xmin", "ymin", "xmax", "ymax")
_FLAG_VISIBLE, _FLAG_HIDDEN, _FLAG_ABSENT = 0, 1, -1


def read_folder(folder: Path | str) -> Annotations:
    """Read one video, named by its folder; the frames are those that have a file, in order.

    Raises UserError for anything that is not this form.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise UserError(f"{folder}: no such folder, expected one with an XML file per frame")
    paths = [path for path in folder.glob("*.xml") if not path.name.startswith(".")]
    if not paths:
        raise UserError(f"{folder}: no *.xml there, expected one per frame, 000000.xml first")
    for path in paths:
        if not re.fullmatch(r"[0-9]{1,9}", path.stem):
            raise UserError(f"{path}: expected the number of the frame as name, as in 000000.xml")
    paths.sort(key=lambda path: int(path.stem))
    people, sizes = [], []
    for row, path in enumerate(paths):
        size, persons = parse(path.read_bytes(), path, row)
        sizes.append(size)
        people.extend(persons)
    return one_video(
        folder.name,
        [frame_path(folder.name, f"{int(path.stem):06d}.jpg") for path in paths],
        people,
        frame_size=np.array(sizes, dtype=np.int64),
    )


def parse(data: bytes, path: Path | str, row: int) -> tuple[tuple[int, int], list[dict[str, Any]]]:
    """Size (width, height; 0 where not stated) and persons of one frame; `row` is its frame row."""
    root = _tree(data, path)
    if root.tag != "annotation":
        raise UserError(f"{path}: found <{root.tag}>, expected <annotation>; {REGENERATE}")
    size = _size(root, path)
    objects = [
        _person(element, row, f"{path}: object {k}")
        for k, element in enumerate(root.findall("object"))
    ]
    return size, objects


def write_folder(annotations: Annotations, folder: Path | str) -> None:
    """Write ``<folder>/<video>/000000.xml`` and so on, numbered by `frame_number`.

    Files hold frame sizes, boxes, track ids, actions, joints and whether they are visible; scores
    they do not hold. UserError if the joints are not HiEve's or a number is not finite.
    """
    need_hieve(annotations, folder)
    for video, name in enumerate(annotations.video_names):
        frames = annotations.frames_of(video)
        for frame, people in zip(frames, people_of_frames(annotations, frames), strict=True):
            number = int(annotations.frame_number[frame])
            root = ElementTree.Element("annotation")
            _add(root, "folder", name)
            _add(root, "filename", f"{number}.jpg")
            width, height = annotations.frame_size[frame].tolist()
            if width and height:
                size = ElementTree.SubElement(root, "size")
                for key, value in (("width", width), ("height", height), ("depth", 3)):
                    _add(size, key, value)
            for person in people:
                _add_person(root, annotations, person)
            ElementTree.indent(root)
            with replacing(Path(folder) / name / f"{number:06d}.xml") as temporary:
                ElementTree.ElementTree(root).write(temporary, "utf-8", xml_declaration=True)


def _tree(data: bytes, path: Path | str) -> ElementTree.Element:
    def refuse(*_: Any) -> None:
        raise UserError(f"{path}: declares a document type, expected plain XML; {REGENERATE}")

    # ElementTree cannot be told to refuse declarations, so the parser below it looks first.
    checker = expat.ParserCreate()
    checker.StartDoctypeDeclHandler = refuse
    try:
        checker.Parse(data, True)
        return ElementTree.fromstring(data)
    except (expat.ExpatError, ElementTree.ParseError, ValueError, LookupError) as error:
        detail = " ".join(str(error).split())
        raise UserError(f"{path}: not valid XML ({detail}); {REGENERATE}") from None


def _size(root: ElementTree.Element, path: Path | str) -> tuple[int, int]:
    if root.find("size") is None:
        return 0, 0
    width, height = (_number(root, f"size/{key}", path) for key in ("width", "height"))
    return whole(width, f"{path}: size/width"), whole(height, f"{path}: size/height")


def _number(element: ElementTree.Element, key: str, where: Path | str) -> float:
    text = element.findtext(key)
    return _float("nothing" if text is None else text, f"{where}: {key}")


def _float(text: str, where: str) -> float:
    try:
        return finite(float(text), where)
    except ValueError:
        raise UserError(
            f"{where}: found {describe(text)}, expected a number; {REGENERATE}"
        ) from None


def _person(element: ElementTree.Element, row: int, where: str) -> dict[str, Any]:
    person = new_person(row)
    name = element.findtext("name", "").strip()
    found = re.fullmatch(r"(?:P-)?(-?[0-9]{1,15})", name)
    if name and not found:
        raise UserError(
            f"{where}: name is {describe(name)}, expected a track as in P-1; {REGENERATE}"
        )
    person["track_id"] = int(found[1]) if found else NO_TRACK
    person["action"] = element.findtext("action", "").strip()
    box = element.find("bndbox")
    if box is None:
        raise UserError(f"{where}: no 'bndbox', expected the box and joints there; {REGENERATE}")
    person["box"] = from_corners([_number(box, key, where) for key in _CORNERS])
    for joint, tag in enumerate(_TAGS):
        text = box.findtext(tag)
        if text is not None:
            _read_joint(person, joint, text, f"{where}: {tag}")
    return person


def _read_joint(person: dict[str, Any], joint: int, text: str, where: str) -> None:
    values = [_float(part, where) for part in text.split(",")]
    if len(values) != 3 or values[2] not in (_FLAG_VISIBLE, _FLAG_HIDDEN, _FLAG_ABSENT):
        raise UserError(
            f"{where}: found {describe(text)}, expected x,y,flag with flag 0, 1 or -1; {REGENERATE}"
        )
    x, y, flag = values
    if flag != _FLAG_ABSENT:
        set_joint(person, joint, x, y, visible=flag == _FLAG_VISIBLE)


def _add(parent: ElementTree.Element, tag: str, value: Any) -> None:
    text = str(value) if isinstance(value, str) else _text(value)
    ElementTree.SubElement(parent, tag).text = text


def _text(value: float) -> str:
    return repr(value).removesuffix(".0")


def _add_person(root: ElementTree.Element, annotations: Annotations, person: int) -> None:
    element = ElementTree.SubElement(root, "object")
    if annotations.track_id[person] != NO_TRACK:
        _add(element, "name", f"P-{int(annotations.track_id[person])}")
    if annotations.action[person]:
        _add(element, "action", annotations.action[person])
    box = ElementTree.SubElement(element, "bndbox")
    for key, value in zip(_CORNERS, to_corners(annotations.box[person]), strict=True):
        _add(box, key, value)
    for joint, tag in enumerate(_TAGS):
        x, y, flag = 0.0, 0.0, _FLAG_ABSENT
        if annotations.present[person, joint]:
            x, y = annotations.keypoints[person, joint].tolist()
            flag = _FLAG_VISIBLE if annotations.visible[person, joint] else _FLAG_HIDDEN
        _add(box, tag, ",".join(_text(value) for value in (x, y, flag)))
