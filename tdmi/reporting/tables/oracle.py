"""The oracle table: single-frame predictions combined along the labelled motion.

The gain of a temporal method is read beside what its window holds when motion is known exactly. See
`tdmi.evaluation.analysis.oracle_motion`.
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
from tdmi.reporting.data.spec import Record, ReportSpec
from tdmi.reporting.figures.gallery import read_truth
from tdmi.reporting.tables.tables import Cell, Table, anchor, difference_cell, mean_cell, number

BOXES = "ground_truth_boxes"
"""Only there does every labelled person have one prediction."""
REACH = 2
"""Real frames before and after the key frame: TDMI's window."""
WORDS = {
    "surest": "Single frame, surest frame of the window, true motion",
    "mean": "Single frame, mean of the window, true motion",
}


def oracle_table(runs: Runs, spec: ReportSpec) -> Table | None:
    """Return AP of the single frame, of its predictions along the true motion, and of the subject.

    The subject stands beside the strictest reference. None where the labels are not exact or no
    labelled frame lies in reach of another.
    """
    if spec.dataset.labels != "exact" or spec.evaluation != "poseval":
        return None
    reached = _along_true_motion(runs, spec)
    if not reached:
        return None
    measured = comparison.per_seed(runs.groups, BOXES)
    values = pd.concat([measured, pd.DataFrame(reached).T.rename_axis(index="method")])
    summary = comparison.summary(values)
    differences = comparison.differences(values, spec.reference.name)
    shown = dict.fromkeys(filter(None, (spec.reference, spec.strictest, spec.subject)))
    rows = [(m.name, m.label, m) for m in shown if m.name in measured.index]
    rows += [(rule, label, spec.reference) for rule, label in WORDS.items()]
    cells, data = [], []
    for name, label, method in rows:
        (mean, std, seeds), gain = summary.loc[name], differences.loc[name]
        change = difference_cell(gain["mean"], gain["std"], False, name == spec.reference.name)
        seeds_of = Cell(number(seeds, 0), int(seeds))
        cells.append([Cell(label, label), mean_cell(mean, std), change, seeds_of])
        record: Record = {"method": method.name, "predictions": name, "label": label}
        record |= {"runs": " ".join(runs.names_of(method.name)), "seeds": int(seeds)}
        record |= {"mean_ap": mean, "std": std}
        ends = ("mean", "std", "low", "high")
        data.append(record | {f"vs_single_frame_{key}": gain[key] for key in ends})
    return Table(
        name="headroom",
        title="Oracle: AP with motion known exactly",
        caption=(
            "The last two rows are no methods: they look at the labels. Each predicted joint of "
            f"the labelled frames within {REACH} frames is moved by as much as its label moves, "
            "then the surest is taken, or the mean weighted by score. They tell what the window "
            "holds for single-frame predictions of this quality when motion is known exactly. "
            "Only some frames are labelled, so fewer frames come together than a method sees. Mean "
            f"AP on {spec.boxes(BOXES)}, mean over seeds ± sample standard deviation; "
            "differences paired by seed."
        ),
        headings=["Predictions", "Mean AP", "vs single frame", "Seeds"],
        cells=cells,
        data=pd.DataFrame(data),
        text_columns=1,
        sources=tuple(anchor(runs, method) for _, _, method in rows),
    )


def _along_true_motion(runs: Runs, spec: ReportSpec) -> dict[str, dict[int, float]]:
    """Return mean AP by rule and seed; empty where no frames can be combined."""
    truth, found = None, dict[str, dict[int, float]]()
    for seed in spec.reference.seeds:
        folder = run_folder(runs.folder, spec.reference, seed) / BOXES / "predictions"
        if not folder.is_dir():
            continue
        truth = truth or on_skeleton(read_truth(spec.dataset), POSETRACK17)
        predictions = on_skeleton(posetrack18.read_folder(folder, truth.video_names), POSETRACK17)
        for rule in RULES:
            moved, neighbours = along_true_motion(predictions, truth, REACH, rule)
            if not neighbours:
                return {}
            found.setdefault(rule, {})[seed] = total_ap(truth, moved)
    return found
