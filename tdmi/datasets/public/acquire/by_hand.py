"""What the user brings: files in place, images of another root; and what is still missing."""

from __future__ import annotations

import errno
import os
import shutil
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from tdmi.core.errors import UserError
from tdmi.core.files import replacing, sha256_of
from tdmi.datasets.public.acquire.catalogue import DataSet, Layout, Piece, matches
from tdmi.datasets.public.acquire.journal import Journal, size_on_disk
from tdmi.datasets.public.acquire.record import ACQUIRED, ARCHIVES, Record

NO_LINK = {errno.EXDEV, errno.EPERM, errno.EOPNOTSUPP, errno.EMLINK, errno.ENOSYS}


def refuse_other_data_set(dataset: DataSet, root: Path) -> None:
    """UserError if the root holds the folders of another data set."""
    for pattern in dataset.foreign:
        for found in root.glob(pattern):
            raise UserError(
                f"{found}: no folder of {dataset.title}: this root holds another data set; "
                "give another --root"
            )


def files_of(piece: Piece, root: Path) -> Iterator[str]:
    """Names of the piece's files under the root, whoever has put them there."""
    for pattern in piece.keep:
        for path in root.glob(pattern):
            name = path.relative_to(root).as_posix()
            if matches(name, pattern) and path.is_file():
                yield name


def gaps(piece: Piece, root: Path) -> list[Layout]:
    """What of the piece's layout is not there."""
    return [
        layout
        for layout in piece.layout
        if not any(path.is_file() for pattern in layout.any for path in root.glob(pattern))
    ]


def enter_tree(piece: Piece, root: Path, journal: Journal, report: Callable[[int], None]) -> None:
    """List every file of the piece that lies under the root and is not listed yet.

    `report` is called with the size of each file.
    """
    with journal:
        for name in sorted(set(files_of(piece, root))):
            size = (root / name).stat().st_size
            if not journal.has(name):
                journal.add(name, size, sha256_of(root / name))
            report(size)


def link_files(
    piece: Piece, source: Path, root: Path, journal: Journal, report: Callable[[int], None]
) -> None:
    """Have the piece's files of another root here too: hard links, or copies where that fails.

    A hard link costs no room and outlives the other root; it also means that a file changed in
    place is changed in both. `report` is called with the size of each file. UserError if `source`
    lacks the piece or a file here differs.
    """
    if source.resolve() == root.resolve():
        raise UserError(f"--images-from: {source} is the --root itself; give another folder")
    missing = gaps(piece, source)
    if missing:
        raise UserError(
            f"--images-from {source}: no {missing[0].what}, expected {missing[0].any[0]} there"
        )
    if (source / ACQUIRED).exists():
        Record.load(source, "posetrack18")
    known = Journal(Record(source, "posetrack18").journal(piece.key), source).entries
    with journal:
        for name in sorted(set(files_of(piece, source))):
            size = (source / name).stat().st_size
            report(size)
            if journal.has(name):
                continue
            listed = known.get(name)
            sha256 = listed[1] if listed and listed[0] == size else sha256_of(source / name)
            target = root / name
            if target.exists():
                if size_on_disk(target) != size or sha256_of(target) != sha256:
                    raise UserError(f"{target}: differs from {source / name}; move it away")
            else:
                _link_or_copy(source / name, target)
            journal.add(name, size, sha256)


def _link_or_copy(source: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        os.link(source, target)
    except OSError as error:
        if error.errno not in NO_LINK:
            raise
        with replacing(target) as temporary:
            shutil.copyfile(source, temporary)


def checklist(
    dataset: DataSet, root: Path, pieces: Iterable[Piece], reasons: dict[str, str]
) -> list[str]:
    """Lines that name every missing file: what, why, where from, where to.

    `pieces` are the incomplete ones, `reasons` says by part name why it could not be had.
    """
    lines = [f"{dataset.title} in {root}: still missing"]
    for piece in pieces:
        for part in piece.files:
            if part.name not in reasons:
                continue
            size = f", about {part.about / 1e9:.1f} GB" if part.about else ""
            lines += [
                f"[ ] {part.name} ({piece.name}{size})",
                f"      why: {reasons[part.name]}",
                f"      put it at: {root / ARCHIVES / part.name}",
            ]
        for layout in gaps(piece, root) if not piece.files else ():
            places = " or ".join(str(root / pattern) for pattern in layout.any)
            lines += [f"[ ] {layout.what}", f"      put them at: {places}"]
        if piece.by_hand:
            kinds = ", ".join(piece.by_hand)
            lines.append(f"      or the publisher's archives ({kinds}) in: {root / ARCHIVES}")
    lines += optional_lines(dataset, root)
    lines += [
        f"where from: {dataset.register}",
        f"terms: {dataset.licence}",
        "unpacked files in their final places are taken as well; then call the same command again",
    ]
    return lines


def optional_lines(dataset: DataSet, root: Path) -> list[str]:
    """Lines about what only some experiments need and is not there."""
    return [
        f"( ) optional: {entry.what} at {root / entry.file}, from: {entry.source}"
        for entry in dataset.optional
        if not any(root.glob(entry.file))
    ]
