"""What is known about a root: `.acquire/state.json` while it grows, `acquired.json` when complete.

The state is kept beside `acquired.json`, so that a workflow that deletes its outputs before it
repeats a job loses nothing.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tdmi.core.errors import UserError
from tdmi.core.files import read_json, sha256_of, write_json

ACQUIRED = "acquired.json"
PRIVATE = ".acquire"
ARCHIVES = "archives"
TABLES = ("parts", "pieces", "placed")


@dataclass
class Record:
    """Archive parts and pieces of the data set under `root`, with their SHA-256."""

    root: Path
    name: str
    labels: str | None = None
    """Version of the labels that lie in the root, or are being unpacked."""
    parts: dict[str, dict[str, Any]] = field(default_factory=dict)
    """By file name: size, sha256, mtime_ns, downloaded (by us, hence ours to delete)."""
    pieces: dict[str, dict[str, Any]] = field(default_factory=dict)
    """Complete pieces by key."""
    placed: dict[str, dict[str, Any]] = field(default_factory=dict)
    """Optional files placed by hand, by name relative to the root: size, sha256, mtime_ns."""
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False)

    @classmethod
    def load(cls, root: Path, name: str) -> Record:
        """The record of `root`, empty if there is none; UserError if it is of another data set."""
        for path in (root / PRIVATE / "state.json", root / ACQUIRED):
            if not path.exists():
                continue
            content = read_json(path)
            if not isinstance(content, dict) or not isinstance(content.get("name"), str):
                raise UserError(f"{path}: no record of a data set; delete it and call again")
            if content["name"] != name:
                raise UserError(
                    f"{path}: this folder holds {content['name']}, not {name}; give another --root"
                )
            try:
                return cls._from(root, content)
            except (KeyError, TypeError, AttributeError) as error:
                raise UserError(
                    f"{path}: not a record this version reads ({error!r}); delete it: the files "
                    "are then checked again"
                ) from None
        return cls(root, name)

    @classmethod
    def _from(cls, root: Path, content: dict[str, Any]) -> Record:
        """TypeError or KeyError if something is not what `save` and `acquired.json` hold."""
        record = cls(root, content["name"], content["labels"])
        _typed({"labels": record.labels or ""}, labels=str)
        for name, part in content["parts"].items():
            _typed(part, size=int, sha256=str)
            record.parts[name] = {"downloaded": False, "mtime_ns": None, **part}
        for key, piece in content["pieces"].items():
            _typed(piece, origin=str, parts=list, files=int, bytes=int, sha256=str)
            record.pieces[key] = dict(piece)
        for name, file in content["placed"].items():
            _typed(file, size=int, sha256=str)
            record.placed[name] = dict(file)
        return record

    def save(self) -> None:
        """Write the state, if it is not there like this."""
        path = self.root / PRIVATE / "state.json"
        with self._lock:
            content = {name: getattr(self, name) for name in ("name", "labels", *TABLES)}
            if not path.exists() or read_json(path) != content:
                write_json(path, content)

    def drop(self, key: str) -> None:
        """A piece is not complete any more, hence the root is not either."""
        (self.root / ACQUIRED).unlink(missing_ok=True)
        self.pieces.pop(key, None)
        self.save()

    def journal(self, key: str) -> Path:
        """Where the list of a piece's files lies."""
        return self.root / PRIVATE / f"{key}.jsonl"

    def check_part(self, path: Path, name: str, exact: int | None, downloaded: bool) -> None:
        """Enter archive part `name`, lying at `path`, or compare it with what was entered before.

        Size and time of the last change decide whether it has to be read again. UserError names a
        part that is not the one of the first time, or not of the published size; a downloaded one
        is then deleted.
        """
        status = path.stat()
        known = self.parts.get(name)
        unchanged = {"size": status.st_size, "mtime_ns": status.st_mtime_ns}
        if known and unchanged.items() <= known.items():
            return
        found = sha256_of(path)
        problem = None
        if exact is not None and status.st_size != exact:
            problem = f"{status.st_size} bytes, published are {exact}; fetch it again"
        elif known and (known["size"], known["sha256"]) != (status.st_size, found):
            problem = (
                f"changed: {status.st_size} bytes with SHA-256 {found}, recorded are "
                f"{known['size']} bytes with {known['sha256']}; fetch it again, or use a new "
                "--root if the publisher has changed it"
            )
        if problem:
            if downloaded:
                path.unlink()
            raise UserError(f"{self.root / ARCHIVES / name}: {problem}")
        downloaded = downloaded or bool(known and known["downloaded"])
        with self._lock:  # several parts are entered at once
            self.parts[name] = {**unchanged, "sha256": found, "downloaded": downloaded}
        self.save()

    def check_placed(self, name: str) -> str | None:
        """Enter an optional file placed by hand; one line if it has changed since."""
        path = self.root / name
        status = path.stat()
        known = self.placed.get(name)
        unchanged = {"size": status.st_size, "mtime_ns": status.st_mtime_ns}
        if known and unchanged.items() <= known.items():
            return None
        found = sha256_of(path)
        self.placed[name] = {**unchanged, "sha256": found}
        if known and known["sha256"] != found:
            return f"{path}: changed since it was recorded; its new SHA-256 is {found}"
        return None


def _typed(content: dict[str, Any], **kinds: type) -> None:
    for name, kind in kinds.items():
        if type(content[name]) is not kind:
            raise TypeError(f"{name} is {content[name]!r}")
