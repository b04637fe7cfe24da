"""Unpack tar and zip archives of strangers: only plain files of the expected places and kinds.

A member that is a link or a device, whose name could leave the folder, or that swells beyond the
limits of size stops everything; members elsewhere in the archive are left out. Parts of a cut
archive are read as one file.
"""

from __future__ import annotations

import gzip
import io
import shutil
import stat
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import IO

from tdmi.core.errors import UserError
from tdmi.core.files import sha256_of
from tdmi.datasets.public.acquire.catalogue import Piece, matches
from tdmi.datasets.public.acquire.record import Files

LARGEST_HEADER = 1 << 20
"""Extended tar headers (long names) beyond this many bytes are no names; they fill the memory."""
LARGEST_RATIO = 100
"""Bytes unpacked per byte of archive. Deflated labels, texts of many numbers, reach about 20 and
pictures and videos 1; bombs have 1,000."""
ALWAYS_UNPACKED = 1 << 24  # Bytes: a few repeated lines shrink to less than any ratio
DAMAGE = (zipfile.BadZipFile, zlib.error, EOFError)
SWELLS = "brings what is unpacked to {} bytes, at most {} fit an archive of this kind and size"
TOKEN_HELP = "give the token from the publisher's mail with --token or in TDMI_POSETRACK21_TOKEN"
REFUSED = f"the token does not open it (wrong, expired, or the file is damaged); {TOKEN_HELP}"

Members = Iterator[tuple[str, int, IO[bytes]]]
"""Name under the root, size in bytes and content of every wanted member, checked and opened."""


def unpack(
    paths: Sequence[Path],
    piece: Piece,
    folder: Path,
    token: str | None = None,
    report: Callable[[int], object] = lambda count: None,
) -> Files:
    """Unpack the wanted files of an archive in parts below an empty `folder` and return them.

    `report` is called with the numbers of bytes read. UserError: unsafe member, damaged archive, or
    a token that is missing or wrong; the folder then holds files that must not be used.
    """
    archive = str(paths[0])
    files: Files = {}
    packed_bytes = sum(path.stat().st_size for path in paths)
    largest = min(piece.largest_total, max(ALWAYS_UNPACKED, LARGEST_RATIO * packed_bytes))
    total = 0
    try:
        with ExitStack() as stack:
            if stack.enter_context(open(paths[0], "rb")).read(4) == b"PK\x03\x04":
                packed = stack.enter_context(zipfile.ZipFile(paths[0]))
                members = _zip_members(archive, packed, piece, token, report)
            else:
                joined = stack.enter_context(_JoinedParts(paths, report))
                members = _tar_members(archive, io.BufferedReader(joined, 1 << 20), piece, largest)
            for name, size, stream in members:
                total += size
                if size > piece.largest_file:
                    raise unsafe(
                        archive, name, f"has {size} bytes, at most {piece.largest_file} fit"
                    )
                if total > largest:
                    raise unsafe(archive, name, SWELLS.format(total, largest))
                target = folder / name
                target.parent.mkdir(parents=True, exist_ok=True)
                try:
                    with stream, open(target, "wb") as out:
                        shutil.copyfileobj(stream, out)
                except DAMAGE:
                    if not token:
                        raise
                    raise UserError(f"{archive}: {REFUSED}") from None
                if (count := target.stat().st_size) != size:
                    raise _damaged(archive, f"{name!r} has {count} of {size} bytes")
                found = size, sha256_of(target)
                if files.setdefault(name, found) != found:
                    raise unsafe(archive, name, "is there twice with different content")
    except NotImplementedError as error:  # before RuntimeError, its parent
        raise _damaged(archive, f"of an unknown kind: {error}") from None
    except (*DAMAGE, tarfile.TarError, gzip.BadGzipFile, ValueError) as error:
        raise _damaged(archive, str(error)) from None
    return files


class _JoinedParts(io.RawIOBase):
    """The bytes of several files one after the other, forwards only."""

    def __init__(self, paths: Sequence[Path], report: Callable[[int], object]) -> None:
        self._files = (io.FileIO(path) for path in paths)
        self._file = next(self._files, None)
        self._report = report

    def readable(self) -> bool:
        return True

    def readinto(self, buffer) -> int:
        while self._file is not None:
            if count := self._file.readinto(buffer):
                self._report(count)
                return count
            self._file.close()
            self._file = next(self._files, None)
        return 0

    def close(self) -> None:
        if self._file is not None:
            self._file.close()
        super().close()


def _damaged(archive: str, reason: str) -> UserError:
    reason = " ".join(reason.split()) or "it ends early"
    return UserError(f"{archive}: not a readable archive ({reason}); delete it and fetch it again")


