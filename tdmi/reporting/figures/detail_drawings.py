"""Figures beyond mean AP: difficulty, PCKh, reliability, single videos; with their captions."""

from __future__ import annotations

from collections.abc import Callable

from tdmi.reporting.data.runs import Runs
from tdmi.reporting.data.settings import Settings
from tdmi.reporting.figures.calibration import ENOUGH, reliability, reliability_data
from tdmi.reporting.figures.difficulty import difficulty, difficulty_data
from tdmi.reporting.figures.pckh import pckh, pckh_data
from tdmi.reporting.figures.videos import videos, videos_data

NAMES = ("difficulty_", "pckh", "reliability", "single_videos")
"""How the names of these figures begin, in the order of the page."""


def add_details(
    runs: Runs, settings: Settings, add: Callable, conditions: Callable[[str], str]
) -> None:
    """Draw what the runs' metrics allow; `add` takes name, figure, data, caption, conditions.

    `conditions` gives the conditions of measurement for the name of the boxes.
    """
    methods, protocols = settings.methods, settings.protocols
    against, everywhere = settings.method(settings.reference), " and ".join(protocols.values())
    for protocol, boxes in protocols.items():
        data = difficulty_data(runs, protocol, against.name)
        if data.value.notna().any():
            add(
                f"difficulty_{protocol}", difficulty(data, methods, against), data,
                f"AP against difficulty on {boxes}, people in bins from easy (left) to hard. Top: "
                f"AP of “{against.label}” in each bin. Below: difference to it, paired by seed; "
                "whiskers: 95% Student interval over seeds, cut where they leave the panel; hollow "
                "marks: fewer than 100 people; triangles: off the axis, with the value.",
                conditions(boxes),
            )  # fmt: skip
    data = pckh_data(runs, protocols, against.name)
    if len(data):
        add(
            "pckh", pckh(data, methods, protocols, against), data,
            "PCKh: joints within a distance of the label, in per cent of all annotated joints, "
            "mean of the joints and over seeds.", conditions(everywhere),
        )  # fmt: skip
    named = (settings.subject, settings.reference, settings.strictest)
    shown = [settings.method(name) for name in dict.fromkeys(filter(None, named))]
    data = reliability_data(runs)
    if len(data):
        add(
            "reliability", reliability(data, methods, shown, protocols), data,
            "Reliability of the joint score: share of the joints that the evaluator counts as "
            "right against their mean score, in bins of 0.05, all seeds together; whiskers: "
            "standard deviation over seeds; dotted: a score that is a probability; grey: all "
            "other methods. Off by: mean distance from the dotted line over joints. Bins of "
            f"fewer than {ENOUGH} joints are not drawn. AP does not depend on it, for it knows "
            "the order of the scores alone.",
            conditions(everywhere),
        )  # fmt: skip
    subject, *rivals = shown
    if settings.subject is not None and rivals:
        data = videos_data(runs, protocols, subject.name, [rival.name for rival in rivals])
        if len(data):
            add(
                "single_videos", videos(data, subject, rivals, protocols), data,
                f"“{subject.label}” against others in every single video. Dots: seeds; line: their "
                "mean.", conditions(everywhere),
            )  # fmt: skip
