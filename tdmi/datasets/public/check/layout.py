"""Where each data set keeps its files, and what its labels hold."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

from tdmi.core.errors import UserError
from tdmi.data.skeletons import HIEVE, POSETRACK17, POSETRACK18, Skeleton


@dataclass(frozen=True)
class Layout:
    """Folders of one data set, relative to its root."""

    label_folders: dict[str, str]
    """Split -> folder with one label file per video."""
    skeletons: tuple[Skeleton, ...] = (POSETRACK17, POSETRACK18)
    """Joint sets that its labels may have."""
    head_boxes: bool = True
    """Whether labels give head boxes."""
    lists_all_frames: bool = True
    """Whether labels list every frame of a video, labelled or not."""


LAYOUTS = {
    "posetrack17": Layout({split: f"annotations/{split}" for split in ("train", "val", "test")}),
    "posetrack18": Layout({split: f"annotations/{split}" for split in ("train", "val", "test")}),
    "posetrack21": Layout({split: f"posetrack_data/{split}" for split in ("train", "val")}),
    "hieve": Layout({"train": "HIE20/labels/train/track2&3"}, (HIEVE,), False, False),
}


def label_files(dataset: str, root: Path) -> dict[str, list[Path]]:
    """Label files of every split, by name; where a split has both forms, the JSON files.

    Raises UserError if there is no such folder or not a single label file.
    """
    if not root.is_dir():
        raise UserError(f"{root}: no such folder, expected the root of {dataset}")
    folders = LAYOUTS[dataset].label_folders
    files = {split: _label_files(root / folder) for split, folder in folders.items()}
    if not any(files.values()):
        raise UserError(
            f"{root}: no label files in {' or '.join(folders.values())}, expected the root of "
            f"{dataset}; give the folder above, or place the labels there"
        )
    return files


def _label_files(folder: Path) -> list[Path]:
    for pattern in ("*.json", "*.mat"):
        # Hidden files are left out: they may be files that are just being written.
        files = sorted(path for path in folder.glob(pattern) if not path.name.startswith("."))
        if files:
            return files
    return []


def has_film(dataset: str, root: Path, label_file: Path) -> bool:
    """Whether the film of a HiEve video is there, from which frames can be extracted."""
    if dataset != "hieve":
        return False
    videos = root / "HIE20" / "videos"
    return any(
        (folder / f"{label_file.stem}.mp4").is_file() for folder in (videos, videos / "train")
    )


def recorded_release(root: Path) -> str | None:
    """The label version that the record of the download states; None without a readable one."""
    try:
        record = json.loads((root / "acquired.json").read_text(encoding="utf-8"))
        version = record["labels"]
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return version if isinstance(version, str) else None
