"""The list of files of one piece: name, size and SHA-256, one line each, appended as they come.

It is what makes a killed extraction go on: a listed file with the listed size is not written again.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from pathlib import Path
from types import TracebackType

from tdmi.core.errors import UserError
from tdmi.core.files import write_text


class Journal:
    """Files under `root` that belong to a piece, kept in the file `path`; use it as a context."""

    def __init__(self, path: Path, root: Path):
        self.path, self.root = path, root
        self.entries: dict[str, tuple[int, str]] = {}
        """Size in bytes and SHA-256 in hexadecimal by name relative to the root."""
        if path.exists():
            self._read()
        self._file = None

    def __enter__(self) -> Journal:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self._file = open(self.path, "a", encoding="utf-8", newline="\n")
        return self

    def __exit__(
        self, kind: type | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.close()
        self._file = None

    def add(self, name: str, size: int, sha256: str) -> None:
        """List a file that has its final name. A later line of the same name replaces this one."""
        self._file.write(json.dumps([name, size, sha256]) + "\n")
        self._file.flush()
        self.entries[name] = (size, sha256)

    def forget(self, names: Iterable[str]) -> None:
        """Take files off the list."""
        for name in names:
            self.entries.pop(name, None)
        lines = [json.dumps([name, *entry]) + "\n" for name, entry in self.entries.items()]
        write_text(self.path, "".join(lines))

    def has(self, name: str) -> bool:
        """Whether the file is listed and on the disk with the listed size."""
        return name in self.entries and size_on_disk(self.root / name) == self.entries[name][0]

    def missing(self) -> list[str]:
        """Listed files that are not on the disk, sorted."""
        return sorted(name for name in self.entries if size_on_disk(self.root / name) is None)

    def changed(self) -> list[str]:
        """Listed files that are on the disk with another size, sorted."""
        sizes = {name: size_on_disk(self.root / name) for name in self.entries}
        listed = self.entries.items()
        return sorted(n for n, (size, _) in listed if sizes[n] not in (None, size))

    def summary(self) -> dict[str, int | str]:
        """Number of files, bytes, and SHA-256 over the sorted lines `name<TAB>size<TAB>sha256`."""
        digest = hashlib.sha256()
        for name, (size, sha256) in sorted(self.entries.items()):
            digest.update(f"{name}\t{size}\t{sha256}\n".encode("utf-8", "surrogatepass"))
        total = sum(size for size, _ in self.entries.values())
        return {"files": len(self.entries), "bytes": total, "sha256": digest.hexdigest()}

    def _read(self) -> None:
        data = self.path.read_bytes()
        whole = data[: data.rfind(b"\n") + 1]  # a last line without its end was cut by a kill
        if len(whole) != len(data):
            with open(self.path, "r+b") as file:
                file.truncate(len(whole))
        try:
            for line in whole.splitlines():
                name, size, sha256 = json.loads(line)
                self.entries[str(name)] = (int(size), str(sha256))
        except (ValueError, TypeError) as error:
            raise UserError(
                f"{self.path}: not a list of files ({' '.join(str(error).split())}); "
                "delete it: the files are then checked again"
            ) from None


def size_on_disk(path: Path) -> int | None:
    """Size in bytes; None if it is no file."""
    try:
        return path.stat().st_size if path.is_file() else None
    except OSError:
        return None


def remove_empty_folders(root: Path, names: Iterable[str]) -> None:
    """Remove the folders under `root` that held these files, as far as they are empty now."""
    folders = {parent for name in names for parent in (root / name).parents if parent != root}
    inside = [folder for folder in folders if root in folder.parents]
    for folder in sorted(inside, key=lambda one: len(one.parts), reverse=True):
        try:
            folder.rmdir()
        except OSError:
            continue
