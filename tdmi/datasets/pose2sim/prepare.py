"""Build the pose2sim data set on disk from the fetched videos and the committed pseudo-labels.

The splits are by camera: all views show the same person and the same movement, so a held-out
camera is a new view of known poses, not a new person or a new movement.
"""

from __future__ import annotations

from dataclasses import asdict, fields
from pathlib import Path

import cv2
import numpy as np
from tqdm import tqdm

from tdmi.core.errors import UserError
from tdmi.core.files import replacing_folder, sha256_of, write_json
from tdmi.core.locks import exclusive_writer
from tdmi.data.annotations import Annotations, concatenate, unknown_persons
from tdmi.data.attributes import write_attributes
from tdmi.data.detections import Detections, write_detections
from tdmi.data.integrity import sha256_of_folder
from tdmi.data.records import Floats, Record
from tdmi.data.skeletons import POSETRACK18
from tdmi.datasets.mocap.boxes import clipped, jittered, overlap
from tdmi.datasets.mocap.labels import ATTRIBUTES, HEAD_SIZE, pace, person_box
from tdmi.datasets.pose2sim.calibration import Camera
from tdmi.datasets.pose2sim.joints import head_boxes
from tdmi.datasets.pose2sim.labels import LABELS, PseudoLabels, read_labels
from tdmi.datasets.pose2sim.options import SPLITS, Pose2simOptions
from tdmi.datasets.pose2sim.videos import read_frames, video_path
from tdmi.formats.posetrack18 import write_folder

FIRST_NUMBER = 950000
"""Number of a camera's video is this plus the camera's place in the calibration, from 1."""
EARS = (POSETRACK18.index("left_ear"), POSETRACK18.index("right_ear"))
BYSTANDERS = {
    "cam01": ((0, 285), (135, 285), (135, 775), (0, 775)),
    "cam02": ((745, 472), (872, 472), (872, 898), (745, 898)),
}
"""Corners in pixels of the full frames around a second person who stands in the background of two
views and has no labels: an ignore region."""


def prepare(
    options: Pose2simOptions,
    sources: Path | str,
    root: Path | str,
    labels: Path | str = LABELS,
) -> Record:
    """Write the whole data set under `root` and return the content of its `dataset.json`.

    UserError: a video is missing, damaged or shorter than the pseudo-labels, a camera is unknown,
    or `root` holds something else than an earlier data set.
    """
    root = Path(root)
    if root.exists() and any(root.iterdir()) and not (root / "dataset.json").is_file():
        raise UserError(f"{root}: holds other files, expected a new folder or an earlier data set")
    known = read_labels(labels)
    names = [name for split in SPLITS for name in options.cameras[split]]
    for name in names:
        if name not in known.cameras:
            raise UserError(
                f"option cameras: no {name} in {labels}, only {', '.join(known.cameras)}"
            )
    with exclusive_writer(root), replacing_folder(root) as temporary:
        counts = {
            split: _write_split(options, split, known, Path(sources), temporary) for split in SPLITS
        }
        record = {
            "name": "pose2sim",
            "labels": "pseudo-labels",
            "seed": options.seed,
            "options": asdict(options),
            "sources": {
                "pseudo_labels": sha256_of(labels),
                "videos": {name: sha256_of(video_path(sources, name)) for name in names},
            },
            "counts": counts,
            "sha256": sha256_of_folder(temporary),
        }
        write_json(temporary / "dataset.json", record)
    return record


def _write_split(
    options: Pose2simOptions, split: str, labels: PseudoLabels, sources: Path, folder: Path
) -> dict[str, int]:
    parts, boxes, rows = [], [], []
    for name in options.cameras[split]:
        camera = labels.cameras[name]
        number = FIRST_NUMBER + 1 + list(labels.cameras).index(name)
        video = f"{number}_mpiinew_{name}"
        images = folder / "images" / split / video
        size = _write_images(options, video_path(sources, name), images, camera, len(labels.joints))
        part = annotate(options, split, labels, camera, video)
        parts.append(part)
        boxes.append(_simulate_boxes(options, part, number, size))
        rows += _attributes(options, labels, camera, part)
    merged = concatenate(parts)
    write_folder(merged, folder / "annotations" / split)
    columns = [[getattr(part, field.name) for part in boxes] for field in fields(Detections)]
    found = Detections(*map(np.concatenate, columns))
    write_detections(found, folder / "boxes" / f"{split}.json")
    write_attributes(folder / "attributes" / f"{split}.csv", ATTRIBUTES, rows)
    return {
        "videos": len(merged.video_names),
        "frames": merged.frames,
        "labelled_frames": int(merged.frame_labelled.sum()),
        "persons": merged.persons,
        "boxes": len(found.score),
    }


