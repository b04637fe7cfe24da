"""Whether the files of a generated data set are those that its record was written for."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from pathlib import Path

from tdmi.clips.frames import read_frame
from tdmi.core.errors import UserError
from tdmi.core.files import read_json, sha256_of
from tdmi.data.annotations import Annotations

KINDS = ("annotations", "attributes", "boxes", "images")


def sha256_of_files(root: Path, files: Iterable[Path]) -> str:
    """SHA-256 over the names, relative to `root`, and contents of files, in order of the names."""
    digest = hashlib.sha256()
    named = {path.relative_to(root).as_posix(): path for path in files if path.is_file()}
    for name in sorted(named):
        digest.update(f"{name} {sha256_of(named[name])}\n".encode())
    return digest.hexdigest()


def sha256_of_folder(folder: Path) -> str:
    """The same of all files of a folder."""
    return sha256_of_files(folder, folder.rglob("*"))


def check_split_unchanged(root: Path, split: str, annotations: Annotations) -> None:
    """UserError if a split's files have not the hash that its record states.

    A frame of the `annotations` that cannot be read is named. A data set generated in one piece is
    checked as a whole; of one without such a hash, as the big ones, nothing is known.
    """
    record, patterns = root / f"dataset-{split}.json", (split, f"{split}.*", f"{split}/**/*")
    if not record.is_file():
        record, patterns = root / "dataset.json", ("**/*",)
    expected = read_json(record).get("sha256") if record.is_file() else None
    if expected is None:
        return
    files = {path for kind in KINDS for pattern in patterns for path in (root / kind).glob(pattern)}
    found = sha256_of_files(root, files)
    if found == expected:
        return
    for file in annotations.frame_file:
        read_frame(root / file)
    raise UserError(
        f"{record}: files of {root} have SHA-256 {found[:12]}, expected {expected[:12]} as "
        "recorded here: pictures, labels or boxes were changed since; delete this record and make "
        "the data set again with `tdmi data`"
    )
