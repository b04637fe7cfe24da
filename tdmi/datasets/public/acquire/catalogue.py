"""The contents of the four public data sets: `datasets.yaml`, read into plain records."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

from tdmi.core.files import read_yaml

CATALOGUE = Path(__file__).with_name("datasets.yaml")
UNKNOWN = "unknown"  # Version of labels that were placed by hand and match no published release


@dataclass(frozen=True)
class Piece:
    """Images or labels of a data set: one archive, possibly in parts, or files placed by hand."""

    name: str
    roots: dict[str, str]
    keep: list[str]
    layout: dict[str, list[str]]  # What must be there: a file that fits one of the patterns
    largest_file: int
    largest_total: int
    version: str | None = None
    files: dict[str, int | None] = field(default_factory=dict)
    """Archive parts in order with their sizes in bytes as published, which are approximate."""
    base_url: str | None = None
    own_address: bool = False
    encrypted: bool = False
    by_hand: Sequence[str] = ()
    counts: dict[str, list[int]] = field(default_factory=dict)
    """Least and most of the published release, by pattern."""

    @property
    def key(self) -> str:
        """Name in the records; two label versions never share one."""
        return f"{self.name}-{self.version}" if self.version else self.name


@dataclass(frozen=True)
class DataSet:
    name: str
    title: str
    register: str
    licence: str
    foreign: list[str]
    optional: dict[str, dict[str, str]]
    """What only the user can place, with its source, by pattern."""
    fixed: list[Piece]  # The pieces without versions
    labels: dict[str, Piece]  # The labels by version; the first one is the default

    def pieces(self, version: str | None) -> list[Piece]:
        """The labels of that version first (they are small), then the rest."""
        if version is None:
            return self.fixed
        labels = self.labels.get(version)
        if labels is None:  # `UNKNOWN`: placed by hand, so it has no archive and no expected count
            first = next(iter(self.labels.values()))
            labels = replace(first, version=version, files={}, base_url=None, counts={})
        return [labels, *self.fixed]


def read_catalogue() -> dict[str, DataSet]:
    """Return the data sets by name."""
    return {name: _data_set(name, **fields) for name, fields in read_yaml(CATALOGUE).items()}


def _data_set(name: str, pieces: dict[str, dict[str, Any]], **fields: Any) -> DataSet:
    fixed, labels = [], {}
    for piece, content in pieces.items():
        if versions := content.pop("versions", None):
            labels = {v: Piece(piece, **content | own, version=v) for v, own in versions.items()}
        else:
            fixed.append(Piece(piece, **content))
    return DataSet(name, fixed=fixed, labels=labels, **fields)


def matches(path: str, pattern: str) -> bool:
    """Return whether a path fits a shell pattern component by component (`*` stops at `/`)."""
    components, wanted = path.split("/"), pattern.split("/")
    if len(components) != len(wanted) or any(c.startswith(".") for c in components):
        return False
    return all(map(fnmatchcase, components, wanted))


def count_matching(paths: list[str], pattern: str) -> int:
    """Number of different files or folders that fit `pattern`, by the files in them."""
    depth = pattern.count("/") + 1
    heads = {"/".join(path.split("/")[:depth]) for path in paths}
    return sum(matches(head, pattern) for head in heads)
