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

from tdmi.core.files import check_no_links, read_json, write_json
from tdmi.core.locks import exclusive_writer
from tdmi.data.annotations import Annotations, concatenate, unknown_persons
from tdmi.data.attributes import write_attributes
from tdmi.data.detections import Detections, write_detections
from tdmi.data.integrity import sha256_of_folder
from tdmi.data.skeletons import POSETRACK18
from tdmi.datasets.mocap.boxes import simulate_boxes
from tdmi.datasets.mocap.families import Library, load_library, source_records
from tdmi.datasets.mocap.labels import ATTRIBUTES, ignore_polygon, joint_points, label_frame
from tdmi.datasets.mocap.options import MocapOptions
from tdmi.datasets.mocap.render import cover_at, render_frames
from tdmi.datasets.mocap.scene import sample_scene
from tdmi.formats.posetrack18 import write_folder

SPLITS = ("train", "val", "test")
FIRST_NUMBER = {"train": 900001, "val": 910001, "test": 920001}
"""Number of each split's first video; PoseTrack's own numbers are far lower."""


@dataclass(frozen=True)
class Video:
    """One generated video."""

    images: list[np.ndarray]  # [F] of [height, width, 3] uint8 BGR
    annotations: Annotations
    boxes: Detections
    attributes: list[dict[str, float]]  # One row per labelled person, in the order of `annotations`
    families: Counter[str]  # Labelled people by motion family


def generate_split(
    options: MocapOptions, split: str, sources: Path | str, root: Path | str
) -> dict:
    """Write one split under `root` and return its record, the content of `dataset-<split>.json`.

    Everything is written beside its place first; the record comes last. Splits are independent, so
    three processes may make them at the same time; the last one writes `dataset.json`.
    """
    root = Path(root)
    library = load_library(sources, split)
    record = {
        "name": "mocap",
        "split": split,
        "seed": options.seed,
        "options": dataclasses.asdict(options),
        "sources": source_records(sources),
    }
    folders = f"images/{split}", f"annotations/{split}"
    files = [*folders, f"boxes/{split}.json", f"attributes/{split}.csv"]
    check_no_links(root, files)
    with exclusive_writer(root.with_name(f"{root.name}-{split}")):
        root.mkdir(parents=True, exist_ok=True)
        for leftover in root.glob(f".{split}.*.part"):  # of a killed process
            shutil.rmtree(leftover)
        temporary = root / f".{split}.{os.getpid()}.part"
        try:
            record["counts"] = _write_videos(options, split, library, temporary)
            record["sha256"] = sha256_of_folder(temporary)
            for name in (f"dataset-{split}.json", "dataset.json"):
                (root / name).unlink(missing_ok=True)
            for name in files:
                (root / name).parent.mkdir(parents=True, exist_ok=True)
                if name in folders:
                    shutil.rmtree(root / name, ignore_errors=True)
                (temporary / name).replace(root / name)
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
        (folder / video.annotations.frame_file[0]).parent.mkdir(parents=True)
        for file, image in zip(video.annotations.frame_file, video.images, strict=True):
            _, data = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, options.jpeg_quality])
            (folder / file).write_bytes(data.tobytes())
        annotations.append(video.annotations)
        boxes.append(video.boxes)
        attributes += video.attributes
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
    number, count = FIRST_NUMBER[split] + index, len(images)
    name = f"{number:06d}_mpiinew_mocap"
    image_ids = 3 * 10**10 + number * 10**4 + np.arange(count, dtype=np.int64)
    tracks = [scene.camera.project(joint_points(person.points)) for person in scene.people]
    is_labelled = np.array([options.is_labelled(split, frame) for frame in range(count)])
    labels, boxes = [], []
    for frame, instant in enumerate(scene.schedule.middle):
        cover = cover_at(scene, int(instant))
        everyone = label_frame(scene, cover, frame, tracks, options.ignore_below)
        labels.append(everyone if is_labelled[frame] else [])
        found = simulate_boxes(for_boxes, everyone, options)
        boxes += [(image_ids[frame], box, score) for box, score in found]
    people = [[label for label in everyone if label.labelled] for everyone in labels]
    regions = [
        [ignore_polygon(label, scene.camera) for label in everyone if not label.labelled]
        for everyone in labels
    ]
    rows = [(frame, i, label) for frame in range(count) for i, label in enumerate(people[frame])]
    columns = unknown_persons(np.array([frame for frame, _, _ in rows], np.int64), POSETRACK18)
    attributes = []
    for row, (frame, i, label) in enumerate(rows):
        columns["track_id"][row] = label.person
        for column in ("keypoints", "present", "visible", "box", "head_box"):
            columns[column][row] = getattr(label, column)
        image_id = int(image_ids[frame])
        # Annotation ids are those of the PoseTrack18 writer.
        keys = {"image_id": image_id, "annotation_id": 100 * image_id + i, "track_id": label.person}
        values = {name: round(float(label.attributes[name]), 4) for name in ATTRIBUTES}
        attributes.append(keys | values)
    annotations = Annotations(
        skeleton=POSETRACK18,
        video_names=[name],
        video_length=np.array([count]),
        frame_video=np.zeros(count, np.int64),
        frame_index=np.arange(count, dtype=np.int64),
        frame_file=[f"images/{split}/{name}/{i:06d}.jpg" for i in range(count)],
        frame_id=image_ids,
        frame_labelled=is_labelled,
        frame_annotated=np.array([bool(everyone) for everyone in people]),
        ignore_regions=regions,
        **columns,
    )
    detections = Detections(
        image_id=np.array([image for image, _, _ in boxes], np.int64),
        category_id=np.ones(len(boxes), np.int64),
        box=np.array([box for _, box, _ in boxes], float).reshape(-1, 4),
        score=np.array([score for _, _, score in boxes], float),
    )
    families = Counter(scene.people[label.person].family for _, _, label in rows)
    return Video(images, annotations, detections, attributes, families)


def _write_summary(root: Path) -> None:
    """Write `dataset.json` once all splits with the same options are there."""
    paths = [root / f"dataset-{split}.json" for split in SPLITS]
    records = [read_json(path) for path in paths if path.is_file()]
    shared = [{k: r[k] for k in ("name", "seed", "options", "sources")} for r in records]
    if len(records) < len(SPLITS) or any(each != shared[0] for each in shared):
        return
    hashes = {record["split"]: record["sha256"] for record in records}
    text = "".join(f"{split} {hashes[split]}\n" for split in SPLITS)
    summary = shared[0] | {
        "counts": {record["split"]: record["counts"] for record in records},
        "splits_sha256": hashes,
        "sha256": hashlib.sha256(text.encode()).hexdigest(),
    }
    write_json(root / "dataset.json", summary)
