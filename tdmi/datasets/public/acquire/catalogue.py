"""The contents of the four public data sets: `datasets.yaml`, read into plain records."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

from tdmi.core.files import read_yaml

CATALOGUE = Path(__file__).with_name("datasets.yaml")
UNKNOWN = "unknown"
"""Version of labels that were placed by hand and match no published release."""


@dataclass(frozen=True)
class Part:
    """One file of an archive."""

    name: str
    about: int | None = None
    """Size in bytes as published, which is approximate."""


@dataclass(frozen=True)
class Requirement:
    """At least one file that matches one of the patterns must be there."""

    what: str
    any: tuple[str, ...]


@dataclass(frozen=True)
class Piece:
    """Images or labels of a data set: one archive, possibly in parts, or files placed by hand."""

    name: str
    roots: dict[str, str]
    keep: tuple[str, ...]
    layout: tuple[Requirement, ...]
    largest_file: int
    version: str | None = None
    files: tuple[Part, ...] = ()
    base_url: str | None = None
    own_address: bool = False
    encrypted: bool = False
    by_hand: tuple[str, ...] = ()
    counts: dict[str, tuple[int, int]] = field(default_factory=dict)

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
    foreign: tuple[str, ...]
    optional: tuple[OptionalFile, ...]
    fixed: tuple[Piece, ...]
    """The pieces without versions."""
    labels: dict[str, Piece]
    """The labels by version; the first one is the default."""

    def pieces(self, version: str | None) -> list[Piece]:
        """The labels of that version first (they are small), then the rest."""
        if version is None:
            return list(self.fixed)
        if version == UNKNOWN:
            # Always placed by hand: it has no archive and no expected count.
            first = next(iter(self.labels.values()))
            labels = replace(first, version=UNKNOWN, files=(), base_url=None, counts={})
        else:
            labels = self.labels[version]
        return [labels, *self.fixed]


def read_catalogue() -> dict[str, DataSet]:
    """Return the data sets by name."""
    return {name: _data_set(name, dict(fields)) for name, fields in read_yaml(CATALOGUE).items()}


def _data_set(name: str, fields: dict[str, Any]) -> DataSet:
    fixed, labels = [], {}
    for piece, content in fields.pop("pieces").items():
        content = dict(content)
        versions = content.pop("versions", None)
        if versions is None:
            fixed.append(_piece(piece, content))
        else:
            labels = {
                version: _piece(piece, content | changes | {"version": version})
                for version, changes in versions.items()
            }
    optional = tuple(OptionalFile(**entry) for entry in fields.pop("optional"))
    foreign = tuple(fields.pop("foreign"))
    return DataSet(
        name=name, foreign=foreign, optional=optional, fixed=tuple(fixed), labels=labels, **fields
    )


def _piece(name: str, fields: dict[str, Any]) -> Piece:
    fields = dict(fields)
    fields["files"] = tuple(Part(**part) for part in fields.get("files", ()))
    fields["layout"] = tuple(Requirement(e["what"], tuple(e["any"])) for e in fields["layout"])
    fields["counts"] = {k: (least, most) for k, (least, most) in fields.get("counts", {}).items()}
    fields["keep"] = tuple(fields["keep"])
    fields["by_hand"] = tuple(fields.get("by_hand", ()))
    return Piece(name=name, **fields)


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
