"""Small copies of the four big data sets, of exactly their form, made from the embedded data.

`make_<name>(mocap, tree)` writes a tree as it looks after unpacking, with this project's writers;
`pack(name, tree, served)` turns it into the published archives, by their names, for a server to
offer. Frames and labels are the embedded data's.
"""

from __future__ import annotations

import io
import shutil
import struct
import tarfile
import zlib
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np

from tdmi.core.files import write_json, write_text
from tdmi.data.annotations import Annotations, concatenate, on_skeleton, select_videos
from tdmi.data.detections import read_detections
from tdmi.data.skeletons import HIEVE
from tdmi.datasets.mocap.generate import generate_split
from tdmi.datasets.mocap.options import MocapOptions
from tdmi.formats import hieve, posetrack17_matlab, posetrack18
from tdmi.formats.conversion import to_posetrack17
from tdmi.formats.hieve import annolist
from tdmi.formats.hieve.labels import LABELS

SPLITS = ("train", "val")
# HiEve's split is fixed by video numbers, so it needs all 19; two videos a split do for the others.
VIDEOS = {"train": len(hieve.TRAIN_VIDEOS), "val": len(hieve.VALIDATION_VIDEOS), "test": 1}
SMALL = MocapOptions(
    videos=VIDEOS, frames={"train": 6, "val": 5, "test": 5}, label_margin=1, blur_samples=3
)


def make_mocap(sources: Path, root: Path, options: MocapOptions = SMALL) -> Path:
    for split in SPLITS:
        generate_split(options, split, sources, root)
    return root


def read_split(mocap: Path, split: str, videos: int | None = 2) -> Annotations:
    whole = posetrack18.read_folder(mocap / "annotations" / split)
    return select_videos(whole, whole.video_names[:videos])


def make_posetrack18(mocap: Path, tree: Path) -> None:
    for split in SPLITS:
        part = read_split(mocap, split)
        copy_frames(mocap, part.frame_file, tree, part.frame_file)
        posetrack18.write_folder(with_lengths(part), tree / "annotations" / split)
    write_boxes(mocap, tree, read_split(mocap, "val"), read_split(mocap, "val"))


def make_posetrack21(mocap: Path, tree: Path) -> None:
    """Identities across videos, everybody in a box, one person without joints."""
    for split in SPLITS:
        part = read_split(mocap, split)
        copy_frames(mocap, part.frame_file, tree, part.frame_file)
        bare = np.arange(part.persons) == part.persons - 1
        part = replace(
            with_lengths(part),
            person_id=100 * part.frame_video[part.person_frame] + part.track_id,
            frame_boxed=part.frame_annotated,
            keypoints=np.where(bare[:, None, None], 0.0, part.keypoints),
            present=part.present & ~bare[:, None],
            visible=part.visible & ~bare[:, None],
        )
        posetrack18.write_folder(part, tree / "posetrack_data" / split)
    write_boxes(mocap, tree, read_split(mocap, "val"), read_split(mocap, "val"))


def make_posetrack17(mocap: Path, tree: Path) -> None:
    """MATLAB labels, two collections of frames, names that count from 1."""
    for split in SPLITS:
        part = read_split(mocap, split)
        files = []
        for frame, number in enumerate(part.frame_number):
            video = part.video_names[part.frame_video[frame]]
            collection = ("bonn_5sec", "mpii_5sec")[part.frame_video[frame] % 2]
            files.append(f"images/{collection}/{video}/{number + 1:08d}.jpg")
        copy_frames(mocap, part.frame_file, tree, files)
        renamed = replace(with_lengths(part), frame_file=files, frame_number=part.frame_number + 1)
        labels, _ = to_posetrack17(renamed)
        posetrack17_matlab.write_folder(labels, tree / "annotations" / split)
        if split == "val":
            write_boxes(mocap, tree, part, renamed)


def make_hieve(mocap: Path, tree: Path) -> None:
    """19 videos with labels on every frame; the chest lies between shoulders and hips."""
    parts = {}
    for split, names in (("train", hieve.TRAIN_VIDEOS), ("val", hieve.VALIDATION_VIDEOS)):
        whole = read_split(mocap, split, None)
        for name, video in zip(names, whole.video_names, strict=True):
            part = select_videos(whole, [video])
            write_video(mocap, part.frame_file, tree / "HIE20" / "videos" / "train" / f"{name}.mp4")
            parts[name] = replace(
                with_chest(part),
                video_names=[name],
                frame_file=[f"images/{name}/{n:06d}.jpg" for n in part.frame_number],
                head_box=np.full((part.persons, 4), np.nan),
                ignore_regions=[[] for _ in range(part.frames)],
            )
            annolist.write_folder(parts[name], tree / LABELS)
            write_box_lines(parts[name], tree / "HIE20/labels/train/track1" / f"{name}.txt")
    val = read_split(mocap, "val", None)
    write_boxes(mocap, tree, val, concatenate([parts[name] for name in hieve.VALIDATION_VIDEOS]))


def with_lengths(part: Annotations) -> Annotations:
    return replace(part, video_length=np.bincount(part.frame_video))


def with_chest(part: Annotations) -> Annotations:
    on = on_skeleton(part, HIEVE)
    joints = [HIEVE.index(f"{side}_{j}") for side in ("left", "right") for j in ("shoulder", "hip")]
    there = on.present[:, joints].all(axis=1)
    chest = HIEVE.index("chest")
    keypoints, present, visible = on.keypoints.copy(), on.present.copy(), on.visible.copy()
    keypoints[there, chest] = on.keypoints[there][:, joints].mean(axis=1)
    present[:, chest], visible[:, chest] = there, there & on.visible[:, joints].any(axis=1)
    return replace(on, keypoints=keypoints, present=present, visible=visible)