class _Swelling(gzip.GzipFile):
    """Stops at `largest` bytes, of headers and files that are left out as well."""

    def __init__(self, archive: str, packed: io.BufferedReader, largest: int) -> None:
        super().__init__(fileobj=packed)
        self.archive, self.largest = archive, largest

    def read(self, size: int | None = -1) -> bytes:
        data = super().read(size)
        if self.tell() > self.largest:
            raise unsafe(self.archive, "(all)", SWELLS.format(self.tell(), self.largest))
        return data


class _StrictHeader(tarfile.TarInfo):
    """A damaged header amid an archive is an error; the library alone would stop in silence."""

    @classmethod
    def frombuf(cls, buf, encoding, errors):
        header = super().frombuf(buf, encoding, errors)
        names = (tarfile.XHDTYPE, tarfile.XGLTYPE, tarfile.SOLARIS_XHDTYPE)
        names += (tarfile.GNUTYPE_LONGNAME, tarfile.GNUTYPE_LONGLINK)
        if header.type in names and header.size > LARGEST_HEADER:
            raise tarfile.ReadError(f"a header of {header.size} bytes")
        return header

    @classmethod
    def fromtarfile(cls, tarfile_):
        start = tarfile_.fileobj.tell()
        try:
            return super().fromtarfile(tarfile_)
        except (tarfile.EmptyHeaderError, tarfile.EOFHeaderError):
            raise
        except tarfile.HeaderError as error:
            raise tarfile.ReadError(f"{error} at byte {start}") from None


def _tar_members(archive: str, content: io.BufferedReader, piece: Piece, largest: int) -> Members:
    zipped = content.peek(2)[:2] == b"\x1f\x8b"
    stream = _Swelling(archive, content, 2 * largest) if zipped else content
    previous = -1
    # ignore_zeros: the PoseTrack archives may be several tars one after the other.
    with tarfile.open(fileobj=stream, mode="r|", ignore_zeros=True, tarinfo=_StrictHeader) as tar:
        while (member := tar.next()) is not None:
            # The library would keep a record of every file.
            tar.members.clear()  # type: ignore[attr-defined]
            if member.size < 0 or member.offset <= previous:
                raise tarfile.ReadError("a member of negative size")
            previous = member.offset
            plain = member.type in (tarfile.REGTYPE, tarfile.AREGTYPE) and not member.issparse()
            if not plain and not member.isdir():
                raise unsafe(archive, member.name, "is a link, a device or sparse")
            name = destination(archive, member.name, piece)
            if name and plain and (opened := tar.extractfile(member)):
                yield name, member.size, opened


def _zip_members(
    archive: str,
    packed: zipfile.ZipFile,
    piece: Piece,
    token: str | None,
    report: Callable[[int], object],
) -> Members:
    for entry in packed.infolist():
        if entry.header_offset < 0:
            raise zipfile.BadZipFile("a member before the start")
        check_zip_entry(archive, entry)
        name = destination(archive, entry.orig_filename, piece)
        if not name or entry.is_dir():
            continue
        if entry.flag_bits & 1 and not token:
            raise UserError(f"{archive}: encrypted; {TOKEN_HELP}")
        try:
            stream = packed.open(entry, pwd=token.encode() if token else None)
        except NotImplementedError:
            raise
        except RuntimeError:  # the format's own test, which one wrong token in 256 passes
            raise UserError(f"{archive}: {REFUSED}") from None
        yield name, entry.file_size, stream
        report(entry.compress_size)


def check_zip_entry(archive: str, entry: zipfile.ZipInfo) -> None:
    """UserError for a member that is no plain file or folder, or has an unsafe name."""
    if stat.S_IFMT(entry.external_attr >> 16) not in (0, stat.S_IFREG, stat.S_IFDIR):
        raise unsafe(archive, entry.orig_filename, "is a link or a device")
    # `filename` is cut at a NUL and has another separator.
    check_name(archive, entry.orig_filename)


def check_name(archive: str, member: str) -> None:
    """UserError if a member's name is not a plain relative path."""
    if member.startswith("/") or ".." in member.split("/"):
        raise unsafe(archive, member, "leaves the folder")
    if "\\" in member or ":" in member or not member.isprintable():
        raise unsafe(archive, member, "has a character that is no part of a plain name")


def destination(archive: str, member: str, piece: Piece) -> str | None:
    """Name under the root of an archive's member; None if it is not wanted.

    UserError if the name is not a plain relative path.
    """
    check_name(archive, member)
    components = [part for part in member.split("/") if part not in ("", ".")]
    for position, component in enumerate(components):
        if component in piece.roots:
            name = "/".join([piece.roots[component], *components[position + 1 :]])
            if any(matches(name, pattern) for pattern in piece.keep):
                return name
    return None


def unsafe(archive: str, member: str, what: str) -> UserError:
    return UserError(
        f"{archive}: member {member[:200]!r} {what}; not unpacked: get the archive from its "
        "publisher, or unpack it yourself if you trust it"
    )
