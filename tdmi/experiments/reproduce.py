"""A recorded run done again, and how its numbers compare with those of the record."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tdmi.core.errors import UserError
from tdmi.core.files import read_json, sha256_of
from tdmi.evaluation.protocols.base import Request
from tdmi.experiments.folder import RunFolder
from tdmi.experiments.predict import predict_run
from tdmi.experiments.provenance import Record, shown
from tdmi.experiments.train import train_run
from tdmi.experiments.verify import inputs, read_run, request_of

SHOWN = 20
"""Differences of one evaluation that are printed; a choice of this project, one screen of lines."""


@dataclass(frozen=True)
class Comparison:
    """Numbers of one evaluation, recorded and repeated, by their place, e.g. ``ap/wrist``.

    A number that only one side has is None on the other.
    """

    name: str
    numbers: int
    differing: dict[str, tuple[float | None, float | None]]

    @property
    def largest(self) -> float | None:
        """Largest absolute difference; None if a number is there on one side only."""
        pairs = self.differing.values()
        known = [abs(b - a) for a, b in pairs if a is not None and b is not None]
        return max(known, default=0.0) if len(known) == len(pairs) else None

    def lines(self) -> list[str]:
        """Return the comparison as lines of text, with the first differences."""
        if not self.differing:
            return [f"{self.name}: {self.numbers} numbers equal to the last digit"]
        count = len(self.differing)
        largest = "" if self.largest is None else f", by at most {self.largest:.6g}"
        result = [f"{self.name}: {count} of {self.numbers} numbers differ{largest}"]
        for place, pair in list(self.differing.items())[:SHOWN]:
            before, after = ("nothing" if value is None else f"{value:.6g}" for value in pair)
            result.append(f"  {place}: recorded {before}, repeated {after}")
        if count > SHOWN:
            result.append(f"  … and {count - SHOWN} more, in reproduction.json")
        return result


@dataclass(frozen=True)
class Reproduction:
    """A repeated run beside its record."""

    checkpoint_equal: bool
    comparisons: list[Comparison]

    def lines(self) -> list[str]:
        """Return the whole comparison as lines of text."""
        first = f"checkpoint: {'the same bits' if self.checkpoint_equal else 'other bits'}"
        return [first, *(line for one in self.comparisons for line in one.lines())]

    def as_json(self) -> dict[str, Any]:
        """Return the content of ``reproduction.json``."""
        metrics = {
            one.name: {"numbers": one.numbers, "differing": one.differing}
            for one in self.comparisons
        }
        return {"checkpoint_equal": self.checkpoint_equal, "metrics": metrics}


def compare_runs(run: Path, repeated: Path, evaluations: list[Path]) -> Reproduction:
    """Compare a run with its repetition: the checkpoint, and the metrics files at these paths."""
    _, record = read_run(run)
    comparisons = [
        compare(path.as_posix(), read_json(run / path), read_json(repeated / path))
        for path in evaluations
    ]
    same = sha256_of(repeated / "checkpoint.pt") == record["checkpoint_sha256"]
    return Reproduction(same, comparisons)


def repeat(run: Path, out: Path, runs: Path | None = None) -> Path:
    """Train and predict `run` again from its ``config.yaml``; return the new folder below `out`.

    Weights that it started from come from `runs`, by default the folder that holds `run`.
    UserError if data, labels, boxes or starting weights are not those of the record: with others
    it would be another run.
    """
    settings, record = read_run(run)
    for what, recorded, today in inputs(run, settings, record, runs):
        if today != recorded:
            raise UserError(
                f"{run}: {what}: found {shown(today)}, expected {shown(recorded)} as recorded; "
                f"bring them back first (`tdmi verify {run}` lists all that differs)"
            )
    folder = out / settings.name
    if folder.resolve() == run.resolve():
        raise UserError(f"--out {out}: holds the recorded run itself, expected another folder")
    train_run(settings, out, settings.name, starts=runs or run.resolve().parents[2])
    predict_run(folder, "test", folder)
    return folder


def evaluations(run: Path) -> list[tuple[Path, Request]]:
    """Metrics files of a run, relative to it, each with the request that made it."""
    settings, _ = read_run(run)
    return [(p.relative_to(run), request_of(p, settings)) for p in RunFolder(run).evaluated]


def compare(name: str, recorded: Record, repeated: Record) -> Comparison:
    """Compare every number of the parts that both have; a record may hold more (slices, curves)."""
    shared = [key for key in recorded if key in repeated]
    before = _numbers({key: recorded[key] for key in shared})
    after = _numbers({key: repeated[key] for key in shared})
    pairs = {place: (before.get(place), after.get(place)) for place in {**before, **after}}
    return Comparison(name, len(pairs), {k: (a, b) for k, (a, b) in pairs.items() if a != b})


def _numbers(content: Any, place: str = "") -> dict[str, float | None]:
    """Numbers and nulls of nested mappings and lists, by their place."""
    if isinstance(content, list):
        content = dict(enumerate(content))
    if not isinstance(content, dict):
        return {} if isinstance(content, str) else {place: content}
    result: dict[str, float | None] = {}
    for key, value in content.items():
        result |= _numbers(value, f"{place}/{key}" if place else str(key))
    return result
