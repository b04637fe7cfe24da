"""Measured probes against the record: which differ, by how much, and where the fault may lie."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from scipy import stats

from tdmi.experiments.provenance import changed_since, provenance
from tdmi.experiments.regression.fixed import Probes

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
"""First word of a probe's name -> files that it measures, in the order in which data passes them:
what differs first explains what differs behind it."""

RELATIVE, ABSOLUTE = 1e-3, 1e-8
"""Least tolerance of any probe, of its size and in its unit. Real faults move the probe next to
them by more than a hundredth; other processors and library versions may round in ways that
`tdmi.experiments.regression.record.CONDITIONS` do not show."""
ROUNDING = 10
"""Tolerance of a fixed probe in the largest deviation that was measured by rounding alone."""
FALSE_ALARMS = 0.01
"""Share of checks of an unchanged program that may fail by an unlucky seed, if a probe's values are
normally distributed over seeds."""
PERCENT = 4.0
"""Least tolerance of AP and MOTA of trained networks, in percent: one of the smoke suite's 27
people. A joint that none of the recorded seeds found has no spread, and yet may be found."""
HINGE = 1e-5
"""Least tolerance of information terms of trained networks, a hundredth of what a nat weighs: a
term that is zero beyond some distance may be so for all recorded seeds, and not for the next."""
SHOWN = 12


@dataclass(frozen=True)
class Failure:
    """A probe that is not as recorded; None on the side that lacks it."""

    probe: str
    found: float | None
    expected: float | None
    tolerance: float

    @property
    def part(self) -> str:
        return self.probe.partition("/")[0]

    def __str__(self) -> str:
        if self.found is None or self.expected is None:
            return f"{self.probe}: found {_shown(self.found)}, expected {_shown(self.expected)}"
        off = self.found - self.expected
        return (
            f"{self.probe}: found {self.found:.6g}, expected {self.expected:.6g} ± "
            f"{self.tolerance:.2g} ({off:+.3g}, {abs(off) / self.tolerance:.3g} tolerances)"
        )


def failures(found: Probes, record: dict[str, Any], kind: str) -> list[Failure]:
    """Probes of a kind, "fixed" or "trained", that the record does not bear out, in the order of
    `PARTS`, those of a part as they were measured."""
    recorded = record[kind]
    width = spread_factor(len(record["seeds"]), len(recorded))
    result = []
    for probe in [*recorded, *(name for name in found if name not in recorded)]:
        if probe not in found or probe not in recorded:
            value = found.get(probe)
            known = recorded.get(probe, {})
            result.append(Failure(probe, value, known.get("value", known.get("mean")), 0.0))
            continue
        entry = recorded[probe]
        expected = entry["value" if kind == "fixed" else "mean"]
        allowed = entry["deviation"] * (ROUNDING if kind == "fixed" else width)
        if kind == "trained":
            allowed = max(allowed, _least(probe))
        allowed = max(allowed, RELATIVE * abs(expected), ABSOLUTE)
        if abs(found[probe] - expected) > allowed:
            result.append(Failure(probe, found[probe], expected, allowed))
    return sorted(result, key=lambda failure: list(PARTS).index(failure.part))


def _least(probe: str) -> float:
    """Tolerance that a trained probe has in any case."""
    if "loss_mi_" in probe:
        return HINGE
    return PERCENT if probe.endswith("val_ap") or "/ap_" in probe or "mota" in probe else 0.0


def spread_factor(seeds: int, probes: int) -> float:
    """Half width, in standard deviations of `seeds` values, of the interval in which one more value
    of each of so many probes lies: all of them together but for a share of `FALSE_ALARMS`."""
    quantile = stats.t.ppf(1 - FALSE_ALARMS / (2 * probes), seeds - 1)
    return float(quantile * (1 + 1 / seeds) ** 0.5)


def explanation(found: list[Failure], record: dict[str, Any], total: int) -> list[str]:
    """Lines for people: what differs, the most likely part, and what has changed since."""
    commit = (record["commit"] or "unknown")[:12]
    lines = [f"{len(found)} of {total} probes differ from the record of commit {commit}:"]
    lines += [f"  {failure}" for failure in found[:SHOWN]]
    if len(found) > SHOWN:
        rest = sorted({failure.part for failure in found[SHOWN:]}, key=list(PARTS).index)
        lines.append(f"  and {len(found) - SHOWN} more, of {', '.join(rest)}")
    parts = list(dict.fromkeys(failure.part for failure in found))
    changed = changed_since(record["commit"]) if record["commit"] else None
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
        if version != record["packages"][name]:
            lines.append(f"package {name}: recorded {record['packages'][name]}, today {version}")
    return lines


def _shown(value: float | None) -> str:
    return "nothing" if value is None else f"{value:.6g}"
