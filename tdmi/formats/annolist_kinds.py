"""Which data set an ``annolist`` belongs to: three use this name for different things.

PoseTrack2017 lists frames, and ``x1..y2`` of a person is the *head* box that evaluation measures
distances with. HiEve lists frames as well, but ``x1..y2`` is the whole person. The video pose set
of Iqbal et al. (CVPR 2017) lists videos. Read as PoseTrack2017, either would give wrong numbers.
"""

from __future__ import annotations

from typing import Any

from tdmi.core.errors import UserError
from tdmi.data.records import REGENERATE, Record, describe
from tdmi.data.skeletons import HIEVE

# Head boxes hold at most nose, neck and head top, so more than half of this many joints inside
# cannot be a head box.
FEWEST_JOINTS = 4


def posetrack17_frames(content: Any, where: str) -> list[Any]:
    """Return the frames of PoseTrack2017 content; UserError naming any other data set."""
    if not isinstance(content, dict) or "annolist" not in content:
        raise UserError(f"{where}: no 'annolist', expected the PoseTrack2017 form; {REGENERATE}")
    frames = content["annolist"]
    videos = any("num_frames" in entry for entry in _objects(frames))
    if videos or not isinstance(frames, list):
        found = "a list of videos with 'num_frames'" if videos else describe(frames)
        raise UserError(
            f"{where}: 'annolist' is {found}, expected a list of frames; another data set uses "
            "this name as well (Iqbal et al., CVPR 2017), PoseTrack2017 labels are needed"
        )
    if is_hieve_annolist(content):
        raise UserError(
            f"{where}: this is HiEve, where x1..y2 is the box of the whole person, expected the "
            "PoseTrack2017 form, where it is the head; convert it with `tdmi data convert`, or "
            "evaluate with `--protocol hieve`"
        )
    return frames


def is_hieve_annolist(content: Any) -> bool:
    """Return whether an ``annolist`` is HiEve's. All three must hold (choice of this project):

    - one of PoseTrack2017's marks is missing: no frame has ``is_labeled``, or no image name has a
      folder. HiEve files have neither mark, PoseTrack2017 labels both, predictions the folder;
    - no joint id is above 13, HiEve's last: head tops of PoseTrack2017 have 14;
    - of the people with a box and four joints or more, the box of most holds more than half of
      the joints. A head box holds three of PoseTrack2017's joints at most.

    A file without such people is never HiEve's: no head size could go wrong there. Content of any
    form is accepted.
    """
    if not isinstance(content, dict):
        return False
    frames = _objects(content.get("annolist"))
    labelled = any(frame.get("is_labeled") not in (None, []) for frame in frames)
    if labelled and any(_has_folder(frame) for frame in frames):
        return False
    boxes = whole_person = 0
    for frame in frames:
        for person in _objects(frame.get("annorect")):
            holders = _objects(person.get("annopoints"))
            points = _objects(holders[0].get("point")) if holders else []
            ids = [_number(point.get("id")) for point in points]
            if any(joint is None or joint >= len(HIEVE) for joint in ids):
                return False
            corners = [_number(person.get(key)) for key in ("x1", "y1", "x2", "y2")]
            box = [corner for corner in corners if corner is not None]
            if len(box) == 4 and len(points) >= FEWEST_JOINTS:
                boxes += 1
                whole_person += 2 * sum(_inside(point, box) for point in points) > len(points)
    return 2 * whole_person > boxes


def _objects(value: Any) -> list[Record]:
    """Return the objects of a list, of lists in it, or a lone object."""
    if isinstance(value, dict):
        return [value] if value else []
    if not isinstance(value, list):
        return []
    return [item for entry in value for item in (entry if isinstance(entry, list) else [entry])
            if isinstance(item, dict)]  # fmt: skip


def _has_folder(frame: Record) -> bool:
    names = [image.get("name") for image in _objects(frame.get("image"))]
    names = [name[0] if isinstance(name, list) and name else name for name in names]
    return any(isinstance(name, str) and ("/" in name or "\\" in name) for name in names)


def _number(value: Any) -> float | None:
    if isinstance(value, list) and len(value) == 1:
        value = value[0]
    return value if isinstance(value, int | float) else None


def _inside(point: Record, box: list[float]) -> bool:
    x, y = _number(point.get("x")), _number(point.get("y"))
    x1, y1, x2, y2 = box
    if x is None or y is None:
        return False
    return min(x1, x2) <= x <= max(x1, x2) and min(y1, y2) <= y <= max(y1, y2)
