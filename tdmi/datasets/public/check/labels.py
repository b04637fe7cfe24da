"""Read label files, and count the joints and persons that their readers leave out."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tdmi.data.annotations import Annotations
from tdmi.data.skeletons import ALIASES, POSETRACK17, POSETRACK18
from tdmi.formats.hieve import annolist
from tdmi.formats.posetrack import parse, read_content


@dataclass(frozen=True)
class Labels:
    """One label file."""

    annotations: Annotations
    unknown_joints: list[str]
    """Names (PoseTrack18, 21) or ids (PoseTrack17) that the data set does not have."""
    left_out: int
    """Persons that the reader leaves out, because they have no joint list (PoseTrack17)."""


def read_labels(dataset: str, path: Path) -> Labels:
    """Read one label file; UserError if it is damaged."""
    if dataset == "hieve":
        # Its reader leaves nobody out and raises UserError for unknown joints.
        return Labels(annolist.read_file(path), [], 0)
    # Labels of the test split are secret: its files may list frames alone.
    content = read_content(path, frames_suffice=path.parent.name == "test")
    annotations = parse(content, path)
    if "annolist" not in content:
        known = {*POSETRACK18.joints, *ALIASES}
        names = content["categories"][0]["keypoints"]
        return Labels(annotations, [repr(name) for name in names if name not in known], 0)
    people = [person for frame in content["annolist"] for person in _objects(frame.get("annorect"))]
    unknown = [f"joint id {joint}" for person in people for joint in _unknown_ids(person)]
    return Labels(annotations, unknown, max(0, len(people) - annotations.persons))


def _unknown_ids(person: dict) -> Iterator[Any]:
    for holder in _objects(person.get("annopoints")):
        for point in _objects(holder.get("point")):
            joint = point.get("id")
            joint = joint[0] if isinstance(joint, list) and joint else joint
            if joint not in range(len(POSETRACK17)):
                yield joint


def _objects(value: Any) -> Iterator[dict]:
    """The objects of a list, of lists in it, or a lone object; no empty arrays of MATLAB."""
    if isinstance(value, list):
        for entry in value:
            yield from _objects(entry) if entry != {} else [entry]
    elif isinstance(value, dict) and value and "_ArrayType_" not in value:
        yield value
