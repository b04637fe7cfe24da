"""Average precision as the PoseTrack21 evaluation kit computes it (its metric `PosemAP`).

Matching, threshold, head size, ignore regions and area under the curve are those of poseval; this
module holds what differs. A frame is judged if the ground truth says `is_labeled`, whoever is in
it. A joint exists if x > 0 and y > 0. Recall divides by at least 1, so a joint that is predicted
but never annotated has AP 0 and counts in the Total. Predicted frames behind the last one of the
ground truth are ignored, and the image ids of judged frames must agree.

Where the kit ends with an exception this answers instead: in a judged frame without people, be it
that nobody is annotated or that everybody is in an ignore region, all predictions are false; track
ids are not looked at. One defect of the kit is not copied: where all numbers in the `keypoints` of
a frame's predictions are written as whole numbers it cuts their scores to whole numbers too.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from tdmi.annotations import Annotations, select_frames
from tdmi.errors import UserError
from tdmi.evaluation import average_precision as poseval
from tdmi.evaluation.average_precision import Scores, Statistics
from tdmi.evaluation.pairing import JudgedVideo


def evaluate(truth: Annotations, predictions: Annotations) -> dict[str, Statistics]:
    """Statistics of every video of the ground truth, by name.

    Raises UserError for missing predictions, too few frames, other image ids, or a person without
    head box in a judged frame.
    """
    return poseval.evaluate(*as_judged(truth, predictions))


def as_judged(truth: Annotations, predictions: Annotations) -> tuple[Annotations, Annotations]:
    """Both sides with the frames and joints that exist for this evaluator.

    Raises UserError for predictions with too few frames or other image ids.
    """
    predictions = _same_frames(truth, predictions)
    return (
        replace(truth, present=_existing(truth), frame_annotated=truth.frame_labelled),
        replace(predictions, present=_existing(predictions)),
    )


def average_precision(statistics: Statistics) -> Scores:
    """AP, precision and recall per joint and in total, in percent; never NaN."""
    at_least_one = replace(statistics, annotated=np.maximum(statistics.annotated, 1))
    return poseval.average_precision(at_least_one)


def notes(videos: Sequence[JudgedVideo]) -> list[str]:
    """One line if the kit would end with an exception on these videos, and what is done here."""
    empty = []
    for video in videos:
        people = np.bincount(video.truth.frame, minlength=len(video.frame_index))
        empty += [f"{video.name}: frame {k}" for k in video.frame_index[people == 0]]
    if not empty:
        return []
    return [
        f"a judged frame without annotated people outside ignore regions: {empty[0]} "
        f"({len(empty)} in all); the PoseTrack21 kit ends with TypeError or IndexError, here all "
        "predictions of the frame are false"
    ]


def suspicions(truth: Annotations, predictions: Annotations) -> list[str]:
    """Warnings on what this evaluator does that is easily overlooked."""
    lines = []
    counts = dict(zip(predictions.video_names, _frame_counts(predictions), strict=True))
    longer = [
        name
        for name, frames in zip(truth.video_names, _frame_counts(truth), strict=True)
        if counts.get(name, 0) > frames
    ]
    if longer:
        lines.append(
            f"{longer[0]}: more frames in the predictions than in the ground truth ({len(longer)} "
            "such videos); those at the end are ignored, as the PoseTrack21 kit does"
        )
    points = predictions.keypoints[predictions.present]
    if len(points) and (points == np.round(points)).all():
        lines.append(
            "all predicted coordinates are whole numbers; where a file writes them, and the third "
            "number of each joint, without decimal point, the PoseTrack21 kit cuts the scores to "
            "whole numbers and finds another AP; write 12.0 rather than 12"
        )
    return lines


def _frame_counts(annotations: Annotations) -> np.ndarray:
    return np.bincount(annotations.frame_video, minlength=len(annotations.video_names))


def _existing(people: Annotations) -> np.ndarray:
    return people.present & (people.keypoints > 0).all(axis=2)


def _same_frames(truth: Annotations, predictions: Annotations) -> Annotations:
    """Predictions without the frames behind the end of the ground truth."""
    keep = np.ones(predictions.frames, dtype=bool)
    for video, name in enumerate(truth.video_names):
        if name not in predictions.video_names:
            continue
        frames = truth.frames_of(video)
        predicted = predictions.frames_of(predictions.video_names.index(name))
        keep[predicted[len(frames) :]] = False
        predicted = predicted[: len(frames)]
        if len(predicted) < len(frames):
            continue
        ours, theirs = truth.frame_id[frames], predictions.frame_id[predicted]
        odd = np.flatnonzero(truth.frame_labelled[frames] & (ours != theirs))
        if len(odd):
            raise UserError(
                f"{name}: frame {odd[0]}: the image id is {theirs[odd[0]]} in the predictions and "
                f"{ours[odd[0]]} in the ground truth ({len(odd)} such frames), expected the same; "
                "list the images of the predictions in the ground truth's order with its ids"
            )
    return select_frames(predictions, keep)
