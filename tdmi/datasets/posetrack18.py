"""PoseTrack2018 annotation files: one COCO-like JSON per video (also PoseTrack21's form).

A joint is absent exactly if x = y = 0 and its third number is 0; a joint elsewhere with third
number 0 is there but hidden. Joints are placed by the names in ``categories``, so 15 and 17
keypoint files in any order can be read. Source: the format's converter in poseval.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from tdmi.annotations import NO_TRACK, UNSCORED, Annotations, concatenate
from tdmi.datasets.parsing import REGENERATE, member, number, numbers, video_files, video_name
from tdmi.errors import UserError
from tdmi.files import read_json, write_json
from tdmi.skeletons import POSETRACK17, POSETRACK18

# COCO's own limb list (1-based), which every PoseTrack18 file repeats.
_LIMBS = (
    (16, 14), (14, 12), (17, 15), (15, 13), (12, 13), (6, 12), (7, 13), (6, 7), (6, 8), (7, 9),
    (8, 10), (9, 11), (2, 3), (1, 2), (1, 3), (2, 4), (3, 5), (4, 6), (5, 7),
)  # fmt: skip


def read_file(path: Path | str) -> Annotations:
    """Read one video.

    Frames come in the order of ``images``. Missing ``scores`` become UNSCORED, missing boxes NaN.
    Bare NaN among coordinates and scores is kept (the joint exists and matches nothing).
    Raises UserError for anything that is not this form.
    """
    return parse(read_json(path), path)


def read_folder(folder: Path | str, names: Sequence[str] | None = None) -> Annotations:
    """Read the videos `names` of a folder, or all its ``*.json`` in name order."""
    folder = Path(folder)
    if names is None:
        names = video_files(folder)
    return concatenate([read_file(folder / f"{name}.json") for name in names])


def parse(content: Any, path: Path | str) -> Annotations:
    """Turn the content of one file into annotations; `path` names the video and the errors."""
    where = str(path)
    images = member(content, "images", list, where)
    records = member(content, "annotations", list, where)
    slots = _joint_slots(content, where)
    rows = _rows_by_id(images, where)
    frames = _frame_columns(images, where)
    persons = _person_columns(records, rows, slots, where)
    listed = np.zeros(len(images), dtype=bool)
    listed[persons["person_frame"]] = True
    stated = [image.get("is_labeled") for image in images]
    labelled = [bool(listed[i]) if flag is None else bool(flag) for i, flag in enumerate(stated)]
    return Annotations(
        skeleton=POSETRACK18,
        video_names=[video_name(path)],
        frame_labelled=np.array(labelled, dtype=bool),
        frame_annotated=listed,
        **frames,
        **persons,
    )


def _joint_slots(content: dict, where: str) -> np.ndarray:
    """Slot in POSETRACK18 of each keypoint of the file; -1 for names it does not know."""
    if "categories" not in content:
        raise UserError(
            f"{where}: no 'categories', expected one entry 'person' that names the keypoints; "
            "copy 'categories' from an annotation file of the data set"
        )
    categories = member(content, "categories", list, where)
    if len(categories) != 1:
        raise UserError(
            f"{where}: 'categories' has {len(categories)} entries, expected one, 'person'; "
            "keep that one only"
        )
    names = member(categories[0], "keypoints", list, f"{where}: categories[0]")
    lacking = [joint for joint in POSETRACK17.joints if joint not in names]
    if lacking:
        raise UserError(
            f"{where}: categories[0].keypoints lacks {', '.join(lacking)}, expected the PoseTrack "
            "joint names; this is another joint set, convert the file first"
        )
    return np.array([POSETRACK18.joints.index(n) if n in POSETRACK18.joints else -1 for n in names])


def _rows_by_id(images: list, where: str) -> dict[int, int]:
    rows: dict[int, int] = {}
    for i, image in enumerate(images):
        image_id = member(image, "id", int, f"{where}: images[{i}]")
        if image_id in rows:
            raise UserError(
                f"{where}: images[{i}] repeats id {image_id} of images[{rows[image_id]}], "
                f"expected a different id for every frame; {REGENERATE}"
            )
        rows[image_id] = i
    return rows


def _frame_columns(images: list, where: str) -> dict[str, Any]:
    files = [member(im, "file_name", str, f"{where}: images[{i}]") for i, im in enumerate(images)]
    folders = {file.rpartition("/")[0] for file in files}
    if len(folders) > 1:
        raise UserError(
            f"{where}: frames of {len(folders)} videos in one file, expected one file per video; "
            "use the per-video annotation files"
        )
    return {
        "frame_video": np.zeros(len(images), dtype=np.int64),
        "frame_index": np.arange(len(images), dtype=np.int64),
        "frame_file": files,
        "frame_id": np.array([image["id"] for image in images], dtype=np.int64),
        "ignore_regions": [_regions(im, f"{where}: images[{i}]") for i, im in enumerate(images)],
    }


def _regions(image: dict, where: str) -> list[np.ndarray]:
    """Polygons [P, 2] of one image; none unless both coordinate lists are there."""
    if image.get("ignore_regions_x") is None or image.get("ignore_regions_y") is None:
        return []
    xs = member(image, "ignore_regions_x", list, where)
    ys = member(image, "ignore_regions_y", list, where)
    if len(xs) != len(ys):
        raise UserError(
            f"{where}: {len(xs)} polygons in ignore_regions_x, {len(ys)} in ignore_regions_y, "
            f"expected as many; {REGENERATE}"
        )
    polygons = []
    for k, (x, y) in enumerate(zip(xs, ys, strict=True)):
        row_x = numbers(x, None, f"{where}: ignore_regions_x[{k}]")
        row_y = numbers(y, len(row_x), f"{where}: ignore_regions_y[{k}]")
        polygons.append(np.stack([row_x, row_y], axis=1))
    return polygons


def _person_columns(
    records: list, rows: dict[int, int], slots: np.ndarray, where: str
) -> dict[str, np.ndarray]:
    """Person columns in the order of frames, within a frame in the order of the file."""
    count, joints = len(records), len(POSETRACK18)
    frame = np.zeros(count, dtype=np.int64)
    track = np.full(count, NO_TRACK, dtype=np.int64)
    raw = np.zeros((count, len(slots), 3))
    raw_score = np.full((count, len(slots)), UNSCORED)
    box = np.full((count, 4), np.nan)
    head = np.full((count, 4), np.nan)
    score = np.full(count, np.nan)
    area = np.full(count, np.nan)
    crowd = np.zeros(count, dtype=bool)
    for i, record in enumerate(records):
        place = f"{where}: annotations[{i}]"
        image_id = member(record, "image_id", int, place)
        if image_id not in rows:
            raise UserError(
                f"{place}: image_id {image_id} is not among the {len(rows)} images of the file; "
                f"{REGENERATE}"
            )
        frame[i] = rows[image_id]
        place = f"{place} (frame {frame[i]})"
        flat = member(record, "keypoints", list, place)
        raw[i] = numbers(flat, 3 * len(slots), f"{place}: keypoints").reshape(-1, 3)
        if record.get("scores"):
            raw_score[i] = numbers(record["scores"], len(slots), f"{place}: scores")
        if record.get("track_id") is not None:
            track[i] = member(record, "track_id", int, place)
        if record.get("bbox"):
            box[i] = numbers(record["bbox"], 4, f"{place}: bbox")
        if record.get("bbox_head"):
            head[i] = numbers(record["bbox_head"], 4, f"{place}: bbox_head")
        if record.get("score") is not None:
            score[i] = number(record["score"], f"{place}: score")
        if record.get("area") is not None:
            area[i] = number(record["area"], f"{place}: area")
        crowd[i] = bool(record.get("iscrowd", False))
    head[:, 2:] += head[:, :2]

    known = slots >= 0
    keypoints = np.zeros((count, joints, 2))
    flag = np.zeros((count, joints))
    joint_score = np.full((count, joints), UNSCORED)
    keypoints[:, slots[known]] = raw[:, known, :2]
    flag[:, slots[known]] = raw[:, known, 2]
    joint_score[:, slots[known]] = raw_score[:, known]
    columns = {
        "person_frame": frame,
        "track_id": track,
        "keypoints": keypoints,
        "present": (keypoints != 0).any(axis=2) | (flag != 0),
        "visible": flag > 0,
        "joint_score": joint_score,
        "box": box,
        "head_box": head,
        "score": score,
        "area": area,
        "crowd": crowd,
    }
    order = np.argsort(frame, kind="stable")
    return {name: column[order] for name, column in columns.items()}


def write_folder(annotations: Annotations, folder: Path | str) -> None:
    """Write one ``<video>.json`` per video, in the PoseTrack18 form that the evaluators accept.

    Every image gets ``ignore_regions_x/_y`` and every person ``scores`` (empty if it has none), as
    the PoseTrack21 evaluator demands; boxes, scores and ids that are unknown are left out.
    Raises UserError if the skeleton is not POSETRACK18 or a coordinate or score is not finite.
    """
    folder = Path(folder)
    if annotations.skeleton != POSETRACK18:
        raise UserError(
            f"{folder}: joints are {annotations.skeleton.name}, expected {POSETRACK18.name}; "
            "convert with tdmi.annotations.on_skeleton"
        )
    _refuse_infinite(annotations, folder)
    category = {
        "supercategory": "person",
        "id": 1,
        "name": "person",
        "keypoints": list(POSETRACK18.joints),
        "skeleton": [list(limb) for limb in _LIMBS],
    }
    first_person = np.searchsorted(annotations.person_frame, np.arange(annotations.frames + 1))
    for video, name in enumerate(annotations.video_names):
        frames = annotations.frames_of(video)
        people = [
            _person_record(annotations, person, person - first_person[frame])
            for frame in frames
            for person in range(first_person[frame], first_person[frame + 1])
        ]
        content = {
            "images": [_image_record(annotations, frame, name, len(frames)) for frame in frames],
            "annotations": people,
            "categories": [category],
        }
        write_json(folder / f"{name}.json", content, indent=None)


def _refuse_infinite(annotations: Annotations, folder: Path) -> None:
    values = np.dstack([annotations.keypoints, annotations.joint_score])
    odd = annotations.present & ~np.isfinite(values).all(axis=2)
    if odd.any():
        person, joint = np.argwhere(odd)[0]
        x, y, score = values[person, joint]
        raise UserError(
            f"{folder}: not written, {annotations.skeleton.joints[joint]} of a person in "
            f"{annotations.frame_file[annotations.person_frame[person]]} is at ({x}, {y}) with "
            f"score {score}, expected finite numbers; the model that predicted it has probably "
            "diverged, train it again"
        )


def _image_record(annotations: Annotations, frame: int, video: str, frames: int) -> dict:
    image_id = int(annotations.frame_id[frame])
    polygons = annotations.ignore_regions[frame]
    return {
        "file_name": annotations.frame_file[frame],
        "id": image_id,
        "frame_id": image_id,
        "vid_id": video.split("_")[0],
        "nframes": frames,
        "is_labeled": bool(annotations.frame_labelled[frame]),
        "ignore_regions_x": [polygon[:, 0].tolist() for polygon in polygons],
        "ignore_regions_y": [polygon[:, 1].tolist() for polygon in polygons],
    }


def _person_record(annotations: Annotations, person: int, index: int) -> dict:
    image_id = int(annotations.frame_id[annotations.person_frame[person]])
    present = annotations.present[person]
    points = np.where(present[:, None], annotations.keypoints[person], 0.0)
    # A joint that exists in the very corner of the picture would read as absent with flag 0.
    flag = annotations.visible[person] | (present & (points == 0).all(axis=1))
    keypoints = [v for (x, y), f in zip(points.tolist(), flag, strict=True) for v in (x, y, int(f))]
    scores = np.where(present, annotations.joint_score[person], 0.0)
    scored = (annotations.joint_score[person] != UNSCORED).any()
    record = {
        "image_id": image_id,
        "id": image_id * 100 + int(index),
        "category_id": 1,
        "keypoints": keypoints,
        "scores": scores.tolist() if scored else [],
    }
    if annotations.track_id[person] != NO_TRACK:
        record["track_id"] = int(annotations.track_id[person])
    for key, values in (
        ("bbox", annotations.box[person]),
        ("bbox_head", _width_height(annotations.head_box[person])),
    ):
        if np.isfinite(values).all():
            record[key] = values.tolist()
    for key, value in (("score", annotations.score[person]), ("area", annotations.area[person])):
        if np.isfinite(value):
            record[key] = float(value)
    if annotations.crowd[person]:
        record["iscrowd"] = 1
    return record


def _width_height(corners: np.ndarray) -> np.ndarray:
    """x1, y1, x2, y2 -> x, y, width, height."""
    return np.concatenate([corners[:2], corners[2:] - corners[:2]])