def annotate(
    options: Pose2simOptions, split: str, labels: PseudoLabels, camera: Camera, video: str
) -> Annotations:
    """Return the pseudo-labels of one view, in pixels of the scaled images.

    Every joint whose place lies inside the image is annotated, seen or not, because its place is
    known from the other views; the ears stay empty as in PoseTrack18.
    """
    joints = labels.joints[:: options.step]
    frames = len(joints)
    labelled = np.arange(frames) % options.label_stride[split] == 0
    keypoints = _scaled(camera.project(joints[labelled]), options.scale)
    limit = np.array([camera.width, camera.height]) * options.scale - 1
    present = ((keypoints >= 0) & (keypoints <= limit)).all(-1)
    present[:, EARS] = False
    heads = head_boxes(joints[labelled], camera).reshape(-1, 2, 2)
    boxes = [person_box(one[there]) for one, there in zip(keypoints, present, strict=True)]
    corners = np.array(BYSTANDERS.get(camera.name, np.empty((0, 2))), dtype=np.float64)
    regions = [_scaled(corners, options.scale)] if len(corners) else []
    number = int(video.split("_")[0])
    persons = unknown_persons(np.flatnonzero(labelled), POSETRACK18) | {
        "track_id": np.zeros(len(keypoints), np.int64),
        "keypoints": np.where(present[..., None], np.round(keypoints, 3), 0.0),
        "present": present,
        "visible": present.copy(),
        "box": np.array(boxes),
        "head_box": np.round(_scaled(heads, options.scale).reshape(-1, 4), 3),
    }
    return Annotations(
        skeleton=POSETRACK18,
        video_names=[video],
        video_length=np.array([frames]),
        frame_video=np.zeros(frames, np.int64),
        frame_index=np.arange(frames),
        frame_file=[f"images/{split}/{video}/{index:06d}.jpg" for index in range(frames)],
        frame_id=3 * 10**10 + number * 10**4 + np.arange(frames),
        frame_labelled=labelled,
        frame_annotated=labelled.copy(),
        ignore_regions=[regions if flag else [] for flag in labelled],
        **persons,
    )


def _scaled(pixels: Floats, scale: float) -> Floats:
    """Scale pixels of the full frame; integer coordinates are pixel centres."""
    return (pixels + 0.5) * scale - 0.5


def _write_images(
    options: Pose2simOptions, video: Path, folder: Path, camera: Camera, expected: int
) -> tuple[int, int]:
    """Write every step-th frame, scaled; return width and height of the images."""
    size = (round(camera.width * options.scale), round(camera.height * options.scale))
    folder.mkdir(parents=True)
    count = 0
    for frame in tqdm(read_frames(video), desc=f"pose2sim {camera.name}", total=expected):
        if frame.shape[:2] != (camera.height, camera.width):
            raise UserError(
                f"{video}: frames are {frame.shape[1]} x {frame.shape[0]}, expected "
                f"{camera.width} x {camera.height}; fetch the listed version again"
            )
        if count % options.step == 0:
            small = cv2.resize(frame, size, interpolation=cv2.INTER_AREA)
            quality = [cv2.IMWRITE_JPEG_QUALITY, options.jpeg_quality]
            _, data = cv2.imencode(".jpg", small, quality)
            (folder / f"{count // options.step:06d}.jpg").write_bytes(data.tobytes())
        count += 1
    if count != expected:
        raise UserError(
            f"{video}: {count} readable frames, expected {expected}; the file is damaged: "
            "remove it and run 'tdmi data fetch pose2sim'"
        )
    return size


def _simulate_boxes(
    options: Pose2simOptions, part: Annotations, number: int, size: tuple[int, int]
) -> Detections:
    """Return a box per person and frame: the labelled one moved and resized, scored by overlap."""
    rng = np.random.Generator(np.random.PCG64(np.random.SeedSequence([options.seed, number])))
    noise = rng.normal(size=(part.persons, 2, 2)) * options.box_jitter
    found = [clipped(jittered(b, *n), *size) for b, n in zip(part.box, noise, strict=True)]
    pairs = zip(found, part.box, strict=True)
    scores = [round(0.3 + 0.69 * overlap(box, clipped(true, *size)), 4) for box, true in pairs]
    persons = np.ones(part.persons, np.int64)
    box = np.array(found).reshape(-1, 4)
    return Detections(part.frame_id[part.person_frame], persons, box, np.array(scores))


def _attributes(
    options: Pose2simOptions, labels: PseudoLabels, camera: Camera, part: Annotations
) -> list[dict[str, float]]:
    """Return a row per person.

    Speed is in head sizes per frame (mean over joints and neighbouring frames), truncation the
    share of joints outside the image. Other attributes are unknown and stay empty.
    """
    track = _scaled(camera.project(labels.joints[:: options.step]), options.scale)
    rows = []
    for person, frame in enumerate(part.person_frame):
        head = HEAD_SIZE * float(np.hypot(*np.subtract(*np.split(part.head_box[person], 2))))
        present = part.present[person]
        image_id = int(part.frame_id[frame])
        rows.append(
            {
                "image_id": image_id,
                "annotation_id": 100 * image_id,
                "track_id": int(part.track_id[person]),
                "speed": round(pace(track[:, present], frame) / head, 4),
                "truncation": round(1 - float(present.sum()) / (len(present) - len(EARS)), 4),
            }
        )
    return rows
