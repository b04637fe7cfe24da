"""One call of `acquire`: what is asked for, the record of the root, and how it is shown."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from tqdm import tqdm

from tdmi.datasets.public.acquire.catalogue import DataSet, Piece
from tdmi.datasets.public.acquire.journal import Journal, size_on_disk
from tdmi.datasets.public.acquire.record import ARCHIVES, Record


@dataclass
class Job:
    dataset: DataSet
    root: Path
    record: Record
    base_url: str | None
    token: str | None = field(repr=False)
    keep_archives: bool
    jobs: int
    progress: bool

    @property
    def archives(self) -> Path:
        return self.root / ARCHIVES

    def bar(self, what: str, total: int | None) -> tqdm:
        """A passing progress bar in bytes with the time left; silent when stderr is no terminal."""
        disable = None if self.progress else True
        return tqdm(desc=what, total=total, unit="B", unit_scale=True, disable=disable, leave=False)

    def journal(self, piece: Piece) -> Journal:
        return Journal(self.record.journal(piece.key), self.root)

    def open(self, pieces: list[Piece]) -> list[Piece]:
        """Those that are not complete."""
        return [piece for piece in pieces if piece.key not in self.record.pieces]

    def hand_archives(self, piece: Piece) -> Iterator[Path]:
        """Archives of unknown names that the user has placed for this piece."""
        for pattern in piece.by_hand:
            yield from sorted(self.archives.glob(pattern))

    def enter(self, piece: Piece, origin: str) -> None:
        """Record a complete piece; then its downloaded archives are not needed any more."""
        names = [part.name for part in piece.files] if origin == "archive" else []
        names += [path.name for path in self.hand_archives(piece)]
        for name in names if self.keep_archives else ():
            self.record.parts[name]["downloaded"] = False  # kept on purpose: the user's from now on
        parts = [
            {"name": name, **{key: self.record.parts[name][key] for key in ("size", "sha256")}}
            for name in names
        ]
        summary = self.journal(piece).summary()
        self.record.pieces[piece.key] = {"origin": origin, "parts": parts, **summary}
        self.record.save()
        self.delete_archives(piece)

    def delete_archives(self, piece: Piece) -> None:
        """Delete the archives of a complete piece that were downloaded and not asked to be kept."""
        for part in piece.files:
            if self.record.parts.get(part.name, {}).get("downloaded"):
                (self.archives / part.name).unlink(missing_ok=True)


def size_of(path: Path) -> int:
    """Size in bytes, 0 if it is no file."""
    return size_on_disk(path) or 0


def say(line: str) -> None:
    print(line, file=sys.stderr)
