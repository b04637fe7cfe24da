"""Records of COCO-like files from columns: what `tdmi.formats.coco_reading` gives back."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from tdmi.core.errors import UserError
from tdmi.data.annotations import NO_PERSON_ID, NO_TRACK, UNSCORED, Annotations
from tdmi.data.records import Flags, Floats, Ints, Record
from tdmi.data.skeletons import POSETRACK18, Skeleton
from tdmi.formats.coco_reading import recognised
from tdmi.formats.files import check_finite, width_height

# COCO's own limb list (1-based), which every PoseTrack18 file repeats.
_POSETRACK18_LIMBS = (
    (16, 14), (14, 12), (17, 15), (15, 13), (12, 13), (6, 12), (7, 13), (6, 7), (6, 8), (7, 9),
    (8, 10), (9, 11), (2, 3), (1, 2), (1, 3), (2, 4), (3, 5), (4, 6), (5, 7),
)  # fmt: skip


def category(skeleton: Skeleton) -> Record:
    """Return the one entry of ``categories``; limbs are 1-based."""
    limbs = [(skeleton.index(a) + 1, skeleton.index(b) + 1) for a, b in skeleton.limbs]
    return {
        "supercategory": "person",
        "id": 1,
        "name": "person",
        "keypoints": list(skeleton.joints),
        "skeleton": [list(x) for x in (_POSETRACK18_LIMBS if skeleton == POSETRACK18 else limbs)],
    }


def check_writable(annotations: Annotations, path: Path | str) -> None:
    """Raise UserError if the skeleton or a number is one that a reader would not give back."""
    if recognised(list(annotations.skeleton.joints)) != annotations.skeleton:
        raise UserError(
            f"{path}: joints are {annotations.skeleton.name}, expected {POSETRACK18.name} (or "
            "those of HiEve or COCO); convert the labels with `tdmi data convert`"
        )
    check_finite(annotations, path)


def image_records(annotations: Annotations, frames: Ints) -> list[Record]:
    """Return the records of the frames with rows `frames`, without what is unknown."""
    videos = annotations.frame_video[frames]
    boxed = np.zeros(len(annotations.video_names), dtype=bool)
    boxed[videos[annotations.frame_boxed[frames]]] = True
    records = []
    for frame, video, identity in zip(
        frames.tolist(), videos.tolist(), annotations.frame_id[frames].tolist(), strict=True
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


def person_records(annotations: Annotations, people: Ints) -> list[Record]:
    """Return the records of the persons with rows `people`, without ``id`` and what is unknown.

    The third number of a joint is 1 if it is visible and 0 if it is hidden. A hidden joint in the
    very corner (0, 0) of the image gets -1: with 0 it would be absent. ``scores``, which
    PoseTrack21's evaluator demands, are empty if no joint has one. ``head_box`` (corners) stands
    beside ``bbox_head`` where adding the width to x would not give back the corner's last bit.
    """
    present = annotations.present[people]
    points = np.where(present[..., None], annotations.keypoints[people], 0.0)
    triples = np.empty((*present.shape, 3), dtype=object)  # whole flags beside real coordinates
    triples[..., :2] = points
    hidden = np.where((points == 0).all(axis=2) & present, -1, 0)
    triples[..., 2] = np.where(annotations.visible[people] & present, 1, hidden)
    corners = annotations.head_box[people].astype(np.float64)
    head = width_height(corners)
    back = head[:, :2] + head[:, 2:]
    exact = (back.view(np.int64) == corners[:, 2:].view(np.int64)).all(axis=1)
    scores = annotations.joint_score[people]
    everybody = np.ones(len(people), dtype=bool)
    tracks, identities = annotations.track_id[people], annotations.person_id[people]
    columns = {
        "image_id": (annotations.frame_id[annotations.person_frame[people]], everybody),
        "keypoints": (triples.reshape(len(people), 3 * present.shape[1]), everybody),
        "track_id": (tracks, tracks != NO_TRACK),
        "person_id": (identities, identities != NO_PERSON_ID),
        "bbox": _known(annotations.box[people]),
        "bbox_head": _known(head),
        "head_box": (corners, _known(corners)[1] & ~exact),
        "score": _known(annotations.score[people]),
        "area": _known(annotations.area[people]),
        "iscrowd": (annotations.crowd[people].astype(np.int64), annotations.crowd[people]),
        "scores": (scores, (scores != UNSCORED).any(axis=1)),
    }
    records: list[Record] = [{"category_id": 1, "scores": []} for _ in people]
    for key, (column, known) in columns.items():
        rows = np.flatnonzero(known)
        for row, value in zip(rows.tolist(), column[rows].tolist(), strict=True):
            records[row][key] = value
    for record, person in zip(records, people.tolist(), strict=True):
        if annotations.action[person]:
            record["action"] = annotations.action[person]
    return records


def _known(column: Floats) -> tuple[Floats, Flags]:
    return column, np.isfinite(column).all(axis=tuple(range(1, column.ndim)))
