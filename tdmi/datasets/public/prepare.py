"""Prepare a checked copy of a public data set for training and evaluation: one form for all four.

`<root>/prepared` then looks like every other data set of this project: `annotations/<split>/` with
one PoseTrack18-form file per video, which lists every frame of the video with its size and gives
every person a box; `boxes/val.json` with the detector's boxes; a link to the images; and
`dataset.json`, written last, which records its sources.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from tqdm import tqdm

from tdmi.clips.frames import is_frame, picture_size
from tdmi.core.errors import UserError
from tdmi.core.files import (
    check_no_links,
    digest,
    hashes_of_folder,
    read_json,
    replacing_folder,
    sha256_of,
    write_json,
)
from tdmi.core.locks import exclusive_writer
from tdmi.data.annotations import Annotations, concatenate, frame_numbers, select_videos
from tdmi.data.detections import write_detections
from tdmi.data.judging import check_judgeable
from tdmi.datasets.public.check.published import release_of
from tdmi.datasets.public.hieve_frames import extract_frames
from tdmi.datasets.public.layout import LAYOUTS
from tdmi.formats import hieve, posetrack18
from tdmi.formats.conversion import to_posetrack18
from tdmi.formats.posetrack import label_files, read_video_file
from tdmi.formats.precomputed_boxes import read_boxes

SPLITS = ("train", "val")


def prepare(name: str, root: Path | str, detected_boxes: bool = True) -> dict[str, Any]:
    """Write `<root>/prepared` for the data set `name` and return its record.

    The folder appears only when complete; one from before is replaced. `detected_boxes`: whether
    the detector's boxes `<root>/boxes/val.json` are needed.
    UserError: labels, images or boxes that are missing or do not belong together.
    """
    root = Path(root)
    boxes_file = root / "boxes" / "val.json"
    if detected_boxes and not boxes_file.is_file():
        raise UserError(
            f"{boxes_file}: no such file, expected the detector's boxes of the validation split; "
            f"put a published box file there, make one with `tdmi data detect --root {root} "
            "--split val`, or take detected_boxes out of the suite's box_protocols"
        )
    target = root / "prepared"
    check_no_links(root, ["prepared"])
    record: dict[str, Any] = {"name": name, "counts": {}, "labels_sha256": {}, "notes": []}
    with exclusive_writer(target), replacing_folder(target) as temporary:
        (temporary / "images").symlink_to(Path("..") / "images", target_is_directory=True)
        for split in SPLITS:
            annotations, notes = prepared_split(name, root, split)
            folder = temporary / "annotations" / split
            posetrack18.write_folder(annotations, folder)
            record["counts"][split] = {
                "videos": len(annotations.video_names),
                "frames": annotations.frames,
                "labelled_frames": int(annotations.frame_labelled.sum()),
                "persons": annotations.persons,
                "joints": int(annotations.present.sum()),
            }
            record["labels_sha256"][split] = digest(hashes_of_folder(folder))
            record["notes"] += notes
            if split == "val":
                record["release"] = release(name, root, annotations)
                if detected_boxes:
                    boxes = read_boxes(boxes_file, annotations)
                    write_detections(boxes, temporary / "boxes" / "val.json")
                    record["boxes_sha256"] = sha256_of(boxes_file)
        write_json(temporary / "dataset.json", record)
    return record


def prepared_split(name: str, root: Path, split: str) -> tuple[Annotations, list[str]]:
    """Annotations of one split as training needs them, and notes on what they do not hold."""
    if name == "hieve":
        videos = hieve.TRAIN_VIDEOS if split == "train" else hieve.VALIDATION_VIDEOS
        notes = extract_frames(root, videos)
        annotations = hieve.read_labels(root, videos)
    else:
        folder = root / LAYOUTS[name].label_folders[split]
        annotations, notes = to_posetrack18(read_labels(folder))
    if split == "val":
        check_judgeable(annotations)
    prepared = [
        with_all_frames(select_videos(annotations, [video]), root)
        for video in tqdm(annotations.video_names, desc=f"{name} {split}", disable=None)
    ]
    return concatenate(prepared), notes


def release(name: str, root: Path, annotations: Annotations) -> str:
    """Label release by the number of validation videos; of a subset, the fetched one as well."""
    detected = release_of(name, annotations.video_names)
    acquired = root / "acquired.json"
    fetched = read_json(acquired).get("labels") if acquired.exists() else None
    return f"{fetched}, subset" if detected == "subset" and fetched else detected


def read_labels(folder: Path) -> Annotations:
    """Every video of a split in its own joint set."""
    files = label_files(folder)
    return concatenate([read_video_file(f) for f in tqdm(files, desc=str(folder), disable=None)])


def with_all_frames(annotations: Annotations, root: Path) -> Annotations:
    """One video with every frame that its image folder holds, in the order of their numbers.

    Labels often list only the frames they cover, but neighbours of those are wanted too. Frames
    added are unlabelled; their ids count on from the listed ones in the same steps. All have the
    size of the first. UserError if a listed frame has no image.
    """
    folder = annotations.frame_file[0].rpartition("/")[0]
    # Hidden files are no pictures but companions of some.
    names = sorted(p.name for p in (root / folder).iterdir() if is_frame(p.name))
    numbers = frame_numbers(names, np.full(len(names), -1))
    by_number = np.argsort(numbers, kind="stable")
    on_disk, numbers = [names[i] for i in by_number], numbers[by_number]
    listed = [file.rpartition("/")[2] for file in annotations.frame_file]
    missing = sorted(set(listed) - set(on_disk))
    if missing:
        raise UserError(
            f"{root / folder}: {len(missing)} of {len(listed)} frames that the labels name are "
            f"missing, {missing[0]} first; see `tdmi data check` for everything that is missing"
        )
    row = {name: i for i, name in enumerate(listed)}
    order = np.array([row.get(name, -1) for name in on_disk])
    known = order >= 0
    first = int(np.flatnonzero(known)[0])
    ids = annotations.frame_id[order[first]] + numbers - numbers[first]
    ids[known] = annotations.frame_id[order[known]]
    if len(set(ids.tolist())) < len(ids):
        raise UserError(
            f"{root / folder}: image ids of the labels do not count with the frame numbers, so "
            "frames between them cannot be numbered; use the original per-video labels"
        )
    place = np.empty(annotations.frames, dtype=np.int64)
    place[order[known]] = np.flatnonzero(known)
    person_frame = place[annotations.person_frame]
    if (np.diff(person_frame) < 0).any():
        raise UserError(
            f"{root / folder}: the labels list their frames out of order; "
            "see `tdmi data check` for where"
        )
    size = picture_size(root / folder / on_disk[0])
    return replace(
        annotations,
        frame_video=np.zeros(len(on_disk), dtype=np.int64),
        frame_index=np.arange(len(on_disk)),
        frame_file=[f"{folder}/{name}" for name in on_disk],
        frame_id=ids,
        frame_number=numbers,
        frame_labelled=known & annotations.frame_labelled[order],
        frame_annotated=known & annotations.frame_annotated[order],
        frame_boxed=known & annotations.frame_boxed[order],
        frame_size=np.tile(np.array(size, dtype=np.int64), (len(on_disk), 1)),
        video_length=np.array([len(on_disk)]),
        ignore_regions=[annotations.ignore_regions[i] if i >= 0 else [] for i in order],
        person_frame=person_frame,
    )
