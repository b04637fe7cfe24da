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
from xml.etree.ElementTree import Element

from tdmi.core.errors import UserError
from tdmi.core.files import read_xml
from tdmi.data.annotations import UNSCORED, Annotations
from tdmi.data.records import REGENERATE, Record, describe, unfit
from tdmi.data.skeletons import HIEVE
from tdmi.formats.hieve.people import Joints, assemble, number_of, person, whole

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
        root = read_xml(path)
        if root.tag != "annotation":
            raise unfit(str(path), f"<{root.tag}>", "<annotation>")
        sizes.append(_size(root, path))
        elements = enumerate(root.findall("object"))
        people += [_person(element, row, f"{path}: object {k}") for k, element in elements]
    files = [f"{folder.name}/{int(path.stem):06d}.jpg" for path in paths]
    return assemble(files, people, folder, sizes)


def _size(root: Element, path: Path | str) -> tuple[int, int]:
    """Return width and height; 0 if unstated."""
    if root.find("size") is None:
        return 0, 0
    keys = ("size/width", "size/height")
    width, height = (whole(_number(root, key, str(path)), f"{path}: {key}") for key in keys)
    return width, height


def _number(element: Element, key: str, where: str) -> float:
    return number_of(element.findtext(key), f"{where}: {key}")


def _person(element: Element, row: int, where: str) -> Record:
    name = element.findtext("name", "").strip()
    found = re.fullmatch(r"(?:P-)?(-?[0-9]{1,15})", name)
    if name and not found:
        raise unfit(where, f"the name {describe(name)}", "a track as in P-1")
    box = element.find("bndbox")
    if box is None:
        raise UserError(f"{where}: no 'bndbox', expected the box and joints there; {REGENERATE}")
    joints: Joints = {}
    for joint, tag in enumerate(_TAGS):
        text = box.findtext(tag)
        if text is not None:
            _read_joint(joints, joint, text, f"{where}: {tag}")
    return person(
        row,
        [_number(box, key, where) for key in _CORNERS],
        joints,
        track_id=int(found[1]) if found else None,
        action=element.findtext("action", "").strip(),
    )


def _read_joint(joints: Joints, joint: int, text: str, where: str) -> None:
    values = [number_of(part, where) for part in text.split(",")]
    if len(values) != 3 or values[2] not in (_FLAG_VISIBLE, _FLAG_HIDDEN, _FLAG_ABSENT):
        raise unfit(where, describe(text), "x,y,flag with flag 0, 1 or -1")
    x, y, flag = values
    if flag != _FLAG_ABSENT:
        joints[joint] = (x, y, flag == _FLAG_VISIBLE, UNSCORED)
