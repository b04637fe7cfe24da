"""The room that time leaves: single-frame predictions brought together along the labelled motion.

A gain of a temporal method is read beside what its window holds. See `tdmi.evaluation.analysis.oracle_motion`.
"""

from __future__ import annotations

import pandas as pd

from tdmi.data.annotations import on_skeleton
from tdmi.data.skeletons import POSETRACK17
from tdmi.evaluation.analysis.oracle_motion import RULES, along_true_motion
from tdmi.evaluation.protocols.poseval import total_ap
from tdmi.formats import posetrack18
from tdmi.reporting.data import comparison
from tdmi.reporting.data.runs import Runs, run_folder
from tdmi.reporting.data.settings import Settings
from tdmi.reporting.figures.gallery import read_truth
from tdmi.reporting.tables.tables import Cell, Table, anchor, number, source, with_spread

BOXES = "ground_truth_boxes"
"""Only there does every labelled person have one prediction."""
REACH = 2
"""Real frames before and after the key frame: TDMI's window."""
WORDS = {
    "surest": "Single frame, surest frame of the window, true motion",
    "mean": "Single frame, mean of the window, true motion",
}


def headroom_table(runs: Runs, settings: Settings) -> Table | None:
    """AP of the reference, of its predictions along the true motion, and of the real methods.

    None where the labels are not exact or no labelled frame lies in reach of another.
    """
    if settings.dataset.labels != "exact" or settings.evaluation != "poseval":
        return None
    reached = _along_true_motion(runs, settings)
    if not reached:
        return None
    measured = comparison.per_seed(runs.groups, BOXES)
    names = dict.fromkeys((settings.reference, settings.equal_layers, settings.subject))
    shown = [settings.method(name) for name in names if name in measured.index]
    values = pd.concat([measured, pd.DataFrame(reached).T.rename_axis(index="method")])
    differences = comparison.differences(values, settings.reference)
    labels = {method.name: method.label for method in shown} | WORDS
    rows, data, behind = [], [], []
    for name, label in labels.items():
        method = settings.method(settings.reference if name in WORDS else name)
        behind.append(anchor(runs, method))
        own = values.loc[name]
        mean, std = own.mean(), own.std(ddof=1)
        gain = differences.loc[name]
        text = with_spread(gain["mean"], gain["std"], sign=True)
        is_reference = name == settings.reference
        rows.append(
            [
                Cell(label, label),
                Cell(with_spread(mean, std), mean),
                Cell("reference" if is_reference else text, gain["mean"]),
                Cell(number(own.count(), 0), own.count()),
            ]
        )
        record = {"method": method.name, "predictions": name, "label": label}
        record |= {"runs": source(runs, method), "seeds": own.count(), "mean_ap": mean, "std": std}
        ends = ("mean", "std", "low", "high")
        data.append(record | {f"vs_single_frame_{key}": gain[key] for key in ends})
    return Table(
        name="headroom",
        title="What time could give",
        caption=(
            "The last two rows are no methods: they look at the labels. Each predicted joint of "
            f"the labelled frames within {REACH} frames is moved by as much as its label moves, "
            "then the surest is taken, or the mean weighted by score. They tell what the window "
            "holds for single-frame predictions of this quality when motion is known exactly. "
            "Only some frames are labelled, so fewer frames come together than a method sees. Mean "
            f"AP on {settings.boxes(BOXES)}, mean over seeds ± sample standard deviation; "
            "differences paired by seed."
        ),
        headings=["Predictions", "Mean AP", "vs single frame", "Seeds"],
        cells=rows,
        data=pd.DataFrame(data),
        text_columns=1,
        sources=tuple(behind),
    )


def _along_true_motion(runs: Runs, settings: Settings) -> dict[str, dict[int, float]]:
    """Mean AP by rule and seed; empty where nothing can be brought together."""
    reference, truth, found = settings.method(settings.reference), None, {}
    for seed in reference.seeds:
        folder = run_folder(runs.folder, reference, seed) / BOXES / "predictions"
        if not folder.is_dir():
            continue
        if truth is None:
            truth = on_skeleton(read_truth(settings.dataset), POSETRACK17)
        predictions = posetrack18.read_folder(folder, truth.video_names)
        predictions = on_skeleton(predictions, POSETRACK17)
        for rule in RULES:
            moved, neighbours = along_true_motion(predictions, truth, REACH, rule)
            if not neighbours:
                return {}
            found.setdefault(rule, {})[seed] = total_ap(truth, moved)
    return found
