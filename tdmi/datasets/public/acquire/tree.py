"""The files of a data set in its root: list them, link them from another root, name the missing."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterable
from pathlib import Path

from tdmi.core.errors import UserError
from tdmi.core.files import check_no_links, replacing, sha256_of
from tdmi.datasets.public.acquire.catalogue import DataSet, Piece, matches
from tdmi.datasets.public.acquire.record import PRIVATE, Files, Record, byte_bar, size_on_disk


def check_own_root(dataset: DataSet, root: Path) -> None:
    """UserError if the root holds the folders of another data set."""
    for pattern in dataset.foreign:
        for found in root.glob(pattern):
            raise UserError(
                f"{found}: no folder of {dataset.title}: this root holds another data set; "
                "give another --root"
            )


def names_of(piece: Piece, root: Path) -> list[str]:
    """Sorted names of the piece's files under the root."""
    found = [(path, kept) for kept in piece.keep for path in root.glob(kept) if path.is_file()]
    names = {(path.relative_to(root).as_posix(), pattern) for path, pattern in found}
    return sorted({name for name, pattern in names if matches(name, pattern)})


def gaps(piece: Piece, root: Path) -> dict[str, list[str]]:
    """The part of the piece's layout that the files under the root do not fill."""
    return {
        what: patterns
        for what, patterns in piece.layout.items()
        if not any(path.is_file() for pattern in patterns for path in root.glob(pattern))
    }


def hand_archives(piece: Piece, record: Record) -> list[Path]:
    """Archives of unknown names that the user has placed for this piece."""
    return [path for kind in piece.by_hand for path in sorted(record.archives.glob(kind))]


def lies_unpacked(piece: Piece, record: Record) -> bool:
    """Return whether the user has placed all of a piece, and nothing of it came from archives."""
    ours = any((record.root / PRIVATE).glob(f"{piece.name}*.json"))
    archives = any(record.part_path(part).is_file() for part in piece.files)
    return not (ours or archives or hand_archives(piece, record) or gaps(piece, record.root))


def hash_files(piece: Piece, root: Path, known: Files) -> Files:
    """Every file of the piece under the root; `known` ones of the same size are not read again."""
    sizes = {name: (root / name).stat().st_size for name in names_of(piece, root)}
    files = {}
    with byte_bar(f"reading {piece.name}", sum(sizes.values())) as bar:
        for name, size in sizes.items():
            listed = known.get(name, (-1, ""))
            files[name] = listed if listed[0] == size else (size, sha256_of(root / name))
            bar.update(size)
    return files


def check_no_conflict(root: Path, files: Files, origin: Path) -> None:
    """UserError if a file of that name is in the root with another content than from `origin`.

    Also where a symbolic link leads files that are to be written out of the root.
    """
    check_no_links(root, [name for name in files if not (root / name).exists()])
    for name, (size, sha256) in files.items():
        path = root / name
        if path.exists() and (size_on_disk(path) != size or sha256_of(path) != sha256):
            raise UserError(
                f"{path}: there already with other content than in {origin}; "
                "move it away and call again"
            )


def link_files(piece: Piece, source: Path, record: Record) -> Files:
    """Put the piece's files of another root here: hard links, or copies where that fails.

    A hard link costs no room and outlives the other root; it also means that a file changed in
    place is changed in both. UserError if `source` lacks the piece or a file here differs.
    """
    if source.resolve() == record.root.resolve():
        raise UserError(f"--images-from: {source} is the --root itself; give another folder")
    for what, patterns in gaps(piece, source).items():
        raise UserError(f"--images-from {source}: no {what}, expected {patterns[0]} there")
    files = hash_files(piece, source, Record(source, record.name).read_files(piece.key))
    check_no_conflict(record.root, files, source)
    for name in files:
        target = record.root / name
        if not target.exists():
            target.parent.mkdir(parents=True, exist_ok=True)
            try:
                os.link(source / name, target)
            except OSError:
                with replacing(target) as temporary:
                    shutil.copyfile(source / name, temporary)
    return files


def checklist(
    dataset: DataSet, record: Record, pieces: Iterable[Piece], reasons: dict[str, str]
) -> list[str]:
    """Lines that name every missing file: what, why, where from, where to.

    `pieces` are the incomplete ones; `reasons` says by part name why it was not downloaded.
    """
    root = record.root
    lines = [f"{dataset.title} in {root}: still missing"]
    for piece in pieces:
        for part, about in piece.files.items():
            if part in reasons:
                size = f", about {about / 1e9:.1f} GB" if about else ""
                lines += [f"[ ] {part} ({piece.name}{size})", f"      why: {reasons[part]}"]
                lines += [f"      put it at: {record.archives / part}"]
        for what, patterns in gaps(piece, root).items() if not piece.files else ():
            places = " or ".join(str(root / pattern) for pattern in patterns)
            lines += [f"[ ] {what}", f"      put them at: {places}"]
        if piece.by_hand:
            kinds = ", ".join(piece.by_hand)
            lines.append(f"      or the publisher's archives ({kinds}) in: {record.archives}")
    lines += [
        f"( ) optional: {entry['what']} at {root / pattern}, from: {entry['source']}"
        for pattern, entry in dataset.optional.items()
        if not any(root.glob(pattern))
    ]
    return [
        *lines,
        f"where from: {dataset.register}",
        f"terms: {dataset.licence}",
        "unpacked files in their final places are taken as well; then call the same command again",
    ]
