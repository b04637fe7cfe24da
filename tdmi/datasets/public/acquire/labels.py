"""Label versions: choose one, recognise one by its files, and remove one that is replaced."""

from __future__ import annotations

from pathlib import Path

from tdmi.core.checks import choose
from tdmi.core.errors import UserError
from tdmi.core.files import check_no_links, sha256_of
from tdmi.datasets.public.acquire.catalogue import UNKNOWN, DataSet, Piece, count_matching
from tdmi.datasets.public.acquire.record import ACQUIRED, BY_HAND, PRIVATE, Record
from tdmi.datasets.public.acquire.tree import lies_unpacked, names_of


def label_version(dataset: DataSet, record: Record, asked: str | None) -> str | None:
    """The version to get: the one `asked` for, else the present one, else the default.

    Labels placed by hand are recognised by their numbers of files, `unknown` if none fits. None
    for a data set without versions. UserError if another version is there and cannot or must not
    be replaced without being asked for.
    """
    if not dataset.labels:
        if asked:
            raise UserError(f"--labels: {dataset.title} has no versions of labels; leave it out")
        return None
    if asked:
        choose("labels", asked, dataset.labels)
    root, present = record.root, record.labels
    version = asked or present or next(iter(dataset.labels))
    for other, labels in dataset.labels.items():
        for part in labels.files if asked is None and other != version else ():
            path = record.archives / part
            if path.exists() and part not in record.parts:
                state = "there are" if present else "the default is"
                raise UserError(
                    f"{path}: labels {other}, but {state} {version}; give --labels {other} to have "
                    "these, or move the file away"
                )
    piece = record.pieces.get(f"labels-{present}")
    if version != present and piece and piece.origin == BY_HAND:
        raise UserError(
            f"{root}: holds labels {present} that were placed by hand; move them away and delete "
            f"{root / PRIVATE} and {ACQUIRED} before --labels {asked}"
        )
    labels = dataset.pieces(version)[0]
    if present or len(dataset.labels) == 1 or not lies_unpacked(labels, record):
        return version
    names = names_of(labels, root)
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
        check_no_links(record.root, files)
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
        for name in files:
            (record.root / name).unlink(missing_ok=True)
        folders = {parent for name in files for parent in Path(name).parents} - {Path()}
        for folder in sorted((record.root / parent for parent in folders), reverse=True):
            if folder.is_dir() and not any(folder.iterdir()):
                folder.rmdir()
        record.files_path(key).unlink()