def copy_frames(mocap: Path, sources: list[str], tree: Path, targets: list[str]) -> None:
    for source, target in zip(sources, targets, strict=True):
        (tree / target).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(mocap / source, tree / target)


def write_video(mocap: Path, files: list[str], path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    frames = [cv2.imread(str(mocap / file)) for file in files]
    height, width = frames[0].shape[:2]
    video = cv2.VideoWriter(str(path), cv2.VideoWriter_fourcc(*"mp4v"), 25.0, (width, height))
    for frame in frames:
        video.write(frame)
    video.release()


def write_boxes(mocap: Path, tree: Path, part: Annotations, renamed: Annotations) -> None:
    """The embedded data's simulated detections, in the form of DCPose's supplementary files."""
    found = read_detections(mocap / "boxes" / "val.json")
    row = {int(i): n for n, i in enumerate(part.frame_id)}
    length = np.bincount(renamed.frame_video)
    records = [
        {
            "image_name": renamed.frame_file[row[image]],
            "bbox": box,
            "score": score,
            "category_id": category,
            "nframes": int(length[renamed.frame_video[row[image]]]),
            "frame_id": int(renamed.frame_id[row[image]]),
        }
        for image, category, box, score in zip(
            *(getattr(found, c).tolist() for c in ("image_id", "category_id", "box", "score")),
            strict=True,
        )
        if image in row
    ]
    write_json(tree / "boxes" / "val.json", records)


def write_box_lines(part: Annotations, path: Path) -> None:
    """HiEve's boxes of track 1: ``frame,id,x,y,w,h,flag,-1,-1,-1``."""
    frames = part.frame_number[part.person_frame].tolist()
    people = zip(frames, part.track_id.tolist(), part.box.tolist(), strict=True)
    lines = [",".join(map(str, (n, t, *box, 1, -1, -1, -1))) for n, t, box in people]
    write_text(path, "".join(line + "\n" for line in lines))


def pack(name: str, tree: Path, served: Path, token: str = "") -> None:
    """The published archives of a tree, by their names and with the prefixes they had."""
    served.mkdir(parents=True, exist_ok=True)
    if name == "posetrack17":
        labels = tarred(tree, "annotations", "posetrack_data/annotations")
        (served / "posetrack_v0.75_labels.tar").write_bytes(labels)
        names = [f"posetrack_data_images.tar.batch{i:02d}" for i in range(8)]
        split(tarred(tree, "images", "posetrack_data/images"), served, names)
        return
    split(
        tarred(tree, "images", "images"),
        served,
        [f"posetrack18_images.tar.a{letter}" for letter in "abcdefghijklmnopqr"],
    )
    if name == "posetrack18":
        labels = tarred(tree, "annotations", "posetrack_data/annotations", "gz")
        (served / "posetrack18_v0.45_public_labels.tar.gz").write_bytes(labels)
    else:
        files = {
            str(path.relative_to(tree)): path.read_bytes()
            for path in sorted((tree / "posetrack_data").rglob("*.json"))
        }
        (served / "posetrack21_annotations.zip").write_bytes(encrypted_zip(files, token))


def encrypted_zip(files: dict[str, bytes], password: str) -> bytes:
    """A zip archive in the classic encryption, which Python's zipfile reads and cannot write.

    Format: the .ZIP file format specification of PKWARE, section "Traditional PKWARE Encryption".
    """
    body, directory = b"", b""
    for name, content in files.items():
        check = zlib.crc32(content)
        header = bytes(11) + bytes([check >> 24])
        stored = encrypted(header + content, password.encode())
        sizes = struct.pack("<LLLHH", check, len(stored), len(content), len(name), 0)
        common = struct.pack("<HHHHH", 20, 1, 0, 0, 33) + sizes
        directory += b"PK\x01\x02" + struct.pack("<H", 20) + common
        directory += struct.pack("<HHHLL", 0, 0, 0, 0, len(body)) + name.encode()
        body += b"PK\x03\x04" + common + name.encode() + stored
    count = len(files)
    end = struct.pack("<HHHHLLH", 0, 0, count, count, len(directory), len(body), 0)
    return body + directory + b"PK\x05\x06" + end


def encrypted(content: bytes, password: bytes) -> bytes:
    """The stream cipher: three keys, turned by every plain byte."""
    keys = [0x12345678, 0x23456789, 0x34567890]

    def step(crc: int, byte: int) -> int:
        return (crc >> 8) ^ CRC_TABLE[(crc ^ byte) & 255]

    def turn(byte: int) -> None:
        keys[0] = step(keys[0], byte)
        keys[1] = ((keys[1] + (keys[0] & 255)) * 134775813 + 1) & 0xFFFFFFFF
        keys[2] = step(keys[2], keys[1] >> 24)

    for byte in password:
        turn(byte)
    out = bytearray()
    for byte in content:
        mixed = (keys[2] & 0xFFFF) | 2
        out.append(byte ^ ((mixed * (mixed ^ 1)) >> 8 & 255))
        turn(byte)
    return bytes(out)


def _crc_table() -> list[int]:
    table = []
    for value in range(256):
        for _ in range(8):
            value = (value >> 1) ^ (0xEDB88320 if value & 1 else 0)
        table.append(value)
    return table


CRC_TABLE = _crc_table()


def tarred(tree: Path, folder: str, name: str, compression: str = "") -> bytes:
    data = io.BytesIO()
    with tarfile.open(fileobj=data, mode=f"w:{compression}") as archive:
        archive.add(tree / folder, name)
    return data.getvalue()


def split(data: bytes, folder: Path, names: list[str]) -> None:
    size = -(-len(data) // len(names))
    for i, name in enumerate(names):
        (folder / name).write_bytes(data[i * size : (i + 1) * size])
