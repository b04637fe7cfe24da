"""TDMI explained on one person: a rule that chooses the person, and the figure of the model's maps.

`tdmi.experiments.explain.inspection` runs the model, `explanation_drawing` draws.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from tdmi.config.inputs import Role
from tdmi.core.errors import UserError
from tdmi.data.annotations import Annotations
from tdmi.evaluation.analysis.derived_attributes import speed
from tdmi.reporting.data import selection
from tdmi.reporting.data.spec import Method, ReportSpec
from tdmi.reporting.figures import gallery, style
from tdmi.reporting.figures.explanation_drawing import LEGEND, draw
from tdmi.reporting.figures.gallery import Picture
from tdmi.reporting.tables.tables import number


def explain_report(spec: ReportSpec, runs: Path, folder: Path) -> list[Picture]:
    """Draw the report's subject on the hardest test person and on real video.

    Write `explanation` and `explanation_real_video` (.webp, .csv) into `folder`; those whose run
    has no checkpoint, or whose method has no temporal differences, are left out.
    """
    shown = (("explanation", spec), ("explanation_real_video", spec.real_video))
    pictures = (
        _explain(own, own.subject, runs / own.suite, folder / name)
        for name, own in shown
        if own and own.subject
    )
    return [picture for picture in pictures if picture is not None]


def _explain(spec: ReportSpec, subject: Method, runs: Path, out: Path) -> Picture | None:
    reference, dataset = spec.reference, spec.dataset
    run = runs / subject.name / f"seed{subject.seeds[0]}"
    if not (run / "checkpoint.pt").exists():
        return None
    from tdmi.experiments.explain.inspection import NoDifferences, inspect, open_subject

    try:
        opened = open_subject(run)
    except NoDifferences:
        return None
    truth = gallery.read_truth(dataset)
    predicted = gallery.read_predicted(runs, (reference, subject), spec.box_protocols[0], truth)
    if len(predicted) < 2:
        return None
    errors = {method: result.errors for method, result in predicted.items()}
    people = selection.candidates(truth, errors)
    people = people[(truth.box[people.person, 2:] > 0).all(axis=1)]
    row = most_different(people, reference.name, subject.name)
    inspection = inspect(opened, person_of(opened.annotations, row))
    labels = "pseudo-labels" if dataset.labels == "pseudo" else "labels"
    style.save(*draw(inspection, labels.capitalize()), out.parent, out.name, style.PICTURE)
    caption = (
        f"{subject.label} on the person of {dataset.name}, split {dataset.split}, for whom its "
        f"error differs most from that of “{reference.label}” ({number(row[subject.name], 2)} "
        f"against {number(row[reference.name], 2)}, mean joint distance in head sizes to the "
        f"{labels}): {row['video']}, frame {row['frame']}. First seed, no flip averaging."
    )
    picture, numbers = out.with_suffix(".webp"), f"Numbers: {out.name}.csv."
    return Picture(picture, f"{caption} {LEGEND}", f"{caption} {numbers}")


def most_different(table: pd.DataFrame, reference: str, subject: str) -> pd.Series:
    """Return the row of `selection.candidates` on which the two errors differ most."""
    if table.empty:
        raise UserError("no labelled person with enough joints, expected one to explain")
    gap = (table[reference] - table[subject]).abs().round(6)
    return table.loc[gap.idxmax()]


def fastest(truth: Annotations, among: np.ndarray | None = None) -> int:
    """Return the row of the fastest person (head sizes per frame), the first of equals.

    Only people count that have a box and enough labelled joints, and are in `among` [N] bool.
    """
    enough = truth.present.sum(axis=1) >= selection.MINIMUM_JOINTS
    boxed = (truth.box[:, 2:] > 0).all(axis=1)
    usable = enough & boxed & truth.frame_labelled[truth.person_frame]
    usable &= True if among is None else among
    if not usable.any():
        raise UserError(
            f"no person there with a box and {selection.MINIMUM_JOINTS} labelled joints, expected "
            "one to explain; choose another split, video, frame or track"
        )
    return int(np.argmax(np.where(usable, np.nan_to_num(speed(truth), nan=-1.0), -2.0)))


def person_of(truth: Annotations, row: pd.Series) -> int:
    """Return the row in `truth` of the person with the video, frame and track of `row`."""
    return int(np.argmax(_fitting(truth, row["video"], row["frame"], row["track_id"])))


def explain_run(
    run: Path,
    out: Path,
    split: Role = "test",
    video: str | None = None,
    frame: int | None = None,
    track: int | None = None,
) -> str:
    """Write the figure of a run as `out` without its suffix and .svg, .png, .csv.

    The person is the one of `video`, `frame` (its place in the video, from 0) and `track`, or
    `fastest` of those people that fit what is given. Returns where the person is, in words.
    """
    from tdmi.experiments.explain.inspection import inspect, open_subject

    opened = open_subject(run, split)
    truth = opened.annotations
    person = fastest(truth, _fitting(truth, video, frame, track))
    style.save(*draw(inspect(opened, person), opened.labels), out.parent, out.stem)
    row = truth.person_frame[person]
    return (
        f"{truth.video_names[truth.frame_video[row]]}, frame {truth.frame_index[row]}, "
        f"track {truth.track_id[person]}"
    )


def _fitting(
    truth: Annotations, video: str | None, frame: int | None, track: int | None
) -> np.ndarray:
    """Return [N] bool, the people that fit. UserError names known videos if this one is unknown."""
    if video is not None and video not in truth.video_names:
        known = ", ".join(truth.video_names[:5]) + (", ..." if len(truth.video_names) > 5 else "")
        raise UserError(f"option --video: found {video!r}, expected one of {known}")
    videos = np.array(truth.video_names)[truth.frame_video[truth.person_frame]]
    frames = truth.frame_index[truth.person_frame]
    wanted = ((video, videos), (frame, frames), (track, truth.track_id))
    fits = [found == value for value, found in wanted if value is not None]
    return np.all(fits, axis=0) if fits else np.ones(truth.persons, bool)
