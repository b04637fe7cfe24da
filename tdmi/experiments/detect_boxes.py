"""Boxes of a detector for one split of a data set, with a record of how they were made."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch

from tdmi.clips.frames import read_frame
from tdmi.core.errors import UserError
from tdmi.core.files import sha256_of, write_json
from tdmi.data.annotations import Annotations, concatenate
from tdmi.data.detections import write_detections
from tdmi.experiments.provenance import provenance
from tdmi.formats.conversion import to_posetrack18
from tdmi.formats.posetrack import read_video_file
from tdmi.prediction.person_detector import ARCHITECTURE, detect, find_weights, load_detector

PREPARED = "prepared/annotations"
LABEL_FOLDERS = (PREPARED, "annotations", "posetrack_data")


def detect_split(
    root: Path,
    split: str,
    out: Path,
    weights: Path | None,
    threshold: float,
    all_frames: bool = False,
) -> tuple[int, int]:
    """Write the boxes of a split to `out` and their record beside it; boxes and frames as counts.

    Image ids are those of the split's labels in PoseTrack18 form, so that any reader of the data
    set finds the frames. Frames without labels are left out, because they are not evaluated, unless
    `all_frames`. UserError: `out` exists (it might be a published file), weights or labels missing.
    """
    if out.exists():
        raise UserError(f"{out}: exists already; delete it, or give another file with --out")
    weights = find_weights(weights)
    annotations = split_labels(root, split)
    frames = np.flatnonzero(annotations.frame_labelled | all_frames)
    if not len(frames):
        raise UserError(
            f"{annotations.video_names[0]} and {len(annotations.video_names) - 1} more videos: "
            "no labelled frame; add --all-frames"
        )
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    pictures = (read_frame(root / annotations.frame_file[frame]) for frame in frames)
    ids = annotations.frame_id[frames].tolist()
    found = detect(
        pictures, ids, load_detector(weights, device), device, threshold, total=len(frames)
    )
    record = {
        **provenance(),
        "detector": f"torchvision {ARCHITECTURE}",
        "weights_file": weights.name,
        "weights_sha256": sha256_of(weights),
        "threshold": threshold,
        "split": split,
        "frames": len(frames),
        "boxes": len(found.score),
    }
    write_json(out.with_name(f"{out.stem}.provenance.json"), record)
    write_detections(found, out)
    return len(found.score), len(frames)


def split_labels(root: Path, split: str) -> Annotations:
    """Labels of a split, prepared ones first; UserError if the data set has none."""
    for name in LABEL_FOLDERS:
        folder = root / name / split
        files = sorted(folder.glob("*.json")) or sorted(folder.glob("*.mat"))
        if files:
            labels = concatenate([read_video_file(path, frames_suffice=True) for path in files])
            return labels if name == PREPARED else to_posetrack18(labels)[0]
    places = ", ".join(f"{name}/{split}" for name in LABEL_FOLDERS)
    raise UserError(f"{root}: no label files, looked in {places}; prepare the data set")
