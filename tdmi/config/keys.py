"""Names of suites and runs: what they are made of, and the folders they stand for."""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import asdict, dataclass
from typing import Literal, NamedTuple, get_args

from tdmi.core.checks import choose

Protocol = Literal["shared", "published"]
PROTOCOLS = get_args(Protocol)
_PUBLISHED = "_published"
_SIZE = re.compile(r"(?:_width(\d+))?(?:_steps(\d+))?$")


@dataclass(frozen=True)
class SmallSize:
    """A suite made small to try it out before the real thing; None leaves its size as it is."""

    width: int | None = None
    """Width of the backbone and its stem."""
    steps: int | None = None
    """Steps of every recipe, instead of its steps or epochs (0 stays 0)."""

    @property
    def given(self) -> dict[str, int]:
        return {name: value for name, value in asdict(self).items() if value is not None}

    @property
    def suffix(self) -> str:
        """End of the names of folders: runs at a small size stay apart from the real ones."""
        return "".join(f"_{name}{value}" for name, value in self.given.items())


@dataclass(frozen=True)
class SuiteKey:
    """Identity of a suite: its file, the grid of variants, whose settings, and its size."""

    name: str
    grid: str | None = None
    protocol: Protocol = "shared"
    size: SmallSize = SmallSize()

    def __post_init__(self) -> None:
        choose("protocol", self.protocol, PROTOCOLS)

    @property
    def folder(self) -> str:
        """Name of the suite's folders below ``runs`` and ``results``."""
        grid = f"_{self.grid}" if self.grid else ""
        protocol = _PUBLISHED if self.protocol == "published" else ""
        return self.name + protocol + grid + self.size.suffix

    @property
    def cli_options(self) -> str:
        """Words that name the suite on the command line, after ``--suite``."""
        grid = f" --grid {self.grid}" if self.grid else ""
        protocol = "" if self.protocol == "shared" else f" --protocol {self.protocol}"
        size = "".join(f" --{name} {value}" for name, value in self.size.given.items())
        return self.name + grid + protocol + size

    @classmethod
    def parse(cls, folder: str, suites: Collection[str], grids: Collection[str]) -> SuiteKey | None:
        """Return the key whose `folder` this is, given the names of all suites and grids, or None.

        Of two keys with the same folder the one with the longer suite name is returned.
        """
        match = _SIZE.search(folder)
        width, steps = (int(n) if n else None for n in match.groups()) if match else (None, None)
        for size in (SmallSize(width, steps), SmallSize(steps=steps), SmallSize()):
            for name in sorted(suites, key=len, reverse=True):
                keys = [cls(name, size=size), cls(name, protocol="published", size=size)]
                keys += [cls(name, grid, size=size) for grid in grids]
                if found := [key for key in keys if key.folder == folder]:
                    return found[0]
        return None


class RunName(NamedTuple):
    """``<suite>/<method>/seed<k>``, a run's folder below ``runs``; `seed` may be ``{seed}``."""

    suite: str
    method: str
    seed: str

    def __str__(self) -> str:
        return f"{self.suite}/{self.method}/seed{self.seed}"

    @classmethod
    def parse(cls, text: str) -> RunName:
        suite, method, seed = text.split("/")
        return cls(suite, method, seed.removeprefix("seed"))
