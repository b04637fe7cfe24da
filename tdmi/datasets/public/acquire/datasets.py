"""Acquire PoseTrack2017, PoseTrack2018, PoseTrack21 and HiEve: download, unpack, adopt, record.

Whatever stops a call (Ctrl-C, kill, full disk, lost connection), the next one resumes it and ends
with the same files. `acquired.json` appears in the root when images and labels for training and
validation are there, and not before.
"""

from __future__ import annotations

import logging
import os
import shutil
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from tdmi import __version__
from tdmi.core.checks import choose
from tdmi.core.errors import UserError
from tdmi.core.files import check_no_links, read_json, write_json
from tdmi.core.locks import exclusive_writer
from tdmi.datasets.public.acquire import tree
from tdmi.datasets.public.acquire.catalogue import DataSet, Piece, count_matching, read_catalogue
from tdmi.datasets.public.acquire.download import address, download_parts
from tdmi.datasets.public.acquire.labels import label_version, remove_other_versions
from tdmi.datasets.public.acquire.record import (
    ACQUIRED,
    ARCHIVE,
    BY_HAND,
    PRIVATE,
    Files,
    KnownFile,
    KnownPiece,
    Record,
    byte_bar,
    digest_of,
    size_on_disk,
    state_path,
)
from tdmi.datasets.public.acquire.unpack import TOKEN_HELP, unpack

TOKEN_VARIABLE = "TDMI_POSETRACK21_TOKEN"
logger = logging.getLogger(__name__)


