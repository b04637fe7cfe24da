"""Motion families and their splits: `families.yaml`, with the clips of the fetched sources."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from tdmi.core.errors import UserError
from tdmi.core.files import read_json, read_yaml
from tdmi.datasets.mocap.motion import Clip, read_pybullet, read_world_positions
from tdmi.datasets.public.acquire.wheels import RECORD

PYBULLET = "pybullet"
CLIMBS = "holosoma-retargeting"


@dataclass(frozen=True)
class Family:
    """Sibling clips, by file name stem (or its beginning, with a star)."""

    name: str
    split: str
    upright: bool
    source: str
    clips: list[str]


FAMILIES = [
    Family(name, **fields)
    for name, fields in read_yaml(Path(__file__).with_name("families.yaml")).items()
]
Library = list[tuple[Family, Clip]]
"""The clips of one split, each with its family."""


def load_library(sources: Path | str, split: str) -> Library:
    """Clips of a split from the fetched sources; UserError names what is missing."""
    readers = {PYBULLET: read_pybullet, CLIMBS: read_world_positions}
    return [
        (family, readers[family.source](path))
        for family in FAMILIES
        if family.split == split
        for path in _files(Path(sources), family)
    ]


def source_records(sources: Path | str) -> dict[str, dict]:
    """Name, version and SHA-256 of the sources in use, from their records."""
    records = {name: read_json(Path(sources) / name / RECORD) for name in (PYBULLET, CLIMBS)}
    keys = ("version", "file", "sha256", "licence")
    return {name: {key: record[key] for key in keys} for name, record in records.items()}


def _files(sources: Path, family: Family) -> list[Path]:
    folder = sources / family.source
    found = []
    for clip in family.clips:
        matching = sorted(p for p in folder.rglob(f"{clip}.*") if p.suffix in (".txt", ".npy"))
        if not matching:
            raise UserError(
                f"{folder}: no clip {clip}; run: tdmi data fetch {family.source} --root {sources}"
            )
        found.append(matching[0])
    return found
