"""Label versions: which one is meant, which one lies there, and how one replaces another."""

from __future__ import annotations

from collections.abc import Callable

from tdmi.core.checks import choose
from tdmi.core.errors import UserError
from tdmi.core.files import sha256_of
from tdmi.datasets.public.acquire.catalogue import UNKNOWN, Piece, count_matching
from tdmi.datasets.public.acquire.job import Job
from tdmi.datasets.public.acquire.journal import Journal, remove_empty_folders
from tdmi.datasets.public.acquire.record import ACQUIRED, PRIVATE


def label_version(job: Job, asked: str | None) -> str | None:
    """The version to have; UserError if another one is there and was not asked for by name."""
    versions, present = job.dataset.labels, job.record.labels
    if not versions:
        if asked:
            raise UserError(
                f"--labels: {job.dataset.title} has no versions of labels; leave it out"
            )
        return None
    if asked:
        choose("labels", asked, versions)
        entered = job.record.pieces.get(f"labels-{present}", {})
        if present not in (None, asked) and entered.get("origin") == "placed by hand":
            raise UserError(
                f"{job.root}: holds labels {present} that were placed by hand; move them away and "
                f"delete {job.root / PRIVATE} and {ACQUIRED} before --labels {asked}"
            )
        return asked
    version = present or next(iter(versions))
    for other, piece in versions.items():
        for part in piece.files if other != version else ():
            if (job.archives / part.name).exists() and part.name not in job.record.parts:
                raise UserError(
                    f"{job.archives / part.name}: labels {other}, but "
                    f"{'there are' if present else 'the default is'} {version}; give --labels "
                    f"{other} to have these, or move the file away"
                )
    return version


def version_of_tree(job: Job, names: list[str], asked: str | None) -> str:
    """Version of labels placed by hand, judged by the numbers of files; `unknown` if none fits."""
    if len(job.dataset.labels) == 1:
        return next(iter(job.dataset.labels))
    fitting = []
    for version, piece in job.dataset.labels.items():
        counts = [(count_matching(names, p), bounds) for p, bounds in piece.counts.items()]
        if all(least <= found <= most for found, (least, most) in counts):
            fitting.append(version)
    if asked and fitting and asked not in fitting:
        raise UserError(
            f"{job.root}: the labels there look like {fitting[0]}, asked for are {asked}; move "
            "them away to get those"
        )
    return asked or (fitting[0] if fitting else UNKNOWN)


def make_room(job: Job, piece: Piece, check_archive: Callable[[], None]) -> None:
    """Make `piece` the version in the root: remove the files of another one, if there are any.

    `check_archive` reads the new archive to its end first, so that the old labels only go when the
    new ones are known to be good. UserError if a file was changed since it was unpacked.
    """
    own = job.record.journal(piece.key)
    others = [p for p in (job.root / PRIVATE).glob(f"{piece.name}-*.jsonl") if p != own]
    olds = [Journal(path, job.root) for path in others]
    present = [
        (job.root / name, entry[1])
        for old in olds
        for name, entry in old.entries.items()
        if (job.root / name).is_file()
    ]
    for path, sha256 in present:
        if sha256_of(path) != sha256:
            raise UserError(
                f"{path}: changed since it was unpacked; move it away before the labels are "
                f"replaced by {piece.version}"
            )
    if olds:
        check_archive()
    job.record.labels = piece.version  # before the first removal: a killed call goes on from here
    for old in olds:
        job.record.drop(old.path.stem)
    job.record.save()
    for path, _ in present:
        path.unlink()
    for old in olds:
        remove_empty_folders(job.root, old.entries)
        old.path.unlink()
