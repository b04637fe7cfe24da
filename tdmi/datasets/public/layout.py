"""Places of the label files of each public data set, and their content."""

from __future__ import annotations

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
    lists_all_frames: bool = True
    """Whether labels list every frame of a video, labelled or not."""


LAYOUTS = {
    "posetrack17": Layout({split: f"annotations/{split}" for split in ("train", "val", "test")}),
    "posetrack18": Layout({split: f"annotations/{split}" for split in ("train", "val", "test")}),
    "posetrack21": Layout({split: f"posetrack_data/{split}" for split in ("train", "val")}),
    "hieve": Layout({"train": "HIE20/labels/train/track2&3"}, (HIEVE,), False),
}


def label_files(dataset: str, root: Path) -> dict[str, list[Path]]:
    """Return the label files of every split, by name; the JSON files where both forms are there.

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
        # Hidden files may be half written.
        files = sorted(path for path in folder.glob(pattern) if not path.name.startswith("."))
        if files:
            return files
    return []
