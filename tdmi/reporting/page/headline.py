"""The answer in words, derived from the numbers by a rule and never written by hand.

The subject (the method that a suite is about) is compared with the single frame, with the single
frame of equal compute, with that of equal layers, and with the best run of each rival family. The
rival is chosen by its mean on the same test data, which favours the rival. What holds is decided by
`tdmi.reporting.data.comparison.differences`.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from tdmi.reporting.data import comparison
from tdmi.reporting.data.runs import Runs
from tdmi.reporting.data.settings import Method, Settings
from tdmi.reporting.tables.tables import number

RIVAL_FAMILIES = ("control", "flow", "deformable", "difference")

AHEAD, BEHIND, OPEN, ONE_SEED, NOT_RUN = "ahead", "behind", "open", "one seed", "not run"
_VERDICTS = {
    AHEAD: "ahead, beyond the spread of seeds",
    BEHIND: "behind, beyond the spread of seeds",
    OPEN: "not told apart from the spread of seeds",
    ONE_SEED: "one common seed, nothing known of the spread",
    NOT_RUN: "not run",
}


@dataclass(frozen=True)
class Claim:
    """The subject against one rival on one box protocol; mean, low and high in points of AP."""

    protocol: str
    question: str
    rival: Method | None
    status: str
    mean: float
    low: float
    high: float
    seeds: int

    @property
    def verdict(self) -> str:
        return _VERDICTS[self.status]


def subject_of(settings: Settings) -> Method | None:
    return None if settings.subject is None else settings.method(settings.subject)


def claims(runs: Runs, settings: Settings) -> list[Claim]:
    """One claim per rival and box protocol; none for a suite without a subject."""
    subject = subject_of(settings)
    if subject is None:
        return []
    result = []
    for protocol in settings.box_protocols:
        values = comparison.per_seed(runs.groups, protocol)
        means = values.mean(axis=1)
        for question, rivals in _questions(settings, subject):
            run = [method for method in rivals if method.name in means.index]
            rival = max(run, key=lambda method: means[method.name]) if run else None
            result.append(_claim(values, subject, rival, protocol, question))
    return result


def _questions(settings: Settings, subject: Method) -> list[tuple[str, list[Method]]]:
    single = settings.method(settings.reference)
    questions = [(f"over the {single.label.lower()}", [single])]
    if settings.equal_compute:
        questions.append(
            ("over a single frame of equal compute", [settings.method(settings.equal_compute)])
        )
    if settings.equal_layers:
        questions.append(
            ("over a single frame with equal layers", [settings.method(settings.equal_layers)])
        )
    asked = {subject.name, settings.reference, settings.equal_compute, settings.equal_layers}
    for family in RIVAL_FAMILIES:
        rivals = [m for m in settings.methods if m.family == family and m.name not in asked]
        if rivals and family != subject.family:
            one = rivals[0].label if family == "control" else rivals[0].family_label
            several = f"{rivals[0].family_label.lower()} (best)"
            questions.append((f"over {one.lower() if len(rivals) == 1 else several}", rivals))
    return questions


def _claim(values, subject: Method, rival: Method | None, protocol: str, question: str) -> Claim:
    if rival is None or subject.name not in values.index:
        nothing = (math.nan, math.nan, math.nan)
        return Claim(protocol, question, rival, NOT_RUN, *nothing, 0)
    row = comparison.differences(values, rival.name).loc[subject.name]
    mean, seeds = float(row["mean"]), int(row["n"])
    if seeds == 0:
        status = NOT_RUN
    elif row["holds"] is None:
        status = ONE_SEED
    elif not row["holds"]:
        status = OPEN
    else:
        status = AHEAD if mean > 0 else BEHIND
    return Claim(
        protocol, question, rival, status, mean, float(row["low"]), float(row["high"]), seeds
    )


def sentence(runs: Runs, settings: Settings, found: list[Claim]) -> str:
    """The headline: the subject on the first box protocol, against every rival."""
    subject = subject_of(settings)
    if subject is None:
        return ""
    protocol = settings.box_protocols[0]
    means = comparison.per_seed(runs.groups, protocol).mean(axis=1)
    if subject.name not in means.index:
        return f"{subject.label} has not been run on {settings.boxes(protocol)}; no answer yet."
    start = (
        f"On {settings.boxes(protocol)}, {subject.label} reaches {number(means[subject.name])} AP."
    )
    parts = [
        _part(words, [c for c in found if c.protocol == protocol and c.status in statuses])
        for words, statuses in (
            ("Beyond the spread of seeds, it is", (AHEAD, BEHIND)),
            ("Not told apart from the spread of seeds, it is", (OPEN,)),
            ("On one common seed only, it is", (ONE_SEED,)),
        )
    ]
    return " ".join([start, *(part for part in parts if part)])


def _part(words: str, claims: list[Claim]) -> str:
    if not claims:
        return ""
    clauses = [
        f"{number(abs(claim.mean))} {'ahead of' if claim.mean >= 0 else 'behind'} "
        f"{claim.rival.label}"
        for claim in claims
    ]
    listed = clauses[-1] if len(clauses) == 1 else f"{', '.join(clauses[:-1])} and {clauses[-1]}"
    return f"{words} {listed}."
