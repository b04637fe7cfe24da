"""Label versions: choose one, recognise one by its files, and remove one that is replaced."""

from __future__ import annotations

from pathlib import Path

from tdmi.core.checks import choose
from tdmi.core.errors import UserError
from tdmi.core.files import sha256_of
from tdmi.datasets.public.acquire.catalogue import UNKNOWN, DataSet, Piece, count_matching
from tdmi.datasets.public.acquire.record import ACQUIRED, BY_HAND, PRIVATE, Record
from tdmi.datasets.public.acquire.tree import lies_unpacked, names_of, remove_files


def label_version(dataset: DataSet, record: Record, asked: str | None) -> str | None:
    """The version to get: the one `asked` for, else the present one, else the default.

    None for a data set without versions. UserError if another version is there and cannot or must
    not be replaced without being asked for.
    """
    if not dataset.labels:
        if asked:
            raise UserError(f"--labels: {dataset.title} has no versions of labels; leave it out")
        return None
    if asked:
        choose("labels", asked, dataset.labels)
    version = asked or record.labels or next(iter(dataset.labels))
    if asked is None:
        _check_archives(dataset, record, version)
    elif record.labels not in (None, asked):
        present = record.pieces.get(f"labels-{record.labels}")
        if present and present.origin == BY_HAND:
            raise UserError(
                f"{record.root}: holds labels {record.labels} that were placed by hand; move them "
                f"away and delete {record.root / PRIVATE} and {ACQUIRED} before --labels {asked}"
            )
    piece = dataset.pieces(version)[0]
    if record.labels or not lies_unpacked(piece, record):
        return version
    return _version_of_tree(dataset, record.root, names_of(piece, record.root), asked)


def _check_archives(dataset: DataSet, record: Record, version: str) -> None:
    """UserError if an archive of another version was placed and not recorded."""
    for other, piece in dataset.labels.items():
        for part in piece.files if other != version else ():
            path = record.archives / part.name
            if path.exists() and part.name not in record.parts:
                state = "there are" if record.labels else "the default is"
                raise UserError(
                    f"{path}: labels {other}, but {state} {version}; give --labels {other} to have "
                    "these, or move the file away"
                )


def _version_of_tree(dataset: DataSet, root: Path, names: list[str], asked: str | None) -> str:
    """Version of labels placed by hand, by the numbers of files; `unknown` if none fits."""
    if len(dataset.labels) == 1:
        return next(iter(dataset.labels))
    fitting = [
        version
        for version, piece in dataset.labels.items()
        if all(
            least <= count_matching(names, pattern) <= most
            for pattern, (least, most) in piece.counts.items()
        )
    ]
    if asked and fitting and asked not in fitting:
        raise UserError(
            f"{root}: the labels there look like {fitting[0]}, asked for are {asked}; move "
            "them away to get those"
        )
    return asked or (fitting[0] if fitting else UNKNOWN)


def remove_other_versions(record: Record, piece: Piece) -> None:
    """Make `piece` the label version of the root and delete the files of the other ones.

    UserError, before anything is deleted, if one of them was changed since it was unpacked.
    """
    paths = sorted((record.root / PRIVATE).glob(f"{piece.name}-*.json"))
    others = {path.stem: record.read_files(path.stem) for path in paths if path.stem != piece.key}
    for files in others.values():
        for name, (_, sha256) in files.items():
            path = record.root / name
            if path.is_file() and sha256_of(path) != sha256:
                raise UserError(
                    f"{path}: changed since it was unpacked; move it away before the labels are "
                    f"replaced by {piece.version}"
                )
    record.labels = piece.version  # before the first removal: after a kill this version is resumed
    for key in others:
        record.drop(key)
    record.save()
    for key, files in others.items():
        remove_files(record.root, files)
        record.files_path(key).unlink()
