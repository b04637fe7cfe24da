"""The folder of a data set: where its labels, boxes, pictures and records lie."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from tdmi.core.errors import UserError
from tdmi.core.files import digest, hashes_of_folder, read_json, sha256_of


@dataclass(frozen=True)
class DatasetFolder:
    """Layout of a prepared data set below its root."""

    root: Path

    def annotations(self, split: str) -> Path:
        """Folder of a split's label files, in PoseTrack18 form."""
        return self.root / "annotations" / split

    def boxes(self, split: str) -> Path:
        """Detected boxes of a split, a COCO detection list; it may be missing."""
        return self.root / "boxes" / f"{split}.json"

    def attributes(self, split: str) -> Path:
        """Table of a split's attributes by person; only generated data sets have it."""
        return self.root / "attributes" / f"{split}.csv"

    @property
    def record(self) -> Path:
        """Record of a data set that was made as a whole."""
        return self.root / "dataset.json"

    def split_record(self, split: str) -> Path:
        """Record of a split that was made by itself."""
        return self.root / f"dataset-{split}.json"

    def data_hash(self) -> str:
        """SHA-256 over the records of the splits, or over that of the whole data set.

        Raises UserError if there is none.
        """
        records = sorted(self.root.glob("dataset-*.json")) or sorted(self.root.glob("dataset.json"))
        if not records:
            raise UserError(
                f"{self.root}: no record dataset*.json; make the data set with `tdmi data`"
            )
        return hashlib.sha256(b"".join(r.read_bytes() for r in records)).hexdigest()

    def release(self) -> str | None:
        """Label release that the record states, e.g. ``v0.45``; None if it states none."""
        return read_json(self.record).get("release") if self.record.exists() else None

    def boxes_hash(self, split: str) -> str | None:
        """SHA-256 of the detected boxes of a split; None if there are none."""
        path = self.boxes(split)
        return sha256_of(path) if path.exists() else None

    def labels_hashes(self, splits: Iterable[str]) -> dict[str, str]:
        """SHA-256 over the label files of each of the splits that are there."""
        folders = {split: self.annotations(split) for split in splits}
        return {s: digest(hashes_of_folder(f)) for s, f in folders.items() if f.is_dir()}
