"""Read label files, and count the joints and persons that their readers leave out."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from tdmi.data.annotations import Annotations
from tdmi.data.skeletons import ALIASES, POSETRACK17, POSETRACK18
from tdmi.formats.hieve import annolist
from tdmi.formats.posetrack import parse, read_content


class Labels(NamedTuple):
    """One label file."""

    annotations: Annotations
    unknown_joints: list[str]
    """Names (PoseTrack18, 21) or ids (PoseTrack17) that the data set does not have."""
    left_out: int
    """Persons that the reader leaves out, because they have no joint list (PoseTrack17)."""
    repeated: list[str]
    """Ids of persons (PoseTrack18, 21) and joints of a person (PoseTrack17) that come again."""


def read_labels(dataset: str, path: Path) -> Labels:
    """Read one label file; UserError if it is damaged."""
    if dataset == "hieve":
        # Its reader leaves nobody out and raises UserError for unknown joints.
        return Labels(annolist.read_file(path), [], 0, [])
    # Labels of the test split are secret: its files may list frames alone.
    content = read_content(path, frames_suffice=path.parent.name == "test")
    annotations = parse(content, path)
    if "annolist" not in content:
        known: set[str] = {*POSETRACK18.joints, *ALIASES}
        names = content["categories"][0]["keypoints"]
        unknown = [repr(name) for name in names if name not in known]
        ids = [
            str(person["id"]) for person in _objects(content.get("annotations")) if "id" in person
        ]
        return Labels(annotations, unknown, 0, [f"annotation id {i}" for i in _again(ids)])
    frames = content["annolist"]
    persons = [person for frame in frames for person in _objects(frame.get("annorect"))]
    joints = [list(map(str, _joint_ids(person))) for person in persons]
    known = {str(joint) for joint in range(len(POSETRACK17))}
    unknown = [f"joint id {joint}" for ids in joints for joint in ids if joint not in known]
    left_out = max(0, len(persons) - annotations.persons)
    again = [f"joint id {joint} of a person" for ids in joints for joint in _again(ids)]
    return Labels(annotations, unknown, left_out, again)


def _joint_ids(person: dict) -> Iterator[Any]:
    for holder in _objects(person.get("annopoints")):
        for point in _objects(holder.get("point")):
            joint = point.get("id")
            joint = joint[0] if isinstance(joint, list) and joint else joint
            yield int(joint) if isinstance(joint, float) and joint.is_integer() else joint


def _again(ids: list[str]) -> list[str]:
    """Return the ids that came before in the list."""
    return [one for one, count in Counter(ids).items() for _ in range(count - 1)]


def _objects(value: Any) -> Iterator[dict]:
    """The objects of a list, of lists in it, or a lone object; no empty arrays of MATLAB."""
    if isinstance(value, list):
        for entry in value:
            yield from _objects(entry) if entry != {} else [entry]
    elif isinstance(value, dict) and value and "_ArrayType_" not in value:
        yield value
