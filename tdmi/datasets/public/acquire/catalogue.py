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
class Part:
    """One file of an archive."""

    name: str
    about: int | None = None  # Size in bytes as published, which is approximate


@dataclass(frozen=True)
class Requirement:
    """At least one file that matches one of the patterns must be there."""

    what: str
    any: list[str]


@dataclass(frozen=True)
class Piece:
    """Images or labels of a data set: one archive, possibly in parts, or files placed by hand."""

    name: str
    roots: dict[str, str]
    keep: list[str]
    layout: list[Requirement]
    largest_file: int
    largest_total: int
    version: str | None = None
    files: Sequence[Part] = ()
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
class OptionalFile:
    """A file that some experiments need and that only the user can place."""

    what: str
    file: str
    source: str


@dataclass(frozen=True)
class DataSet:
    name: str
    title: str
    register: str
    licence: str
    foreign: list[str]
    optional: list[OptionalFile]
    fixed: list[Piece]  # The pieces without versions
    labels: dict[str, Piece]  # The labels by version; the first one is the default

    def pieces(self, version: str | None) -> list[Piece]:
        """The labels of that version first (they are small), then the rest."""
        if version is None:
            return self.fixed
        labels = self.labels.get(version)
        if labels is None:  # `UNKNOWN`: placed by hand, so it has no archive and no expected count
            first = next(iter(self.labels.values()))
            labels = replace(first, version=version, files=(), base_url=None, counts={})
        return [labels, *self.fixed]


def read_catalogue() -> dict[str, DataSet]:
    """Return the data sets by name."""
    return {name: _data_set(name, dict(fields)) for name, fields in read_yaml(CATALOGUE).items()}


def _data_set(name: str, fields: dict[str, Any]) -> DataSet:
    fixed, labels = [], {}
    for piece, content in fields.pop("pieces").items():
        if versions := content.pop("versions", None):
            labels = {v: _piece(piece, content | own, v) for v, own in versions.items()}
        else:
            fixed.append(_piece(piece, content))
    fields["optional"] = [OptionalFile(**entry) for entry in fields["optional"]]
    return DataSet(name=name, fixed=fixed, labels=labels, **fields)


def _piece(name: str, fields: dict[str, Any], version: str | None = None) -> Piece:
    made = {
        "files": [Part(**part) for part in fields.get("files", ())],
        "layout": [Requirement(**requirement) for requirement in fields["layout"]],
    }
    return Piece(name=name, version=version, **fields | made)


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
