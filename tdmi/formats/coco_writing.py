"""Records of COCO-like files (``images``, ``annotations``, ``categories``) from columns.

The counterpart of `tdmi.formats.coco_reading`: what these functions write, that module reads
back to the last bit, but for what the forms cannot hold (said in each form's own module).
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from tdmi.core.errors import UserError
from tdmi.data.annotations import NO_PERSON_ID, NO_TRACK, UNSCORED, Annotations
from tdmi.data.skeletons import POSETRACK18, Skeleton
from tdmi.formats.coco_reading import recognised

# COCO's own limb list (1-based), which every PoseTrack18 file repeats.
_POSETRACK18_LIMBS = (
    (16, 14), (14, 12), (17, 15), (15, 13), (12, 13), (6, 12), (7, 13), (6, 7), (6, 8), (7, 9),
    (8, 10), (9, 11), (2, 3), (1, 2), (1, 3), (2, 4), (3, 5), (4, 6), (5, 7),
)  # fmt: skip


def category(skeleton: Skeleton) -> dict[str, Any]:
    """The one entry of ``categories``; limbs are 1-based."""
    limbs = [(skeleton.index(a) + 1, skeleton.index(b) + 1) for a, b in skeleton.limbs]
    return {
        "supercategory": "person",
        "id": 1,
        "name": "person",
        "keypoints": list(skeleton.joints),
        "skeleton": [list(x) for x in (_POSETRACK18_LIMBS if skeleton == POSETRACK18 else limbs)],
    }


def check_writable(annotations: Annotations, path: Path | str) -> None:
    """UserError if the skeleton or a number is one that a reader would not get back."""
    if recognised(list(annotations.skeleton.joints)) != annotations.skeleton:
        raise UserError(
            f"{path}: joints are {annotations.skeleton.name}, expected {POSETRACK18.name} (or "
            "those of HiEve or COCO); convert with tdmi.data.annotations.on_skeleton"
        )
    _refuse_joints(annotations, path)
    known = ~np.isnan(annotations.head_box).all(axis=1)
    numbers = {
        "box": annotations.box,
        "head box": np.where(known[:, None], _width_height(annotations.head_box), np.nan),
        "score": annotations.score[:, None],
        "area": annotations.area[:, None],
    }
    for name, column in numbers.items():
        odd = ~np.isfinite(column).all(axis=1) & ~np.isnan(column).all(axis=1)
        if odd.any():
            person = np.flatnonzero(odd)[0]
            raise UserError(
                f"{path}: not written, {name} of a person in {_file_of(annotations, person)} is "
                f"{' '.join(map(str, column[person]))}, expected finite numbers (all NaN: unknown)"
            )
    for frame, polygons in enumerate(annotations.ignore_regions):
        if not all(np.isfinite(polygon).all() for polygon in polygons):
            raise UserError(
                f"{path}: not written, an ignore region of {annotations.frame_file[frame]} has a "
                "corner that is not finite, expected finite numbers; remove the region"
            )


def _refuse_joints(annotations: Annotations, path: Path | str) -> None:
    unfit = annotations.present & ~np.isfinite(annotations.keypoints).all(axis=2)
    unfit |= ~np.isfinite(annotations.joint_score)
    if unfit.any():
        person, joint = np.argwhere(unfit)[0]
        x, y = annotations.keypoints[person, joint]
        raise UserError(
            f"{path}: not written, {annotations.skeleton.joints[joint]} of a person in "
            f"{_file_of(annotations, person)} is at ({x}, {y}) with score "
            f"{annotations.joint_score[person, joint]}, expected finite numbers; the model that "
            "predicted it has probably diverged, train it again"
        )


def _file_of(annotations: Annotations, person: int) -> str:
    return annotations.frame_file[annotations.person_frame[person]]


def image_records(
    annotations: Annotations, frames: np.ndarray, image_id: np.ndarray
) -> list[dict[str, Any]]:
    """Records of the frames with rows `frames`, with the ids `image_id` [F].

    Width, height and ``nframes`` are left out where they are unknown; ``has_labeled_person`` where
    no frame of the video has it.
    """
    videos = annotations.frame_video[frames]
    boxed = np.zeros(len(annotations.video_names), dtype=bool)
    boxed[videos[annotations.frame_boxed[frames]]] = True
    records = []
    for frame, video, identity in zip(
        frames.tolist(), videos.tolist(), image_id[frames].tolist(), strict=True
    ):
        polygons = annotations.ignore_regions[frame]
        record = {
            "file_name": annotations.frame_file[frame],
            "id": identity,
            "frame_id": identity,
            "vid_id": annotations.video_names[video].split("_")[0],
            "is_labeled": bool(annotations.frame_labelled[frame]),
            "ignore_regions_x": [polygon[:, 0].tolist() for polygon in polygons],
            "ignore_regions_y": [polygon[:, 1].tolist() for polygon in polygons],
        }
        width, height = annotations.frame_size[frame].tolist()
        length = int(annotations.video_length[video])
        for key, value in (("width", width), ("height", height), ("nframes", length)):
            if value:
                record[key] = value
        if boxed[video]:
            record["has_labeled_person"] = bool(annotations.frame_boxed[frame])
        records.append(record)
    return records


def person_records(
    annotations: Annotations, people: np.ndarray, image_id: np.ndarray, flag: np.ndarray
) -> list[dict[str, Any]]:
    """Records of the persons with rows `people`, without ``id``.

    Joint flags are `flag` [N, J]. Absent joints are written as 0, 0, 0; ``scores`` are empty if no
    joint has one. Boxes, scores, areas and ids that are unknown are left out. ``head_box``
    (corners) stands beside ``bbox_head`` where adding the width to x would not give back the
    corner's last bit.
    """
    present = annotations.present[people]
    points = np.where(present[..., None], annotations.keypoints[people], 0.0)
    triples = np.empty((*present.shape, 3), dtype=object)  # whole flags beside real coordinates
    triples[..., :2] = points
    triples[..., 2] = np.where(present, flag[people], 0)
    corners = annotations.head_box[people].astype(np.float64)
    head = _width_height(corners)
    back = head[:, :2] + head[:, 2:]
    exact = (back.view(np.int64) == corners[:, 2:].view(np.int64)).all(axis=1)
    scores = annotations.joint_score[people]
    required = {
        "image_id": image_id[annotations.person_frame[people]],
        "keypoints": triples.reshape(len(people), 3 * present.shape[1]),
    }
    optional = {
        "track_id": (annotations.track_id[people], annotations.track_id[people] != NO_TRACK),
        "person_id": (
            annotations.person_id[people],
            annotations.person_id[people] != NO_PERSON_ID,
        ),
        "bbox": _known(annotations.box[people]),
        "bbox_head": _known(head),
        "head_box": (corners, _known(corners)[1] & ~exact),
        "score": _known(annotations.score[people]),
        "area": _known(annotations.area[people]),
        "iscrowd": (annotations.crowd[people].astype(np.int64), annotations.crowd[people]),
        "scores": (scores, (scores != UNSCORED).any(axis=1)),
    }
    records: list[dict[str, Any]] = [{"category_id": 1, "scores": []} for _ in people]
    for key, column in required.items():
        for record, value in zip(records, column.tolist(), strict=True):
            record[key] = value
    for key, (column, known) in optional.items():
        rows = np.flatnonzero(known)
        for row, value in zip(rows.tolist(), column[rows].tolist(), strict=True):
            records[row][key] = value
    for record, person in zip(records, people.tolist(), strict=True):
        if annotations.action[person]:
            record["action"] = annotations.action[person]
    return records


def posetrack_flag(annotations: Annotations, visible: int = 1) -> np.ndarray:
    """Third numbers [N, J] of joints: `visible`, or 0 for hidden ones.

    A hidden joint in the very corner (0, 0) of the picture gets -1: with 0 it would be absent.
    """
    corner = (annotations.keypoints == 0).all(axis=2)
    return np.where(annotations.visible, visible, np.where(corner, -1, 0))


def image_ids(annotations: Annotations) -> np.ndarray:
    """Ids [F] for one file of all videos: ``frame_id`` where they differ, else 1, 2, ..."""
    if len(np.unique(annotations.frame_id)) == annotations.frames:
        return annotations.frame_id
    return np.arange(1, annotations.frames + 1)


def with_areas(annotations: Annotations) -> Annotations:
    """Unknown areas as width times height, 0 without a box: COCO's tools demand one."""
    with np.errstate(over="ignore"):
        extent = annotations.box[:, 2] * annotations.box[:, 3]
    extent[np.isnan(extent)] = 0.0
    area = np.where(np.isnan(annotations.area), extent, annotations.area)
    return replace(annotations, area=area)


def _known(column: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    return column, np.isfinite(column).all(axis=tuple(range(1, column.ndim)))


def _width_height(corners: np.ndarray) -> np.ndarray:
    """[N, 4] x1, y1, x2, y2 -> x, y, width, height."""
    with np.errstate(over="ignore", invalid="ignore"):
        return np.concatenate([corners[:, :2], corners[:, 2:] - corners[:, :2]], axis=1)
