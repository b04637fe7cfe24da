"""A recorded run done again, and how its numbers compare with those of the record."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tdmi.core.errors import UserError
from tdmi.core.files import read_json
from tdmi.experiments.folder import RunFolder
from tdmi.experiments.predict import predict_run
from tdmi.experiments.provenance import Record
from tdmi.experiments.train import train_run
from tdmi.experiments.verify import inputs, read_run


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
        largest = 0.0
        for before, after in self.differing.values():
            if before is None or after is None:
                return None
            largest = max(largest, abs(after - before))
        return largest


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
                f"{run}: {what}: found {_short(today)}, expected {_short(recorded)} as recorded; "
                f"bring them back first (`tdmi verify {run}` lists all that differs)"
            )
    folder = out / settings.name
    if folder.resolve() == run.resolve():
        raise UserError(f"--out {out}: holds the recorded run itself, expected another folder")
    train_run(settings, out, settings.name, starts=runs or run.resolve().parents[2])
    predict_run(folder, "test", folder)
    return folder


def evaluations(run: Path) -> list[tuple[Path, list[str]]]:
    """Metrics files of a run, relative to it, each with the `tdmi evaluate` options of its kind."""
    settings, _ = read_run(run)
    truth = settings.dataset.folder.annotations(settings.dataset.test)
    found = []
    for path in RunFolder(run).evaluated:
        options = ["--protocol", read_json(path).get("protocol", "poseval"), "--gt", str(truth)]
        found.append((path.relative_to(run), options))
    return found


def compare(name: str, recorded: Record, repeated: Record) -> Comparison:
    """Compare every number of the parts that both have; a record may hold more (slices, curves)."""
    shared = [key for key in recorded if key in repeated]
    before = _numbers({key: recorded[key] for key in shared})
    after = _numbers({key: repeated[key] for key in shared})
    places = list(dict.fromkeys([*before, *after]))
    differing = {
        place: (before.get(place), after.get(place))
        for place in places
        if before.get(place) != after.get(place)
    }
    return Comparison(name, len(places), differing)


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


def _short(value: str | None) -> str:
    return "nothing" if value is None else value[:12]
