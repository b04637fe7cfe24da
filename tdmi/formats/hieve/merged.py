"""Files with all videos of HiEve in one, as users made them from the released labels.

COCO form (`read_coco`): images, annotations, categories; ``iscrowd`` is 1 on every person and so
says nothing: it is not kept, and nobody may be left out for it. ``skeleton`` names joints instead
of numbering them. The third number of a joint is the score of the released label cut to an
integer, and serves users as visibility.

"persons" form (`read_persons`): a list of ``{"file_name", "persons": [{"track_id", "bbox",
"keypoints"}]}`` with bbox x1, y1, x2, y2, score and keypoints ``[index, x, y, score]`` in any
order.

In both, a joint at x = y = 0 with third number 0 is absent. A file name with a folder names the
video (``7/000000.jpg``); without one, as in the files that number the frames of all videos through,
all frames count as one video, named by the file's stem.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from tdmi.core.errors import UserError
from tdmi.core.files import read_json, write_json
from tdmi.data.annotations import NO_TRACK, UNSCORED, Annotations
from tdmi.data.skeletons import HIEVE
from tdmi.formats.hieve.columns import (
    base_name,
    finite,
    frame_path,
    from_corners,
    joint_index,
    need_hieve,
    new_person,
    people_of_frames,
    person_columns,
    set_joint,
    to_corners,
    track,
    video_order,
    whole,
)
from tdmi.formats.parsing import REGENERATE, describe, member, numbers


def read_coco(path: Path | str) -> Annotations:
    """Read the COCO form; a joint is visible where its third number is above 0.

    Videos come in the order of their numbers, frames by frame number. UserError if out of form.
    """
    content = read_json(path)
    where = str(path)
    images = member(content, "images", list, where)
    slots = _joint_slots(content, where)
    rows: dict[int, int] = {}
    for i, image in enumerate(images):
        image_id = whole(member(image, "id", int, f"{where}: images[{i}]"), f"{where}: images[{i}]")
        if image_id in rows:
            raise UserError(f"{where}: images[{i}] repeats id {image_id}; {REGENERATE}")
        rows[image_id] = i
    people = [
        _coco_person(record, rows, slots, f"{where}: annotations[{i}]")
        for i, record in enumerate(member(content, "annotations", list, where))
    ]
    names = [member(im, "file_name", str, f"{where}: images[{i}]") for i, im in enumerate(images)]
    size = [
        [whole(image.get(key) or 0, f"{where}: images[{i}]: {key}") for key in ("width", "height")]
        for i, image in enumerate(images)
    ]
    return _assembled(path, names, people, list(rows), np.array(size, dtype=np.int64))


def write_coco(annotations: Annotations, path: Path | str) -> None:
    """Write the COCO form: boxes, areas, tracks, scores and joints, with third number `_third`.

    UserError if the joints are not HiEve's or a number is not finite.
    """
    need_hieve(annotations, path)
    images = [
        {
            "id": int(annotations.frame_id[frame]),
            "width": int(annotations.frame_size[frame, 0]),
            "height": int(annotations.frame_size[frame, 1]),
            "file_name": _file_name(annotations, frame),
        }
        for frame in range(annotations.frames)
    ]
    category = {
        "id": 1,
        "name": "person",
        "supercategory": "person",
        "keypoints": list(HIEVE.joints),
        "skeleton": [list(limb) for limb in HIEVE.limbs],
    }
    records = [_coco_record(annotations, person) for person in range(annotations.persons)]
    content = {"images": images, "annotations": records, "categories": [category]}
    write_json(path, content, indent=None)


def read_persons(path: Path | str) -> Annotations:
    """Read the "persons" form; every joint that is there counts as visible.

    Image ids are positions in the file. UserError if out of form.
    """
    content = read_json(path)
    if not isinstance(content, list):
        raise UserError(
            f"{path}: found {describe(content)}, expected a list of frames with 'persons'; "
            f"{REGENERATE}"
        )
    names, people = [], []
    for i, frame in enumerate(content):
        where = f"{path}: frame {i}"
        names.append(member(frame, "file_name", str, where))
        for k, record in enumerate(member(frame, "persons", list, where)):
            people.append(_person(record, i, f"{where}: persons[{k}]"))
    size = np.zeros((len(names), 2), dtype=np.int64)
    return _assembled(path, names, people, list(range(len(names))), size)


def write_persons(annotations: Annotations, path: Path | str) -> None:
    """Write the "persons" form; a person without score gets 1, a joint without score `_third`.

    UserError if the joints are not HiEve's, a number is not finite, or a person has no box.
    """
    need_hieve(annotations, path)
    if not np.isfinite(annotations.box).all():
        raise UserError(f"{path}: not written, some person has no box, which this form needs")
    frames = np.arange(annotations.frames)
    content = [
        {
            "file_name": _file_name(annotations, frame),
            "persons": [_record(annotations, person) for person in people],
        }
        for frame, people in zip(frames, people_of_frames(annotations, frames), strict=True)
    ]
    write_json(path, content, indent=None)


def _assembled(
    path: Path | str,
    names: list[str],
    people: list[dict[str, Any]],
    frame_ids: list[int],
    size: np.ndarray,
) -> Annotations:
    """Annotations from frames in any order and people that point to them."""
    videos = [name.rpartition("/")[0].rpartition("/")[2] or Path(path).stem for name in names]
    for name in names:
        if not base_name(name):
            raise UserError(f"{path}: file_name is {describe(name)}, expected a frame's file name")
    known = sorted(set(videos), key=video_order)
    files = [frame_path(video, name) for video, name in zip(videos, names, strict=True)]
    order = sorted(
        range(len(files)), key=lambda i: (known.index(videos[i]), base_name(files[i]).zfill(40))
    )
    row = np.empty(len(files), dtype=np.int64)
    row[order] = np.arange(len(files))
    for person in people:
        person["person_frame"] = int(row[person["person_frame"]])
    people.sort(key=lambda person: person["person_frame"])
    frame_video = np.array([known.index(videos[i]) for i in order], dtype=np.int64)
    columns = person_columns(people)
    annotated = np.zeros(len(files), dtype=bool)
    annotated[columns["person_frame"]] = True
    first = np.searchsorted(frame_video, frame_video)
    return Annotations(
        skeleton=HIEVE,
        video_names=known,
        frame_video=frame_video,
        frame_index=np.arange(len(files)) - first,
        frame_file=[files[i] for i in order],
        frame_id=np.array([frame_ids[i] for i in order], dtype=np.int64),
        frame_labelled=annotated,
        frame_annotated=annotated.copy(),
        ignore_regions=[[] for _ in files],
        frame_size=size.reshape(-1, 2)[order],
        **columns,
    )


def _joint_slots(content: dict, where: str) -> list[int]:
    """HiEve joint of each keypoint of the file."""
    categories = member(content, "categories", list, where)
    if len(categories) != 1:
        raise UserError(f"{where}: {len(categories)} categories, expected one, 'person'")
    names = member(categories[0], "keypoints", list, f"{where}: categories[0]")
    if sorted(map(str, names)) != sorted(HIEVE.joints):
        raise UserError(
            f"{where}: categories[0].keypoints are not HiEve's 14 joints ({HIEVE.joints[0]} to "
            f"{HIEVE.joints[-1]}); this is another joint set"
        )
    return [HIEVE.index(name) for name in names]


def _coco_person(record: Any, rows: dict[int, int], slots: list[int], where: str) -> dict[str, Any]:
    image_id = member(record, "image_id", int, where)
    if image_id not in rows:
        raise UserError(
            f"{where}: image_id {image_id} is not among the {len(rows)} images; {REGENERATE}"
        )
    person = new_person(rows[image_id])
    person["track_id"] = track(record.get("track_id"), f"{where}: track_id")
    for key in ("score", "area"):
        if record.get(key) is not None:
            person[key] = finite(record[key], f"{where}: {key}")
    if record.get("bbox"):
        person["box"] = np.array(_finite_row(record["bbox"], 4, f"{where}: bbox"))
    flat = _finite_row(record.get("keypoints"), 3 * len(slots), f"{where}: keypoints")
    for k, joint in enumerate(slots):
        _set(person, joint, flat[3 * k : 3 * k + 3], visible=flat[3 * k + 2] > 0)
    return person


def _person(record: Any, frame: int, where: str) -> dict[str, Any]:
    person = new_person(frame)
    box = _finite_row(member(record, "bbox", list, where), 5, f"{where}: bbox")
    person["box"], person["score"] = from_corners(box[:4]), box[4]
    person["track_id"] = track(record.get("track_id"), f"{where}: track_id")
    for k, point in enumerate(member(record, "keypoints", list, where)):
        place = f"{where}: keypoints[{k}]"
        index, *values = _finite_row(point, 4, place)
        joint = joint_index(index, place)
        if not person["present"][joint]:
            _set(person, joint, values, visible=True)
    return person


def _set(person: dict[str, Any], joint: int, values: list[float], visible: bool) -> None:
    x, y, third = values
    if (x, y, third) != (0, 0, 0):
        set_joint(person, joint, x, y, visible, third)


def _finite_row(value: Any, count: int, where: str) -> list[float]:
    return [finite(v, where) for v in numbers(value, count, where).tolist()]


def _file_name(annotations: Annotations, frame: int) -> str:
    video = annotations.video_names[annotations.frame_video[frame]]
    return f"{video}/{base_name(annotations.frame_file[frame])}"


def _coco_record(annotations: Annotations, person: int) -> dict:
    third = _third(annotations, person)
    flat = []
    for joint, (x, y) in enumerate(annotations.keypoints[person].tolist()):
        there = annotations.present[person, joint]
        flat += [x, y, third[joint]] if there else [0, 0, 0]
    record = {
        "id": person,
        "image_id": int(annotations.frame_id[annotations.person_frame[person]]),
        "category_id": 1,
        "iscrowd": 1,
        "keypoints": flat,
        "num_keypoints": sum(v > 0 for v in flat[2::3]),
    }
    if annotations.track_id[person] != NO_TRACK:
        record["track_id"] = int(annotations.track_id[person])
    if np.isfinite(annotations.box[person]).all():
        record["bbox"] = annotations.box[person].tolist()
    for key in ("score", "area"):
        value = getattr(annotations, key)[person]
        if np.isfinite(value):
            record[key] = float(value)
    return record


def _record(annotations: Annotations, person: int) -> dict:
    third = _third(annotations, person)
    points = [
        [joint, x, y, third[joint]] if annotations.present[person, joint] else [joint, 0, 0, 0]
        for joint, (x, y) in enumerate(annotations.keypoints[person].tolist())
    ]
    score = float(annotations.score[person])
    box = [*to_corners(annotations.box[person]), score if np.isfinite(score) else 1.0]
    record: dict[str, Any] = {"bbox": box, "keypoints": points}
    if annotations.track_id[person] != NO_TRACK:
        record["track_id"] = [int(annotations.track_id[person])]
    return record


def _third(annotations: Annotations, person: int) -> list[float]:
    """Third number of each joint: its score, or 1 and 0 for visible and hidden without one."""
    score, visible = annotations.joint_score[person], annotations.visible[person]
    return np.where(score != UNSCORED, score, visible).tolist()
