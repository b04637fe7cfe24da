"""Joints that a label file names and its data set does not have; the readers pass over them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tdmi.files import read_json
from tdmi.skeletons import ALIASES, POSETRACK17, POSETRACK18


def unknown_joints(dataset: str, path: Path) -> list[str]:
    """Names (PoseTrack18, 21) or ids (PoseTrack17) in a JSON file that could be read.

    MATLAB files are not looked into, and HiEve's reader refuses a file with unknown ids itself.
    """
    if dataset == "hieve" or path.suffix != ".json":
        return []
    content = read_json(path)
    if "annolist" in content:
        return [f"joint id {joint}" for joint in _unknown_ids(content)]
    known = {*POSETRACK18.joints, *ALIASES}
    names = content["categories"][0]["keypoints"]
    return [repr(name) for name in names if name not in known]


def _unknown_ids(content: dict) -> list[Any]:
    """Ids, bare or the only entry of a list, in content that `posetrack17.parse` accepts."""
    unknown = []
    stack = [frame.get("annorect") for frame in content["annolist"]]
    while stack:
        value = stack.pop()
        if isinstance(value, list):
            stack += value
        elif isinstance(value, dict):
            if "id" in value:
                joint = value["id"]
                joint = joint[0] if isinstance(joint, list) and joint else joint
                if joint not in range(len(POSETRACK17)):
                    unknown.append(joint)
            stack += [value[key] for key in ("annopoints", "point") if key in value]
    return unknown[::-1]
