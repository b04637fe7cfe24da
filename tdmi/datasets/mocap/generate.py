"""Generate the data set, one split at a time, onto disk."""

from __future__ import annotations

import dataclasses
import hashlib
import os
import shutil
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from tqdm import tqdm

from tdmi.core.files import read_json, write_json
from tdmi.core.locks import exclusive_writer
from tdmi.data.annotations import UNSCORED, Annotations, concatenate
from tdmi.data.attributes import write_attributes
from tdmi.data.detections import Detections, write_detections
from tdmi.data.integrity import sha256_of_folder
from tdmi.data.skeletons import POSETRACK18
from tdmi.datasets.mocap.boxes import simulate_boxes
from tdmi.datasets.mocap.families import Library, load_library, source_records
from tdmi.datasets.mocap.labels import (
    ATTRIBUTES,
    Label,
    ignore_polygon,
    joint_points,
    label_frame,
)
from tdmi.datasets.mocap.options import MocapOptions
from tdmi.datasets.mocap.render import cover_at, render_frames
from tdmi.datasets.mocap.scene import Scene, sample_scene
from tdmi.formats.posetrack18 import write_folder

SPLITS = ("train", "val", "test")
FIRST_NUMBER = {"train": 900001, "val": 910001, "test": 920001}
"""Number of each split's first video; PoseTrack's own numbers are far lower."""


@dataclass(frozen=True)
class Video:
    """One generated video."""

    name: str
    images: list[np.ndarray]
    """[F] of [height, width, 3] uint8 BGR."""
    annotations: Annotations
    boxes: Detections
    attributes: list[dict[str, float]]
    """One row per labelled person, in the order of `annotations`."""
    families: Counter[str]
    """Labelled people by motion family."""


def generate_split(
    options: MocapOptions, split: str, sources: Path | str, root: Path | str
) -> dict:
    """Write one split under `root` and return its record, the content of `dataset-<split>.json`.

    Everything is written beside its place first; the record comes last. Splits are independent, so
    three processes may make them at the same time; the last one writes `dataset.json`.
    """
    root = Path(root)
    library = load_library(sources, split)
    with exclusive_writer(root.with_name(f"{root.name}-{split}")):
        return _generate(options, split, library, source_records(sources), root)


def _generate(
    options: MocapOptions, split: str, library: Library, sources: dict, root: Path
) -> dict:
    root.mkdir(parents=True, exist_ok=True)
    for leftover in root.glob(f".{split}.*.part"):  # of a killed process
        shutil.rmtree(leftover)
    temporary = root / f".{split}.{os.getpid()}.part"
    try:
        counts = _write_videos(options, split, library, temporary)
        record = {
            "name": "mocap",
            "split": split,
            "seed": options.seed,
            "options": dataclasses.asdict(options),
            "sources": sources,
            "counts": counts,
            "sha256": sha256_of_folder(temporary),
        }
        _move_into_place(temporary, root, split)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
    write_json(root / f"dataset-{split}.json", record)
    _write_summary(root)
    return record


def _write_videos(
    options: MocapOptions, split: str, library: Library, folder: Path
) -> dict[str, object]:
    cv2.setNumThreads(1)
    annotations, boxes, attributes = [], [], []
    families: Counter[str] = Counter()
    for index in tqdm(range(options.videos[split]), desc=f"mocap {split}", unit="video"):
        video = generate_video(options, split, library, index)
        _write_images(video, folder / "images" / split / video.name, options.jpeg_quality)
        annotations.append(video.annotations)
        boxes.append(video.boxes)
        attributes.extend(video.attributes)
        families += video.families
    merged = concatenate(annotations)
    write_folder(merged, folder / "annotations" / split)
    columns = {
        f.name: np.concatenate([getattr(b, f.name) for b in boxes])
        for f in dataclasses.fields(Detections)
    }
    write_detections(Detections(**columns), folder / "boxes" / f"{split}.json")
    write_attributes(folder / "attributes" / f"{split}.csv", ATTRIBUTES, attributes)
    return {
        "videos": len(merged.video_names),
        "frames": merged.frames,
        "labelled_frames": int(merged.frame_labelled.sum()),
        "persons": merged.persons,
        "ignore_regions": sum(len(regions) for regions in merged.ignore_regions),
        "boxes": len(columns["score"]),
        "persons_by_family": dict(sorted(families.items())),
    }


def generate_video(options: MocapOptions, split: str, library: Library, index: int) -> Video:
    """Generate video `index` of a split; it depends on the seed, the split and the index alone."""
    seeds = np.random.SeedSequence([options.seed, SPLITS.index(split), index]).spawn(3)
    for_scene, for_noise, for_boxes = (np.random.Generator(np.random.PCG64(s)) for s in seeds)
    scene = sample_scene(for_scene, options, library, split)
    images = render_frames(scene, for_noise)
    number = FIRST_NUMBER[split] + index
    name = f"{number:06d}_mpiinew_mocap"
    tracks = [scene.camera.project(joint_points(person.points)) for person in scene.people]
    labels, boxes = [], []
    for frame, instant in enumerate(scene.schedule.middle):
        cover = cover_at(scene, int(instant))
        everyone = label_frame(scene, cover, frame, tracks, options.ignore_below)
        labels.append(everyone if options.is_labelled(split, frame) else None)
        boxes.append(simulate_boxes(for_boxes, everyone, options))
    image_ids = 3 * 10**10 + number * 10**4 + np.arange(len(images))
    rows = _attribute_rows(labels, image_ids)
    families = Counter(
        scene.people[label.person].family for frame in labels for label in _labelled(frame)
    )
    annotations = _annotations(scene, labels, image_ids, split, name)
    return Video(name, images, annotations, _detections(boxes, image_ids), rows, families)


