"""Get PoseTrack2017, PoseTrack2018, PoseTrack21 and HiEve: download, unpack, adopt, record.

Whatever stops a call (Ctrl-C, kill, full disk, lost line), the next one goes on and ends with the
same files. `acquired.json` appears in the root when images and labels for training and validation
are there, and not before.
"""

from __future__ import annotations

import io
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from tdmi import __version__
from tdmi.core.checks import choose
from tdmi.core.errors import UserError
from tdmi.core.files import disk_full_as_user_error, read_json, remove_leftovers, write_json
from tdmi.datasets.public.acquire import by_hand
from tdmi.datasets.public.acquire.catalogue import Piece, count_matching, read_catalogue
from tdmi.datasets.public.acquire.job import Job, say, size_of
from tdmi.datasets.public.acquire.joined import JoinedFile
from tdmi.datasets.public.acquire.journal import Journal
from tdmi.datasets.public.acquire.parts import bring_parts, check_parts
from tdmi.datasets.public.acquire.record import ACQUIRED, PRIVATE, Record
from tdmi.datasets.public.acquire.transfer import address
from tdmi.datasets.public.acquire.unpack import TOKEN_HELP, Target, check_readable, unpack
from tdmi.datasets.public.acquire.versions import label_version, make_room, version_of_tree

TOKEN_VARIABLE = "TDMI_POSETRACK21_TOKEN"
READ_AHEAD = 1 << 15
"""Bytes read at once while headers are looked for; more would be wasted on skipped files."""


def acquire(
    name: str,
    root: Path | str,
    base_url: str | None = None,
    token: str | None = None,
    labels: str | None = None,
    keep_archives: bool = False,
    jobs: int = 4,
    progress: bool = True,
    images_from: Path | str | None = None,
) -> dict[str, Any]:
    """Have data set `name` complete under `root`; the content of `root/acquired.json`.

    `base_url` is the folder address that holds the archive parts, in place of the publisher's.
    `token` opens the PoseTrack21 labels (else from TDMI_POSETRACK21_TOKEN); it is never stored or
    shown. `labels` is a label version, by default the one already there or the newest. `jobs` is
    the number of parallel downloads, 1 to 16. `images_from` (PoseTrack21) is a PoseTrack18 root
    whose images are linked. Downloaded archives are deleted once unpacked, unless `keep_archives`;
    archives placed by hand stay. UserError in one line, after a checklist on stderr if something is
    missing.
    """
    catalogue = read_catalogue()
    dataset = catalogue[choose("name", name, catalogue)]
    if not 1 <= jobs <= 16:
        raise UserError(f"option jobs: found {jobs}, expected 1 to 16")
    if images_from is not None and name != "posetrack21":
        raise UserError(f"--images-from: only posetrack21 shares its images, not {name}")
    if token and not any(piece.encrypted for piece in dataset.labels.values()):
        raise UserError(f"--token: nothing of {name} is encrypted; leave it out")
    if base_url:
        address(base_url, "")
    root = Path(root)
    if root.exists() and not root.is_dir():
        raise UserError(f"{root}: a file, expected the folder of {dataset.title}")
    by_hand.refuse_other_data_set(dataset, root)
    with _in_one_line(root):
        Record.load(root, name)
        with _alone(root):
            record = Record.load(root, name)
            token = token or os.environ.get(TOKEN_VARIABLE) or None
            job = Job(dataset, root, record, base_url, token, keep_archives, jobs, progress)
            return _acquire(job, labels, Path(images_from) if images_from else None)


@contextmanager
def _alone(root: Path) -> Iterator[None]:
    """The lock of the root; it ends with the process, however that ends."""
    (root / PRIVATE).mkdir(parents=True, exist_ok=True)
    try:
        with FileLock(root / PRIVATE / "lock", timeout=0):
            yield
    except Timeout:
        raise UserError(
            f"{root}: another call is working on this folder; wait until it has ended"
        ) from None


@contextmanager
def _in_one_line(root: Path) -> Iterator[None]:
    try:
        with disk_full_as_user_error(root):
            yield
    except OSError as error:
        place = error.filename or root
        raise UserError(f"{place}: {error.strerror or error}; mend that and call again") from None


