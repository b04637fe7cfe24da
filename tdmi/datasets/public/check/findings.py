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


@dataclass(frozen=True)
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
        self._counts: dict[str, int] = {}
        self._places: dict[str, list[str]] = {}

    def add(self, kind: str, places: Iterable[str], count: int | None = None) -> None:
        """Add `places` of `kind`; `count` if `places` holds only the first of more."""
        places = list(places)
        count = len(places) if count is None else count
        if count:
            assert kind in KINDS, kind
            self._counts[kind] = self._counts.get(kind, 0) + count
            kept = self._places.setdefault(kind, [])
            kept += [printable(place) for place in places[: SHOWN - len(kept)]]

    def listed(self) -> list[Finding]:
        """Errors first, then warnings, then notes; within them in the order of the kinds."""
        found = [
            Finding(
                kind.severity, name, self._counts[name], kind.text, self._places[name], kind.cure
            )
            for name, kind in KINDS.items()
            if name in self._counts
        ]
        return sorted(found, key=lambda finding: SEVERITIES.index(finding.severity))


def printable(text: str) -> str:
    """One line that every terminal can show: names in damaged files can hold anything."""
    shown = "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)
    return shown if len(shown) <= 300 else shown[:297] + "..."