def _labelled(labels: list[Label] | None) -> list[Label]:
    return [label for label in labels or [] if label.labelled]


def _annotations(
    scene: Scene,
    labels: list[list[Label] | None],
    image_ids: np.ndarray,
    split: str,
    name: str,
) -> Annotations:
    count = len(labels)
    people = [(frame, label) for frame, all_ in enumerate(labels) for label in _labelled(all_)]
    regions = [
        [ignore_polygon(label, scene.camera) for label in all_ or [] if not label.labelled]
        for all_ in labels
    ]
    n, joints = len(people), len(POSETRACK18)

    def column(values: list[np.ndarray], *shape: int) -> np.ndarray:
        return np.array(values).reshape(n, *shape)

    return Annotations(
        skeleton=POSETRACK18,
        video_names=[name],
        video_length=np.array([count]),
        frame_video=np.zeros(count, np.int64),
        frame_index=np.arange(count, dtype=np.int64),
        frame_file=[f"images/{split}/{name}/{i:06d}.jpg" for i in range(count)],
        frame_id=image_ids.astype(np.int64),
        frame_labelled=np.array([all_ is not None for all_ in labels]),
        frame_annotated=np.array([bool(_labelled(all_)) for all_ in labels]),
        ignore_regions=regions,
        person_frame=np.array([frame for frame, _ in people], np.int64),
        track_id=np.array([label.person for _, label in people], np.int64),
        keypoints=column([label.keypoints for _, label in people], joints, 2).astype(float),
        present=column([label.present for _, label in people], joints).astype(bool),
        visible=column([label.visible for _, label in people], joints).astype(bool),
        joint_score=np.full((n, joints), UNSCORED),
        box=column([label.box for _, label in people], 4).astype(float),
        head_box=column([label.head_box for _, label in people], 4).astype(float),
        score=np.full(n, np.nan),
        area=np.full(n, np.nan),
        crowd=np.zeros(n, bool),
    )


def _detections(boxes: list[list[tuple[np.ndarray, float]]], image_ids: np.ndarray) -> Detections:
    found = [(image_ids[i], box, score) for i, one in enumerate(boxes) for box, score in one]
    return Detections(
        image_id=np.array([image for image, _, _ in found], np.int64),
        category_id=np.ones(len(found), np.int64),
        box=np.array([box for _, box, _ in found], float).reshape(-1, 4),
        score=np.array([score for _, _, score in found], float),
    )


def _attribute_rows(
    labels: list[list[Label] | None], image_ids: np.ndarray
) -> list[dict[str, float]]:
    """Rows of the attribute table, with the annotation ids of the PoseTrack18 writer."""
    rows = []
    for frame, all_ in enumerate(labels):
        for place, label in enumerate(_labelled(all_)):
            image_id = int(image_ids[frame])
            row = {
                "image_id": image_id,
                "annotation_id": 100 * image_id + place,
                "track_id": label.person,
            }
            rows.append(row | {key: round(float(label.attributes[key]), 4) for key in ATTRIBUTES})
    return rows


def _write_images(video: Video, folder: Path, quality: int) -> None:
    folder.mkdir(parents=True)
    for i, image in enumerate(video.images):
        _, data = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, quality])
        (folder / f"{i:06d}.jpg").write_bytes(data.tobytes())


def _move_into_place(temporary: Path, root: Path, split: str) -> None:
    (root / f"dataset-{split}.json").unlink(missing_ok=True)
    (root / "dataset.json").unlink(missing_ok=True)
    for name in (f"images/{split}", f"annotations/{split}", f"boxes/{split}.json",
                 f"attributes/{split}.csv"):  # fmt: skip
        target = root / name
        target.parent.mkdir(parents=True, exist_ok=True)
        if target.is_dir():
            shutil.rmtree(target)
        (temporary / name).replace(target)


def _write_summary(root: Path) -> None:
    """Write `dataset.json` once all splits with the same options are there."""
    paths = [root / f"dataset-{split}.json" for split in SPLITS]
    if not all(path.is_file() for path in paths):
        return
    records = [read_json(path) for path in paths]
    shared = ("name", "seed", "options", "sources")
    if any(record[key] != records[0][key] for record in records for key in shared):
        return
    hashes = {record["split"]: record["sha256"] for record in records}
    text = "".join(f"{split} {hashes[split]}\n" for split in SPLITS)
    summary = {key: records[0][key] for key in shared}
    summary["counts"] = {record["split"]: record["counts"] for record in records}
    summary["splits_sha256"] = hashes
    summary["sha256"] = hashlib.sha256(text.encode()).hexdigest()
    write_json(root / "dataset.json", summary)