def _acquire(job: Job, labels: str | None, images_from: Path | None) -> dict[str, Any]:
    pieces = job.dataset.pieces(label_version(job, labels))
    for piece in pieces:
        check_parts(job, piece)
        _check_complete(job, piece)
    for piece in job.open(pieces):
        if images_from is not None and piece.name == "images":
            with _reading(job, piece, images_from) as report:
                by_hand.link_files(piece, images_from, job.root, job.journal(piece), report)
            job.enter(piece, "links to another root")
        else:
            pieces = _adopt(job, piece, labels, pieces)
    reasons = bring_parts(job, job.open(pieces))
    problems = []
    for piece in job.open(pieces):
        if not any(part.name in reasons for part in piece.files):
            try:
                _unpack_piece(job, piece)
            except UserError as error:  # a refused token must not keep the images from coming
                problems.append(error)
    if problems:
        raise problems[0]
    if missing := job.open(pieces):
        raise _incomplete(job, missing, reasons)
    return _finish(job, pieces)


def _check_complete(job: Job, piece: Piece) -> None:
    """Look at the files of a piece that was complete: sizes only. What is gone is fetched again."""
    entered = job.record.pieces.get(piece.key)
    if entered is None:
        return
    again = f"delete {job.root / ACQUIRED} and {job.root / PRIVATE} to record what is there"
    journal = job.journal(piece)
    if not journal.entries:  # the list is gone, the record is not
        with _reading(job, piece, job.root) as report:
            by_hand.enter_tree(piece, job.root, journal, report)
        if journal.summary()["sha256"] != entered["sha256"]:
            journal.path.unlink()
            raise UserError(f"{job.root}: the files of {piece.name} are not the recorded; {again}")
    if changed := journal.changed():
        raise UserError(
            f"{job.root / changed[0]}: changed since it was recorded ({len(changed)} files in "
            "all); move what is changed away and call again to get it back"
        )
    if missing := journal.missing():
        first = f"{job.root / missing[0]}: recorded and gone ({len(missing)} files in all)"
        if entered["origin"] != "archive":
            raise UserError(f"{first}; put it back, or {again}")
        say(f"{first}, fetched again")
        job.record.drop(piece.key)
    elif piece.by_hand and not journal.entries.keys() >= set(by_hand.files_of(piece, job.root)):
        job.record.drop(piece.key)  # the user has placed more: look at all of it again


def _adopt(job: Job, piece: Piece, labels: str | None, pieces: list[Piece]) -> list[Piece]:
    """Enter a piece that lies unpacked in the root, if nothing of it came from archives.

    The pieces, with the labels in the version that was found.
    """
    ours = any(map(size_of, (job.root / PRIVATE).glob(f"{piece.name}*.jsonl")))
    archives = any((job.archives / part.name).exists() for part in piece.files)
    if ours or archives or [*job.hand_archives(piece)] or by_hand.gaps(piece, job.root):
        return pieces
    if piece.version:
        names = sorted(set(by_hand.files_of(piece, job.root)))
        job.record.labels = version_of_tree(job, names, labels)
        pieces = job.dataset.pieces(job.record.labels)
        piece = pieces[0]
    # A list of its own until it is whole: a killed call must not take the user's files for ours.
    growing = Journal(job.root / PRIVATE / f"adopting-{piece.key}.jsonl", job.root)
    with _reading(job, piece, job.root) as report:
        by_hand.enter_tree(piece, job.root, growing, report)
    os.replace(growing.path, job.record.journal(piece.key))
    job.enter(piece, "placed by hand")
    return pieces


@contextmanager
def _reading(job: Job, piece: Piece, root: Path) -> Iterator[Callable[[int], None]]:
    """A progress bar over the piece's files under `root`."""
    total = sum(size_of(root / name) for name in set(by_hand.files_of(piece, root)))
    with job.bar(f"reading {piece.name}", total) as bar:
        yield bar.update


