"""Unpack tar and zip archives of strangers: only plain files of the expected places and kinds.

A member that is a link or a device, or whose name could leave the folder, stops everything; members
elsewhere in the archive are left out. Every file gets a temporary name until it is whole.
"""

from __future__ import annotations

import gzip
import hashlib
import os
import shutil
import stat
import tarfile
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

from tdmi.core.errors import UserError
from tdmi.core.files import sha256_of
from tdmi.datasets.public.acquire.catalogue import Piece, matches
from tdmi.datasets.public.acquire.journal import Journal, remove_empty_folders, size_on_disk

BLOCK = 1 << 20
LARGEST_HEADER = 1 << 20
"""Extended tar headers (long names) beyond this many bytes are no names; they fill the memory."""
UNFINISHED = ".unpacking"
TOKEN_HELP = "give the token from the publisher's mail with --token or in TDMI_POSETRACK21_TOKEN"


class _Hostile(UserError):
    """The archive is not to be trusted: what it has brought so far is removed again."""


@dataclass
class Target:
    """Where an archive goes: `piece` says what is kept, `journal` what is there already."""

    piece: Piece
    root: Path
    journal: Journal
    came: list[str] = field(default_factory=list)
    """Files that were not there before this run."""


def unpack(archive: str, content: BinaryIO, target: Target, token: str | None = None) -> int:
    """Unpack the wanted files of one archive, `content` being all its bytes; how many it holds.

    Files that the journal lists are not written again. UserError: unsafe member, damaged archive,
    no room, a token that is missing or wrong, or a file of that name with other content. `archive`
    is the name for messages.
    """
    seen: set[str] = set()
    try:
        with target.journal, _readable(archive):
            for name, size, stream in _members(archive, content, target, token):
                _take(archive, name, size, stream, target, repeated=name in seen)
                seen.add(name)
    except _Hostile:
        _take_back(target)
        raise
    finally:
        for root in target.piece.roots.values():
            (target.root / root.split("/")[0] / UNFINISHED).unlink(missing_ok=True)
    return len(seen)


def check_readable(archive: str, content: BinaryIO, target: Target, token: str | None) -> int:
    """Read the archive to its end without writing anything; how many wanted files it holds."""
    count = 0
    with _readable(archive):
        for name, size, stream in _members(archive, content, target, token):
            with stream:
                if sum(map(len, iter(lambda: stream.read(BLOCK), b""))) != size:  # noqa: B023
                    raise _damaged(archive, f"{name!r} is cut off")
            count += 1
    return count


def _members(
    archive: str, content: BinaryIO, target: Target, token: str | None
) -> Iterator[tuple[str, int, BinaryIO]]:
    """Name under the root, size and content of every wanted member, checked and opened."""
    magic = content.read(4)
    content.seek(0)
    if magic == b"PK\x03\x04":
        return _zip_members(archive, content, target, token)
    mode = "r:gz" if magic[:2] == b"\x1f\x8b" else "r:"
    return _tar_members(archive, content, target, mode)


@contextmanager
def _readable(archive: str) -> Iterator[None]:
    """Turn what the libraries raise for damaged archives into one line."""
    try:
        yield
    except NotImplementedError as error:  # before RuntimeError, its parent
        raise _damaged(archive, f"of an unknown kind: {error}") from None
    except RuntimeError as error:
        if "password" not in str(error):
            raise
        raise _refused_token(archive) from None
    except (
        tarfile.TarError, zipfile.BadZipFile, gzip.BadGzipFile, zlib.error, EOFError, ValueError
    ) as error:  # fmt: skip
        raise _damaged(archive, str(error)) from None


def _damaged(archive: str, reason: str) -> UserError:
    reason = " ".join(reason.split()) or "it ends early"
    return UserError(
        f"{archive}: not a readable archive ({reason}); delete it from archives/ and fetch it again"
    )


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


def _tar_members(
    archive: str, content: BinaryIO, target: Target, mode: str
) -> Iterator[tuple[str, int, BinaryIO]]:
    previous = -1
    # ignore_zeros: the PoseTrack archives may be several tars one after the other.
    with tarfile.open(fileobj=content, mode=mode, ignore_zeros=True, tarinfo=_StrictHeader) as tar:
        while (member := tar.next()) is not None:
            tar.members.clear()  # the library would keep a record of every file
            if member.size < 0 or member.offset <= previous:
                raise tarfile.ReadError("a member of negative size")
            previous = member.offset
            plain = member.type in (tarfile.REGTYPE, tarfile.AREGTYPE) and not member.issparse()
            if not plain and not member.isdir():
                raise _unsafe(archive, member.name, "is a link, a device or sparse")
            name = destination(archive, member.name, target.piece)
            if name and plain:
                _check_size(archive, name, member.size, target)
                yield name, member.size, tar.extractfile(member)


