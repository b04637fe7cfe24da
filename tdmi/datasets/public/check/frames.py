"""Frames that labels list against the images that are there."""

from __future__ import annotations

from collections import Counter

import numpy as np

from tdmi.data.annotations import Annotations, frame_numbers
from tdmi.datasets.public.check.findings import Findings
from tdmi.datasets.public.check.images import Pictures


def check_frames(
    annotations: Annotations,
    pictures: Pictures,
    label_file: str,
    findings: Findings,
    has_film: bool = False,
    lists_all_frames: bool = True,
) -> np.ndarray:
    """Compare the frames of one label file with the images; returns the frames' sizes.

    `has_film`: images that are not there can still be made. `lists_all_frames`: whether labels of
    this data set list unlabelled frames too, so that other images are odd. The sizes [F, 2] int64
    are width and height in pixels as the images have them, else as the labels state them, else
    those of the rest of the video, else 0.
    """
    files = annotations.frame_file
    late = np.flatnonzero(np.diff(annotations.frame_number) <= 0)
    places = [f"{files[k + 1]} after {files[k].rpartition('/')[2]}" for k in late]
    findings.add("frames-out-of-order", places)
    for file, polygons in zip(files, annotations.ignore_regions, strict=True):
        for k, polygon in enumerate(polygons):
            if not len(polygon):
                findings.add("ignore-region-empty", [f"{file}: ignore region {k}"])
            elif not np.isfinite(polygon).all():
                findings.add("number-not-finite", [f"{file}: ignore region {k}"])
    split_paths = [file.rpartition("/") for file in files]
    folders = sorted({folder for folder, _, _ in split_paths})
    sizes = annotations.frame_size.copy()
    for folder in folders:
        rows = [k for k, (parent, _, _) in enumerate(split_paths) if parent == folder]
        names = [split_paths[k][2] for k in rows]
        if folder not in pictures:
            kind = "frames-not-extracted" if has_film else "video-without-images"
            findings.add(kind, [f"{folder} ({label_file})"])
            continue
        there = pictures[folder]
        missing = [name for name in dict.fromkeys(names) if name not in there]
        findings.add("image-missing", [f"{folder}/{name}" for name in missing])
        for row, name in zip(rows, names, strict=True):
            if name in there and there[name].width:
                sizes[row] = there[name].width, there[name].height
        _check_sizes(annotations, rows, sizes, findings)
    if lists_all_frames and len(folders) == 1 and folders[0] in pictures:
        _check_length(annotations, folders[0], list(pictures[folders[0]]), label_file, findings)
    return sizes


def _check_sizes(
    annotations: Annotations, rows: list[int], sizes: np.ndarray, findings: Findings
) -> None:
    """Sizes against the stated ones, else against the most common one, which fills the gaps."""
    known = [row for row in rows if sizes[row].all()]
    if not known:
        return
    common = Counter(tuple(sizes[row].tolist()) for row in known).most_common(1)[0][0]
    for row in rows:
        stated, size = annotations.frame_size[row], sizes[row]
        file = annotations.frame_file[row]
        shown = f"{file}: {size[0]} x {size[1]}"
        if not size.all():
            sizes[row] = common
        elif stated.all():
            if (size != stated).any():
                text = f"{shown}, labels state {stated[0]} x {stated[1]}"
                findings.add("image-size", [text])
        elif tuple(size.tolist()) != common:
            findings.add("image-size-varies", [f"{shown}, others {common[0]} x {common[1]}"])


def _check_length(
    annotations: Annotations, folder: str, on_disk: list[str], label_file: str, findings: Findings
) -> None:
    """Frames listed and images there against the stated length; images that nobody lists.

    Labels may list only a part of the frames if images of the rest make up the stated length, but
    no frame between the first and the last of theirs may lack.
    """
    listed = {file.rpartition("/")[2] for file in annotations.frame_file}
    extra = [name for name in on_disk if name not in listed]
    stated = int(annotations.video_length[0])
    if stated in (0, len(listed)):
        findings.add("image-extra", [f"{folder}/{name}" for name in extra])
    elif stated == len(listed) + len(extra):
        number = frame_numbers(extra, np.arange(len(extra)))
        low, high = annotations.frame_number.min(), annotations.frame_number.max()
        between = [extra[k] for k in np.flatnonzero((low < number) & (number < high))]
        kind = "frame-not-listed" if between else "video-in-part"
        findings.add(kind, [f"{folder}/{name}" for name in between or extra])
    else:
        text = f"states {stated} frames and lists {len(listed)}; {len(on_disk)} images are there"
        findings.add("video-length", [f"{label_file}: {text}"])
