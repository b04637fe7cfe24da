"""Findings of a check, gathered by kind; `kinds.yaml` describes the kinds."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from tdmi.core.files import read_yaml

SEVERITIES = ("error", "warning", "note")
SHOWN = 3
"""Places that a finding names; its count covers the rest."""


class Kind(NamedTuple):
    severity: str
    text: str
    cure: str


KINDS = {
    name: Kind(**fields)
    for name, fields in read_yaml(Path(__file__).with_name("kinds.yaml")).items()
}


@dataclass
class Finding:
    """Everything of one kind that was found, over all splits."""

    severity: str
    """error (results would be wrong or work would stop), warning (look at it) or note."""
    kind: str
    count: int
    text: str
    examples: list[str]
    """The first few places, printable, in the order they were met."""
    cure: str


class Findings:
    """Collects places by kind without keeping all of them."""

    def __init__(self) -> None:
        self._found: dict[str, Finding] = {}

    def add(self, kind: str, places: Iterable[str], count: int | None = None) -> None:
        """Add `places` of `kind`; `count` if `places` holds only the first of more."""
        places = list(places)
        count = len(places) if count is None else count
        if count:
            severity, text, cure = KINDS[kind]
            found = self._found.setdefault(kind, Finding(severity, kind, 0, text, [], cure))
            found.count += count
            found.examples += [printable(p) for p in places[: SHOWN - len(found.examples)]]

    def listed(self) -> list[Finding]:
        """Errors first, then warnings, then notes; within them in the order of the kinds."""
        found = [self._found[kind] for kind in KINDS if kind in self._found]
        return sorted(found, key=lambda finding: SEVERITIES.index(finding.severity))


def printable(text: str) -> str:
    """One line that every terminal can show: names in damaged files can hold anything."""
    shown = "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)
    return shown if len(shown) <= 300 else shown[:297] + "..."