def _unpack_piece(job: Job, piece: Piece) -> None:
    """Unpack the archives of a piece and enter it, if they hold all of its layout."""
    archives = [[job.archives / part.name for part in piece.files]] if piece.files else []
    for path in job.hand_archives(piece):
        job.record.check_part(path, path.name, None, downloaded=False)
        archives.append([path])
    target = Target(piece, job.root, job.journal(piece))
    if piece.version:
        make_room(job, piece, lambda: _read(job, archives[0], target, check_readable))
    for paths in archives:
        if _read(job, paths, target, unpack) == 0:
            raise UserError(
                f"{paths[0]}: holds nothing of the expected layout ({', '.join(piece.keep)}); "
                "get the right archive, or unpack it by hand into that layout"
            )
    missing = by_hand.gaps(piece, job.root)
    if missing and piece.files:
        raise UserError(
            f"{archives[0][0]}: unpacked, but there are no {missing[0].what} "
            f"({missing[0].any[0]}); get the complete archive"
        )
    if not missing:
        if piece.by_hand:
            with _reading(job, piece, job.root) as report:
                by_hand.enter_tree(piece, job.root, target.journal, report)
        job.enter(piece, "archive" if piece.files else "placed by hand")


def _read(job: Job, paths: list[Path], target: Target, action: Callable[..., int]) -> int:
    """`unpack` or `check_readable` on the joined parts, with a progress bar."""
    with job.bar(f"unpacking {target.piece.name}", sum(map(size_of, paths))) as bar:
        raw = JoinedFile(paths, lambda position: bar.update(max(0, position - bar.n)))
        with io.BufferedReader(raw, READ_AHEAD) as content:
            return action(str(paths[0]), content, target, job.token)


def _incomplete(job: Job, missing: list[Piece], reasons: dict[str, str]) -> UserError:
    """The summarising line, after the checklist was printed."""
    for line in by_hand.checklist(job.dataset, job.root, missing, reasons):
        say(line)
    files = [part.name for piece in missing for part in piece.files if part.name in reasons]
    what = ", ".join(gap.what for piece in missing for gap in by_hand.gaps(piece, job.root))
    if files:
        more = f" (and {len(files) - 1} more parts)" if len(files) > 1 else ""
        what = f"{files[0]}: {reasons[files[0]]}{more}"
    hint = ""
    if any(piece.version for piece in missing) and "mmpose" in job.dataset.labels:
        hint = "; labels can also be had with --labels mmpose"
    if any(piece.encrypted for piece in missing) and not job.token:
        hint += f"; the labels are encrypted: {TOKEN_HELP}"
    return UserError(
        f"{job.root}: {job.dataset.title} is not complete: {what}; place what the list above "
        f"names and call again{hint}"
    )


def _finish(job: Job, pieces: list[Piece]) -> dict[str, Any]:
    """Write `acquired.json`, unless it is there with the same content."""
    for entry in job.dataset.optional:
        for path in sorted(job.root.glob(entry.file)):
            if path.is_file() and (
                note := job.record.check_placed(path.relative_to(job.root).as_posix())
            ):
                say(note)
    job.record.save()
    counts = {}
    for piece in pieces:
        job.delete_archives(piece)
        names = list(job.journal(piece).entries)
        for pattern, expected in piece.counts.items():
            counts[pattern] = {"found": count_matching(names, pattern), "expected": list(expected)}
    if job.archives.is_dir():
        remove_leftovers(job.archives)
        if not any(job.archives.iterdir()):
            job.archives.rmdir()
    for pattern, count in counts.items():
        least, most = count["expected"]
        if not least <= count["found"] <= most:
            published = f"{least}" if least == most else f"{least} to {most}"
            what = "a subset" if count["found"] < least else "more than published"
            say(f"{job.root / pattern}: {count['found']}, the release has {published}: {what}")
    result = {
        "name": job.dataset.name,
        "labels": job.record.labels,
        "tool": f"tdmi-bench {__version__}",
        "licence": job.dataset.licence,
        "parts": _fingerprints(job.record.parts),
        "pieces": {piece.key: job.record.pieces[piece.key] for piece in pieces},
        "counts": counts,
        "subset": any(count["found"] < count["expected"][0] for count in counts.values()),
        "placed": _fingerprints(job.record.placed),
    }
    path = job.root / ACQUIRED
    if not path.exists() or read_json(path) != result:
        write_json(path, result)
    return result


def _fingerprints(files: dict[str, dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """Size and SHA-256 by name: what does not change from machine to machine."""
    return {n: {k: files[n][k] for k in ("size", "sha256")} for n in sorted(files)}
