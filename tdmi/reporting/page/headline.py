"""The answer in words, derived from the numbers by a rule and never written by hand.

The subject (the method that a suite is about) is compared with every reference, and with the best
method of each rival family. That rival is chosen by its mean on the same test data, which favours
it. `tdmi.reporting.data.comparison.differences` decides which differences hold.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import pandas as pd

from tdmi.reporting.data import comparison
from tdmi.reporting.data.runs import Runs
from tdmi.reporting.data.spec import Method, ReportSpec
from tdmi.reporting.tables.tables import number

RIVAL_FAMILIES = ("control", "flow", "deformable", "difference")

AHEAD, BEHIND, OPEN, ONE_SEED, NOT_RUN = "ahead", "behind", "open", "one seed", "not run"
_VERDICTS = {
    AHEAD: "ahead, beyond the spread of seeds",
    BEHIND: "behind, beyond the spread of seeds",
    OPEN: "no difference beyond the spread of seeds",
    ONE_SEED: "one common seed, spread unknown",
    NOT_RUN: "not run",
}


@dataclass(frozen=True)
class Claim:
    """The subject against one rival on one box protocol; mean, low and high in points of AP."""

    protocol: str
    question: str
    rival: Method | None
    status: str
    mean: float = math.nan
    low: float = math.nan
    high: float = math.nan
    seeds: int = 0

    @property
    def verdict(self) -> str:
        return _VERDICTS[self.status]

    @property
    def clause(self) -> str:
        """E.g. "0.6 ahead of Single frame"."""
        side = "ahead of" if self.mean >= 0 else "behind"
        return f"{number(abs(self.mean))} {side} {self.rival.label if self.rival else 'nothing'}"


def claims(runs: Runs, spec: ReportSpec) -> list[Claim]:
    """Return one claim per rival and box protocol; none for a suite without a subject."""
    result: list[Claim] = []
    if spec.subject is None:
        return result
    for protocol in spec.box_protocols:
        values = comparison.per_seed(runs.groups, protocol)
        means = values.mean(axis=1)
        for question, rivals in _questions(spec, spec.subject):
            measured = [method for method in rivals if method.name in means.index]
            rival = max(measured, key=lambda m: means[m.name], default=None)
            result.append(_claim(values, spec.subject, rival, protocol, question))
    return result


def _questions(spec: ReportSpec, subject: Method) -> Iterator[tuple[str, list[Method]]]:
    for reference in spec.references:
        yield f"over {reference.description}", [reference.method]
    asked = {subject, *(reference.method for reference in spec.references)}
    for family in RIVAL_FAMILIES:
        rivals = [m for m in spec.methods if m.family == family and m not in asked]
        if rivals and family != subject.family:
            one = rivals[0].label if family == "control" else rivals[0].family_label
            several = f"{rivals[0].family_label.lower()} (best)"
            yield f"over {one.lower() if len(rivals) == 1 else several}", rivals


def _claim(
    values: pd.DataFrame, subject: Method, rival: Method | None, protocol: str, question: str
) -> Claim:
    if rival is None or subject.name not in values.index:
        return Claim(protocol, question, rival, NOT_RUN)
    row = comparison.differences(values, rival.name).loc[subject.name]
    mean, low, high = map(float, row[["mean", "low", "high"]])
    status = AHEAD if mean > 0 else BEHIND
    if not row["holds"]:
        status = NOT_RUN if row["n"] == 0 else ONE_SEED if row["holds"] is None else OPEN
    return Claim(protocol, question, rival, status, mean, low, high, int(row["n"]))


def sentence(runs: Runs, spec: ReportSpec, found: list[Claim]) -> str:
    """Return the headline: the subject on the first box protocol, against every rival."""
    subject, protocol = spec.subject, spec.box_protocols[0]
    if subject is None:
        return ""
    boxes, means = spec.boxes(protocol), comparison.per_seed(runs.groups, protocol).mean(axis=1)
    if subject.name not in means.index:
        return f"{subject.label} has not been run on {boxes}; no answer yet."
    parts = [f"On {boxes}, {subject.label} reaches {number(means[subject.name])} AP."]
    for words, statuses in (
        ("Beyond the spread of seeds, it is", (AHEAD, BEHIND)),
        ("Within seed noise, it is", (OPEN,)),
        ("On one common seed only, it is", (ONE_SEED,)),
    ):
        clauses = [c.clause for c in found if c.protocol == protocol and c.status in statuses]
        if clauses:
            *first, last = clauses
            parts.append(f"{words} {', '.join(first) + ' and ' if first else ''}{last}.")
    return " ".join(parts)
