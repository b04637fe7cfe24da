"""Motion families and their splits.

Siblings (recordings of the same kind of motion) stay on one side, so that the test asks for motions
never seen. The upright motions with the most varied legs and arms train; strikes and kicks, fast
and with arms raised, test.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from tdmi.core.errors import UserError
from tdmi.core.files import read_json
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
    clips: tuple[str, ...]


FAMILIES = (
    Family("locomotion", "train", True, PYBULLET,
           ("humanoid3d_walk", "humanoid3d_run", "0walk_forward", "turn_left0", "turn_left1",
            "turn_right0", "turn_right1")),
    Family("climb", "train", True, CLIMBS, tuple(f"mocap_climb_seq_{i}*" for i in range(5))),
    Family("dance", "train", True, PYBULLET, ("humanoid3d_dance_a", "humanoid3d_dance_b")),
    Family("crawl", "train", False, PYBULLET, ("humanoid3d_crawl",)),
    Family("getup", "train", False, PYBULLET,
           ("humanoid3d_getup_facedown", "humanoid3d_getup_faceup")),
    Family("cartwheel", "train", False, PYBULLET, ("humanoid3d_cartwheel",)),
    Family("jump", "val", True, PYBULLET, ("humanoid3d_jump",)),
    Family("backflip", "val", False, PYBULLET, ("humanoid3d_backflip",)),
    Family("kick", "test", True, PYBULLET,
           ("humanoid3d_kick", "humanoid3d_spin", "humanoid3d_spinkick")),
    Family("punch", "test", True, PYBULLET, ("humanoid3d_punch",)),
    Family("roll", "test", False, PYBULLET, ("humanoid3d_roll",)),
)  # fmt: skip


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
