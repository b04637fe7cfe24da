"""The record of a data set's root: `.acquire/` while it grows, `acquired.json` when complete.

The state is kept beside `acquired.json`, so that a workflow that deletes its outputs before it
repeats a job loses nothing. `.acquire/<piece>.json` lists the files of a piece.
"""

from __future__ import annotations

import hashlib
import logging
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, TypeVar, get_origin, get_type_hints

from tqdm import tqdm

from tdmi.core.errors import UserError
from tdmi.core.files import read_json, sha256_of, write_compact_json, write_json

ACQUIRED = "acquired.json"
PRIVATE = ".acquire"
BY_HAND = "placed by hand"  # Origin of a piece that the user has placed
ARCHIVE = "archive"

logger = logging.getLogger(__name__)
T = TypeVar("T")
Files = dict[str, tuple[int, str]]
"""Size in bytes and SHA-256 of files, by name relative to the root."""


@dataclass(frozen=True)
class KnownFile:
    """An archive part or another file that was hashed once."""

    size: int
    sha256: str
    mtime_ns: int | None = None  # Time of the last change when it was hashed; None: hash it again


@dataclass(frozen=True)
class KnownPiece:
    """A complete piece."""

    origin: str
    parts: list[str]  # Names of its archive files
    files: int
    bytes: int
    sha256: str  # See `digest_of`


@dataclass
class Record:
    """Archive parts, pieces and placed files of the data set `name` under `root`."""

    root: Path
    name: str
    labels: str | None = None  # Version of the labels that lie in the root, or are being unpacked
    parts: dict[str, KnownFile] = field(default_factory=dict)
    pieces: dict[str, KnownPiece] = field(default_factory=dict)  # Complete pieces by key
    placed: dict[str, KnownFile] = field(default_factory=dict)
    """Optional files placed by hand, by name relative to the root."""

    @classmethod
    def load(cls, root: Path, name: str) -> Record:
        """The record of `root`, empty if there is none; UserError if it is of another data set."""
        for path in (state_path(root), root / ACQUIRED):
            if not path.exists():
                continue
            content = read_json(path)
            try:
                if (found := content["name"]) != name:
                    raise UserError(
                        f"{path}: this folder holds {found}, not {name}; give another --root"
                    )
                labels = _typed(content["labels"], str | None)
                parts, placed = (_read(KnownFile, content[key]) for key in ("parts", "placed"))
                return cls(root, name, labels, parts, _read(KnownPiece, content["pieces"]), placed)
            except (KeyError, TypeError, AttributeError) as error:
                raise UserError(
                    f"{path}: not a record this version reads ({error!r}); delete it: the files "
                    "are then checked again"
                ) from None
        return cls(root, name)

    def save(self) -> None:
        """Write the state, if it is not there like this."""
        content = asdict(self)
        del content["root"]
        path = state_path(self.root)
        if not path.exists() or read_json(path) != content:
            write_json(path, content)

    def drop(self, key: str) -> None:
        """Take back that a piece is complete, hence that the root is."""
        (self.root / ACQUIRED).unlink(missing_ok=True)
        self.pieces.pop(key, None)
        self.save()

    @property
    def archives(self) -> Path:
        """Archives of the user: placed by hand, or downloaded and kept on request."""
        return self.root / "archives"

    @property
    def downloads(self) -> Path:
        """Archives that were downloaded and go when they are unpacked."""
        return self.root / PRIVATE / "downloads"

    def part_path(self, name: str) -> Path:
        """Path of an archive part, there already or to be downloaded."""
        placed = self.archives / name
        return placed if placed.is_file() else self.downloads / name

    def files_path(self, key: str) -> Path:
        """Path of the list of a piece's files."""
        return self.root / PRIVATE / f"{key}.json"

    def read_files(self, key: str) -> Files:
        """The listed files of a piece; none if there is no list, UserError if it is damaged."""
        path = self.files_path(key)
        if not path.exists():
            return {}
        try:
            return {str(name): (int(n), str(sha)) for name, (n, sha) in read_json(path).items()}
        except (AttributeError, TypeError, ValueError, OverflowError):
            raise UserError(
                f"{path}: not a list of files; delete it: the files are then checked again"
            ) from None

    def write_files(self, key: str, files: Files) -> None:
        write_compact_json(self.files_path(key), files)

    def check_part(self, name: str) -> None:
        """Record an archive part, or compare it with what was recorded before.

        UserError names a part that is not the one of the first time; a downloaded one is deleted.
        """
        path, known = self.part_path(name), self.parts.get(name)
        found = _hashed(path, known)
        if known and known.sha256 != found.sha256:
            if path.parent == self.downloads:
                path.unlink()
            raise UserError(
                f"{path}: changed: {found.size} bytes with SHA-256 {found.sha256}, recorded are "
                f"{known.size} bytes with {known.sha256}; fetch it again, or use a new --root if "
                "the publisher has changed it"
            )
        self.parts[name] = found
        self.save()

    def enter_placed(self, name: str) -> None:
        """Record an optional file placed by hand, and log a change."""
        path, known = self.root / name, self.placed.get(name)
        found = self.placed[name] = _hashed(path, known)
        if known and known.sha256 != found.sha256:
            change = "%s: changed since it was recorded; its new SHA-256 is %s"
            logger.info(change, path, found.sha256)


def _read(kind: type[T], entries: dict[str, dict[str, object]]) -> dict[str, T]:
    """Entries by name; TypeError for a field that is missing, unknown or of another type."""
    hints = get_type_hints(kind)
    return {
        name: kind(**{key: _typed(value, hints.get(key, object)) for key, value in entry.items()})
        for name, entry in entries.items()
    }


def _typed(value: Any, kind: Any) -> Any:
    if not isinstance(value, get_origin(kind) if get_origin(kind) is list else kind):
        raise TypeError(f"found {value!r}")
    return value


def _hashed(path: Path, known: KnownFile | None) -> KnownFile:
    """`known` if size and time of the last change are the same, else the file read anew."""
    status = path.stat()
    if known and (known.size, known.mtime_ns) == (status.st_size, status.st_mtime_ns):
        return known
    return KnownFile(status.st_size, sha256_of(path), status.st_mtime_ns)


def state_path(root: Path) -> Path:
    return root / PRIVATE / "state.json"


def size_on_disk(path: Path) -> int | None:
    """Size in bytes; None if it is no file."""
    return path.stat().st_size if path.is_file() else None


def digest_of(files: Files) -> str:
    """SHA-256 over the sorted lines `name<TAB>size<TAB>sha256`."""
    digest = hashlib.sha256()
    for name, (size, sha256) in sorted(files.items()):
        digest.update(f"{name}\t{size}\t{sha256}\n".encode("utf-8", "surrogatepass"))
    return digest.hexdigest()


def byte_bar(what: str, total: int | None) -> tqdm:
    """A passing progress bar in bytes; silent when stderr is no terminal."""
    return tqdm(desc=what, total=total, unit="B", unit_scale=True, disable=None, leave=False)