def _zip_members(
    archive: str, content: BinaryIO, target: Target, token: str | None
) -> Iterator[tuple[str, int, BinaryIO]]:
    with zipfile.ZipFile(content) as packed:
        wanted = {}
        for entry in packed.infolist():
            kind = stat.S_IFMT(entry.external_attr >> 16)
            if kind not in (0, stat.S_IFREG, stat.S_IFDIR):
                raise _unsafe(archive, entry.filename, "is a link or a device")
            # The library cuts names at a NUL and has replaced the separator of the system.
            name = destination(archive, entry.orig_filename, target.piece)
            if name and not entry.is_dir():
                if name in wanted:
                    raise _unsafe(archive, name, "is there twice")
                _check_size(archive, name, entry.file_size, target)
                wanted[name] = entry
        missing = {name: e for name, e in wanted.items() if not target.journal.has(name)}
        _check_room(target.root, sum(entry.file_size for entry in missing.values()))
        if any(entry.flag_bits & 1 for entry in wanted.values()):
            if not token:
                raise UserError(f"{archive}: encrypted; {TOKEN_HELP}")
            _check_token(archive, packed, list((missing or wanted).values()), token)
            packed.setpassword(token.encode())
        for name, entry in wanted.items():
            yield name, entry.file_size, packed.open(entry)


def _check_token(
    archive: str, packed: zipfile.ZipFile, entries: list[zipfile.ZipInfo], token: str
) -> None:
    """UserError if the smallest member cannot be read with the token: before anything is written.

    The format's own test lets one wrong token in 256 pass; the member's checksum does not.
    """
    encrypted = [entry for entry in entries if entry.flag_bits & 1]
    try:
        for entry in sorted(encrypted, key=lambda one: one.file_size)[:1]:
            packed.read(entry, pwd=token.encode())
    except NotImplementedError:
        raise
    except (RuntimeError, zipfile.BadZipFile, zlib.error, EOFError):
        raise _refused_token(archive) from None


def _refused_token(archive: str) -> UserError:
    return UserError(
        f"{archive}: the token does not open it (wrong, expired, or the file is damaged); "
        f"{TOKEN_HELP}"
    )


def destination(archive: str, member: str, piece: Piece) -> str | None:
    """Name under the root of an archive's member; None if it is not wanted.

    UserError if the name is not a plain relative path.
    """
    components = [part for part in member.split("/") if part not in ("", ".")]
    if member.startswith("/") or ".." in components:
        raise _unsafe(archive, member, "leaves the folder")
    if "\\" in member or ":" in member or not member.isprintable():
        raise _unsafe(archive, member, "has a character that is no part of a plain name")
    for position, component in enumerate(components):
        if component in piece.roots:
            name = "/".join([piece.roots[component], *components[position + 1 :]])
            if any(matches(name, pattern) for pattern in piece.keep):
                return name
    return None


def _unsafe(archive: str, member: str, what: str) -> UserError:
    return _Hostile(
        f"{archive}: member {member[:200]!r} {what}; not unpacked: get the archive from its "
        "publisher, or unpack it yourself if you trust it"
    )


def _check_size(archive: str, name: str, size: int, target: Target) -> None:
    if size > target.piece.largest_file:
        raise _unsafe(archive, name, f"has {size} bytes, at most {target.piece.largest_file} fit")


def _check_room(root: Path, size: int) -> None:
    free = shutil.disk_usage(root).free
    if size > free:
        raise UserError(
            f"{root}: {size / 1e9:.2f} GB more are needed, {free / 1e9:.2f} GB are free; "
            "free some and call again: it goes on where it stopped"
        )


def _take(
    archive: str, name: str, size: int, stream: BinaryIO, target: Target, repeated: bool
) -> None:
    """Write one file and list it, unless it is there."""
    if not repeated and target.journal.has(name):
        stream.close()
        return
    final = target.root / name
    temporary = target.root / name.split("/")[0] / UNFINISHED
    final.parent.mkdir(parents=True, exist_ok=True)
    _check_room(target.root, size)
    digest, count = hashlib.sha256(), 0
    with stream, open(temporary, "wb") as out:
        while block := stream.read(BLOCK):
            out.write(block)
            digest.update(block)
            count += len(block)
    if count != size:
        raise _damaged(archive, f"{name!r} has {count} of {size} bytes")
    found = digest.hexdigest()
    if repeated and target.journal.entries[name] != (size, found):
        raise _unsafe(archive, name, "is there twice with different content")
    if final.exists() and (size_on_disk(final) != size or sha256_of(final) != found):
        raise UserError(
            f"{final}: there already with other content than in {archive}; "
            "move it away and call again"
        )
    if not final.exists():
        target.came.append(name)
    os.replace(temporary, final)
    target.journal.add(name, size, found)


def _take_back(target: Target) -> None:
    """Remove what this run has written from an archive that is not to be trusted."""
    for name in target.came:
        (target.root / name).unlink(missing_ok=True)
    remove_empty_folders(target.root, target.came)
    target.journal.forget(target.came)
