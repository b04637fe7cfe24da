"""The report of a check, for people and for programs."""

from __future__ import annotations

from collections import Counter
from dataclasses import asdict, dataclass, field
from typing import Any

from tdmi.datasets.public.check.findings import SEVERITIES, Finding, printable


@dataclass
class Counts:
    """Sizes of one split as its readable labels give them."""

    videos: int = 0
    frames: int = 0
    labelled_frames: int = 0
    people: int = 0
    """Persons in frames with at least one joint."""
    joints: int = 0


@dataclass
class Report:
    """The result of `check`."""

    dataset: str
    root: str
    deep: bool
    """Whether every image was decoded; otherwise headers and end marks were read."""
    release: str
    """As `release_of` gives it."""
    recorded_release: str | None
    """Label version that the record of the download states, if there is one."""
    counts: dict[str, Counts]
    published: list[str]
    """One line per published number that concerns a split that is here."""
    findings: list[Finding] = field(default_factory=list)

    @property
    def clean(self) -> bool:
        """No errors; warnings and notes are allowed."""
        return not any(finding.severity == "error" for finding in self.findings)

    def as_json(self) -> dict[str, Any]:
        return {"clean": self.clean, **asdict(self)}

    def as_text(self) -> str:
        """For people: a table of the splits, then every finding with its first places."""
        recorded = f"; the download's record says {self.recorded_release}"
        lines = [
            f"{self.dataset} in {printable(self.root)}",
            f"label release: {self.release}{recorded if self.recorded_release else ''}",
            f"images: {'decoded' if self.deep else 'headers and end marks read'}",
            "",
            *_table(self.counts),
            *(f"  published: {line}" for line in self.published),
            "",
        ]
        for finding in self.findings:
            lines += [
                f"{finding.severity:7} {finding.kind}: {finding.count:,} {finding.text}",
                *(f"          {place}" for place in finding.examples),
            ]
            if finding.count > len(finding.examples):
                lines.append(f"          ... and {finding.count - len(finding.examples):,} more")
            lines.append(f"          -> {finding.cure}")
        found = Counter(finding.severity for finding in self.findings)
        tally = ", ".join(f"{found[severity]} {severity}s" for severity in SEVERITIES)
        lines.append(f"{'clean' if self.clean else 'NOT CLEAN'}: kinds of findings: {tally}")
        return "\n".join(lines)


def _table(counts: dict[str, Counts]) -> list[str]:
    rows = [["split", *(column.replace("_", " ") for column in vars(Counts()))]]
    rows += [[split, *(f"{n:,}" for n in vars(row).values())] for split, row in counts.items()]
    first, *widths = (max(map(len, column)) for column in zip(*rows, strict=True))
    return ["  ".join([name.ljust(first), *map(str.rjust, cells, widths)]) for name, *cells in rows]