def acquire(
    name: str,
    root: Path | str,
    base_url: str | None = None,
    token: str | None = None,
    labels: str | None = None,
    keep_archives: bool = False,
    jobs: int = 4,
    images_from: Path | str | None = None,
) -> dict[str, Any]:
    """Make data set `name` complete under `root`; return the content of `root/acquired.json`.

    `base_url` is the folder address that holds the archive parts, in place of the publisher's.
    `token` opens the PoseTrack21 labels (else from TDMI_POSETRACK21_TOKEN); it is never stored or
    shown. `labels` is a label version, by default the one already there or the newest. `jobs` is
    the number of parallel downloads, 1 to 16. `images_from` (PoseTrack21) is a PoseTrack18 root
    whose images are linked. Downloaded archives are deleted once unpacked, unless `keep_archives`;
    archives placed by hand stay. UserError in one line, after a logged checklist if something is
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
    tree.check_own_root(dataset, root)
    Record.load(root, name)  # before anything is written into a root of another data set
    private = [path.relative_to(root).as_posix() for path in (root / PRIVATE).rglob("*")]
    check_no_links(root, [PRIVATE, *private, *(["archives"] if keep_archives else [])])
    with exclusive_writer(state_path(root), shown=root):
        token = token or os.environ.get(TOKEN_VARIABLE) or None
        call = _Call(dataset, Record.load(root, name), token, keep_archives)
        return call.run(labels, base_url, jobs, Path(images_from) if images_from else None)


@dataclass
class _Call:
    """One call of `acquire`."""

    dataset: DataSet
    record: Record
    token: str | None = field(repr=False)
    keep_archives: bool

    def run(
        self, labels: str | None, base_url: str | None, jobs: int, images_from: Path | None
    ) -> dict[str, Any]:
        record = self.record
        pieces = self.dataset.pieces(label_version(self.dataset, record, labels))
        for piece in pieces:
            for part in piece.files:
                if record.part_path(part).is_file():
                    record.check_part(part)
            self._check_complete(piece)
        for piece in self._incomplete(pieces):
            if images_from is not None and piece.name == "images":
                files = tree.link_files(piece, images_from, record)
                self._enter(piece, "links to another root", files)
            elif tree.lies_unpacked(piece, record):
                if piece.version:
                    record.labels = piece.version
                self._enter(piece, BY_HAND, tree.hash_files(piece, record.root, {}))
        reasons = download_parts(record, self._incomplete(pieces), base_url, jobs)
        problem = None
        for piece in self._incomplete(pieces):
            if not reasons.keys() & piece.files.keys():
                try:
                    self._unpack(piece)
                except UserError as error:  # a wrong token must not keep the images from coming
                    problem = problem or error
        if problem:
            raise problem
        if missing := self._incomplete(pieces):
            raise self._missing(missing, reasons)
        return self._finish(pieces)

    def _incomplete(self, pieces: list[Piece]) -> list[Piece]:
        return [piece for piece in pieces if piece.key not in self.record.pieces]

    def _check_complete(self, piece: Piece) -> None:
        """Compare the sizes of a complete piece's files; take back that it is complete if some are
        gone that an archive holds, or if the user has placed more."""
        record, root = self.record, self.record.root
        entry = record.pieces.get(piece.key)
        if entry is None:
            return
        again = f"delete {root / ACQUIRED} and {root / PRIVATE} to record what is there"
        files = record.read_files(piece.key)
        if digest_of(files) != entry.sha256:  # the list is gone or damaged, the record is not
            files = tree.hash_files(piece, root, {})
            if digest_of(files) != entry.sha256:
                raise UserError(f"{root}: the files of {piece.name} are not the recorded; {again}")
            record.write_files(piece.key, files)
        sizes = {name: size_on_disk(root / name) for name in files}
        if changed := sorted(n for n, (size, _) in files.items() if sizes[n] not in (None, size)):
            raise UserError(
                f"{root / changed[0]}: changed since it was recorded ({len(changed)} files in "
                "all); move what is changed away and call again to get it back"
            )
        if missing := sorted(name for name, size in sizes.items() if size is None):
            first = f"{root / missing[0]}: recorded and gone ({len(missing)} files in all)"
            if entry.origin != ARCHIVE:
                raise UserError(f"{first}; put it back, or {again}")
            logger.info("%s, fetched again", first)
            record.drop(piece.key)
        elif piece.by_hand and not files.keys() >= set(tree.names_of(piece, root)):
            record.drop(piece.key)

    def _unpack(self, piece: Piece) -> None:
        """Unpack the archives of a piece and enter it, if they hold all of its layout."""
        record = self.record
        if piece.files:
            paths = [record.part_path(part) for part in piece.files]
            self._enter(piece, ARCHIVE, self._unpack_archive(piece, paths))
            return
        known = record.read_files(piece.key)
        for path in tree.hand_archives(piece, record):
            record.check_part(path.name)
            known |= self._unpack_archive(piece, [path])
        if not tree.gaps(piece, record.root):
            self._enter(piece, BY_HAND, tree.hash_files(piece, record.root, known))

    def _unpack_archive(self, piece: Piece, paths: list[Path]) -> Files:
        """Unpack one archive aside, check it to its end, and only then move its files in."""
        record, token = self.record, self.token if piece.encrypted else None
        folder = record.root / PRIVATE / "unpacking"
        shutil.rmtree(folder, ignore_errors=True)
        try:
            with byte_bar(f"unpacking {piece.name}", sum(p.stat().st_size for p in paths)) as bar:
                files = unpack(paths, piece, folder, token, bar.update)
            if not files:
                raise UserError(
                    f"{paths[0]}: holds nothing of the expected layout ({', '.join(piece.keep)}); "
                    "get the right archive, or unpack it by hand into that layout"
                )
            for what, patterns in tree.gaps(piece, folder).items() if piece.files else ():
                raise UserError(
                    f"{paths[0]}: has no {what} ({patterns[0]}); get the complete archive"
                )
            if piece.version:
                remove_other_versions(record, piece)
            tree.check_no_conflict(record.root, files, paths[0])
            if piece.files:  # after a kill the files are known not to be the user's
                record.write_files(piece.key, files)
            for name in files:
                if not (record.root / name).exists():
                    (record.root / name).parent.mkdir(parents=True, exist_ok=True)
                    os.replace(folder / name, record.root / name)
        finally:
            shutil.rmtree(folder, ignore_errors=True)
        return files

    def _enter(self, piece: Piece, origin: str, files: Files) -> None:
        """Record a complete piece; its downloaded archives are not needed then."""
        record = self.record
        names = list(piece.files) if origin == ARCHIVE else []
        names += [path.name for path in tree.hand_archives(piece, record)]
        record.write_files(piece.key, files)
        total = sum(size for size, _ in files.values())
        record.pieces[piece.key] = KnownPiece(origin, names, len(files), total, digest_of(files))
        downloads = [record.downloads / part for part in piece.files]
        for path in filter(Path.is_file, downloads if self.keep_archives else ()):
            record.archives.mkdir(exist_ok=True)
            os.replace(path, record.archives / path.name)
        record.save()
        for path in downloads:
            path.unlink(missing_ok=True)

    def _missing(self, pieces: list[Piece], reasons: dict[str, str]) -> UserError:
        """The summarising line, after the checklist was logged."""
        record, root = self.record, self.record.root
        for line in tree.checklist(self.dataset, record, pieces, reasons):
            logger.info("%s", line)
        files = [part for piece in pieces for part in piece.files if part in reasons]
        what = ", ".join(what for piece in pieces for what in tree.gaps(piece, root))
        if files:
            more = f" (and {len(files) - 1} more parts)" if len(files) > 1 else ""
            what = f"{files[0]}: {reasons[files[0]]}{more}"
        hint = ""
        if any(piece.version for piece in pieces) and "mmpose" in self.dataset.labels:
            hint = "; labels can also be had with --labels mmpose"
        if any(piece.encrypted for piece in pieces) and not self.token:
            hint += f"; the labels are encrypted: {TOKEN_HELP}"
        return UserError(
            f"{root}: {self.dataset.title} is not complete: {what}; place what the list above "
            f"names and call again{hint}"
        )

    def _finish(self, pieces: list[Piece]) -> dict[str, Any]:
        """Write `acquired.json`, unless it is there with the same content."""
        record, root = self.record, self.record.root
        for pattern in self.dataset.optional:
            for path in sorted(filter(Path.is_file, root.glob(pattern))):
                record.enter_placed(path.relative_to(root).as_posix())
        record.save()
        shutil.rmtree(record.downloads, ignore_errors=True)
        counts: dict[str, dict[str, Any]] = {}
        for piece in pieces:
            names = list(record.read_files(piece.key)) if piece.counts else []
            for pattern, (least, most) in piece.counts.items():
                found = count_matching(names, pattern)
                counts[pattern] = {"found": found, "expected": [least, most]}
                if not least <= found <= most:
                    has = f"{least}" if least == most else f"{least} to {most}"
                    kind = "a subset" if found < least else "more than published"
                    logger.info("%s: %d, the release has %s: %s", root / pattern, found, has, kind)

        def fingerprints(files: dict[str, KnownFile]) -> dict[str, dict[str, int | str]]:
            """Size and SHA-256 by name: the same on every machine."""
            return {n: {"size": f.size, "sha256": f.sha256} for n, f in sorted(files.items())}

        content = {
            "name": self.dataset.name,
            "labels": record.labels,
            "tool": f"tdmi-bench {__version__}",
            "licence": self.dataset.licence,
            "parts": fingerprints(record.parts),
            "pieces": {piece.key: asdict(record.pieces[piece.key]) for piece in pieces},
            "counts": counts,
            "subset": any(c["found"] < c["expected"][0] for c in counts.values()),
            "placed": fingerprints(record.placed),
        }
        path = root / ACQUIRED
        if not path.exists() or read_json(path) != content:
            write_json(path, content)
        return content
