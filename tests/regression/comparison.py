"""Compare measured probes with the record: differences, their sizes and the likely faulty part."""

from __future__ import annotations

import subprocess
from dataclasses import dataclass
from typing import Any

from scipy import stats

from tdmi.experiments.provenance import provenance
from tests.regression import record
from tests.regression.subjects import Probes

PARTS = {
    "data": ("tdmi/datasets", "tdmi/clips/frames.py"),
    "skeletons": (
        "tdmi/data/skeletons.py",
        "tdmi/data/annotations.py",
        "tdmi/checkpoints/heads.py",
    ),
    "windows": ("tdmi/clips/windows.py", "tdmi/clips/samples.py"),
    "crops": ("tdmi/clips/crops.py", "tdmi/clips/samples.py"),
    "heatmaps": ("tdmi/clips/targets.py", "tdmi/clips/crops.py"),
    "samples": ("tdmi/clips/augmentation.py", "tdmi/clips/order.py", "tdmi/clips/samples.py"),
    "evaluation": ("tdmi/evaluation", "tdmi/prediction/tracking.py"),
    "inference": (
        "tdmi/prediction/predict.py",
        "tdmi/prediction/oks_nms.py",
        "tdmi/training/validation.py",
    ),
    "losses": ("tdmi/losses",),
    "models": (
        "tdmi/models",
        "baselines",
        "tdmi/clips/crops.py",
        "tdmi/experiments/build.py",
    ),
    "training": ("tdmi/training", "tdmi/models", "tdmi/losses", "workflow/config"),
    "trained": ("tdmi/training", "tdmi/models", "tdmi/losses", "workflow/config"),
}
"""First word of a probe's name -> files that it measures, in the order in which data passes them.
A difference in one part explains differences in later parts."""

RELATIVE, ABSOLUTE = 1e-3, 1e-8
"""Least tolerance of any probe, of its size and in its unit. Real faults move the probe next to
them by more than a hundredth; other processors and library versions may round in ways that
`record.CONDITIONS` do not show."""
ROUNDING = 10
"""Tolerance of a fixed probe, in multiples of the largest deviation by rounding alone."""
FALSE_ALARMS = 0.01
"""Share of checks of an unchanged program that may fail by an unlucky seed. Values of a probe are
taken to be normally distributed over seeds."""
PERCENT = 4.0
"""Least tolerance of AP and MOTA of trained networks, in percent: one of the smoke suite's 27
people. A joint that no recorded seed found has no spread, yet another seed may find it."""
HINGE = 1e-5
"""Least tolerance of information terms of trained networks, a hundredth of the weight of a nat. A
term that is zero beyond some distance may be zero for all recorded seeds but not for the next."""
LISTED = 12


@dataclass(frozen=True)
class Failure:
    """A probe that differs from the record; None on the side that lacks it."""

    probe: str
    found: float | None
    expected: float | None
    tolerance: float

    @property
    def part(self) -> str:
        return self.probe.partition("/")[0]

    def __str__(self) -> str:
        if self.found is None or self.expected is None:
            return f"{self.probe}: found {_text(self.found)}, expected {_text(self.expected)}"
        off = self.found - self.expected
        return (
            f"{self.probe}: found {self.found:.6g}, expected {self.expected:.6g} ± "
            f"{self.tolerance:.2g} ({off:+.3g}, {abs(off) / self.tolerance:.3g} tolerances)"
        )


def check(suite: str, seed: int) -> tuple[bool, str]:
    """Measure a suite's probes and compare them with its record.

    The two trainings with `seed` are left out where a fixed probe differs already. Returns whether
    nothing differs, and the report for people.
    """
    known = record.read(suite)
    total = len(known["fixed"])
    found = failures(record.fixed_probes(suite), known, "fixed")
    if not found:
        total += len(known["trained"])
        found = failures(record.trained_probes(suite, seed), known, "trained")
    if found:
        return False, "\n".join(explanation(found, known, total))
    return True, f"all {total} probes are as in the record of commit {known['commit'][:12]}"


def failures(found: Probes, known: dict[str, Any], kind: str) -> list[Failure]:
    """Return the probes of a kind, "fixed" or "trained", that differ from the record `known`.

    They are sorted by `PARTS`; those of one part keep the order of measurement.
    """
    recorded = known[kind]
    width = spread_factor(len(known["seeds"]), len(recorded))
    result = []
    for probe in [*recorded, *(name for name in found if name not in recorded)]:
        entry = recorded.get(probe, {})
        value, expected = found.get(probe), entry.get("value", entry.get("mean"))
        allowed = 0.0
        if value is not None and expected is not None:
            allowed = entry["deviation"] * (ROUNDING if kind == "fixed" else width)
            allowed = max(allowed, _least(probe, kind), RELATIVE * abs(expected), ABSOLUTE)
            if abs(value - expected) <= allowed:
                continue
        result.append(Failure(probe, value, expected, allowed))
    return sorted(result, key=lambda failure: list(PARTS).index(failure.part))


def _least(probe: str, kind: str) -> float:
    """Return the least tolerance of a trained probe, by what it measures; 0 for a fixed one."""
    if kind == "fixed":
        return 0.0
    if "loss_mi_" in probe:
        return HINGE
    return PERCENT if probe.endswith("val_ap") or "/ap_" in probe or "mota" in probe else 0.0


def spread_factor(seeds: int, probes: int) -> float:
    """Return the half width of the prediction interval of one more value, in standard deviations.

    The standard deviation is that of `seeds` values. All of so many `probes` lie in their intervals
    together, except for a share of `FALSE_ALARMS`.
    """
    quantile = stats.t.ppf(1 - FALSE_ALARMS / (2 * probes), seeds - 1)
    return float(quantile * (1 + 1 / seeds) ** 0.5)


def changed_since(commit: str) -> list[str] | None:
    """Tracked files that differ from a commit, committed or not; None without its history."""
    command = ["git", "diff", "--name-only", commit]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        return None
    return done.stdout.splitlines()


def explanation(found: list[Failure], known: dict[str, Any], total: int) -> list[str]:
    """Return lines for people: differences, the most likely part, and files changed since."""
    commit = (known["commit"] or "unknown")[:12]
    lines = [f"{len(found)} of {total} probes differ from the record of commit {commit}:"]
    lines += [f"  {failure}" for failure in found[:LISTED]]
    if len(found) > LISTED:
        rest = sorted({failure.part for failure in found[LISTED:]}, key=list(PARTS).index)
        lines.append(f"  and {len(found) - LISTED} more, of {', '.join(rest)}")
    parts = list(dict.fromkeys(failure.part for failure in found))
    changed = changed_since(known["commit"]) if known["commit"] else None
    code = [f for f in changed or [] if f.startswith(("tdmi/", "baselines/", "workflow/config/"))]
    suspects = {part: [f for f in code if f.startswith(PARTS[part])] for part in parts}
    likely = next((part for part in parts if suspects[part]), parts[0])
    lines.append(
        f"most likely part: {likely} ({', '.join(suspects[likely] or PARTS[likely])})"
        + (", the first on the road of data that differs" if likely == parts[0] else "")
    )
    if changed is None:
        lines.append("changed since: unknown, that commit is not in this clone's history")
    else:
        lines.append(f"changed since: {', '.join(code) or 'no source file'}")
    for name, version in provenance()["packages"].items():
        if version != known["packages"][name]:
            lines.append(f"package {name}: recorded {known['packages'][name]}, today {version}")
    return lines


def _text(value: float | None) -> str:
    return "nothing" if value is None else f"{value:.6g}"
