"""Check that the files of a generated data set are those that its record was written for."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable
from pathlib import Path

from tdmi.core.errors import UserError
from tdmi.core.files import read_json, sha256_of

KINDS = ("annotations", "attributes", "boxes", "images")


def sha256_of_files(root: Path, files: Iterable[Path]) -> str:
    """Return the SHA-256 over names, relative to `root`, and contents of files, sorted by name."""
    digest = hashlib.sha256()
    named = {path.relative_to(root).as_posix(): path for path in files if path.is_file()}
    for name in sorted(named):
        digest.update(f"{name} {sha256_of(named[name])}\n".encode())
    return digest.hexdigest()


def sha256_of_folder(folder: Path) -> str:
    return sha256_of_files(folder, folder.rglob("*"))


def check_split_unchanged(
    root: Path, split: str, images: Iterable[str], read_image: Callable[[Path], object]
) -> None:
    """Raise UserError if a split's files do not have the SHA-256 that its record states.

    Then the `images`, paths below `root`, are read, so that `read_image` names one that is damaged.
    A data set generated in one piece is checked as a whole. Data sets without a recorded hash (the
    public ones) are not checked.
    """
    record = root / f"dataset-{split}.json"
    patterns: tuple[str, ...] = (split, f"{split}.*", f"{split}/**/*")
    if not record.is_file():
        record, patterns = root / "dataset.json", ("**/*",)
    expected = read_json(record).get("sha256") if record.is_file() else None
    if expected is None:
        return
    files = {path for kind in KINDS for pattern in patterns for path in (root / kind).glob(pattern)}
    found = sha256_of_files(root, files)
    if found == expected:
        return
    for image in images:
        read_image(root / image)
    raise UserError(
        f"{record}: files of {root} have SHA-256 {found[:12]}, expected {expected[:12]} as "
        "recorded here: images, labels or boxes were changed since; delete this record and make "
        "the data set again with `tdmi data`"
    )
