"""Average precision as the PoseTrack21 evaluation kit computes it (its metric `PosemAP`).

Matching, threshold, head size, ignore regions and area under the curve are those of poseval; this
module holds what differs. A frame is scored if the ground truth says `is_labeled`, whoever is in
it. A joint exists if x > 0 and y > 0. Recall divides by at least 1, so a joint that is predicted
but never annotated has AP 0 and counts in the Total. Predicted frames behind the last one of the
ground truth are ignored, and the image ids of scored frames must agree.

Where the kit ends with an exception this module answers: in a scored frame without annotated people
outside ignore regions all predictions are false. Track ids play no part.

One defect of the kit is copied, so that the numbers are the kit's, and gets a warning: where all
numbers in the `keypoints` of a frame's predictions are written as whole numbers (12 rather than
12.0) it holds them in an array of whole numbers and cuts the scores to whole numbers as well.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from tdmi.core.errors import UserError
from tdmi.data.annotations import Annotations, select_frames
from tdmi.evaluation.diagnostics.refusals import Finding, Refusal, scored_places
from tdmi.evaluation.matching.scored_videos import ScoredVideo, file_label
from tdmi.evaluation.protocols import poseval
from tdmi.evaluation.protocols.poseval import Scores, Statistics


def as_scored(
    truth: Annotations, predictions: Annotations, prediction_folder: Path | None = None
) -> tuple[Annotations, Annotations]:
    """Return both sides with the frames and joints that exist for this evaluator.

    Raises UserError, naming the file where its folder is known, for predictions with other image
    ids.
    """
    predictions = _same_frames(truth, predictions, prediction_folder)
    truth, predictions = (
        replace(side, present=side.present & (side.keypoints > 0).all(axis=2))
        for side in (truth, predictions)
    )
    return replace(truth, frame_annotated=truth.frame_labelled), predictions


def average_precision(statistics: Statistics) -> Scores:
    """Return AP, precision and recall per joint and in total, in percent; never NaN."""
    at_least_one = replace(statistics, annotated=np.maximum(statistics.annotated, 1))
    return poseval.average_precision(at_least_one)


def refusals(video: ScoredVideo) -> list[Refusal]:
    """Return a refusal if the kit would end on scored frames without people."""
    people = np.bincount(video.truth.frame, minlength=len(video.frame_index))
    return [
        Refusal(
            "a judged frame without annotated people outside ignore regions",
            scored_places(video, people == 0),
            "TypeError or IndexError",
            "all predictions of the frame are false",
            program="the PoseTrack21 kit",
        )
    ]


def findings(name: str, extra_frames: bool, cut_images: Sequence[int]) -> list[Finding]:
    """Return what deserves a warning in one video, in the order of the warnings.

    `extra_frames`: there are predicted frames behind the end of the ground truth. `cut_images`: ids
    of the images whose scores were cut.
    """
    return [
        Finding(
            "{where}: more frames in the predictions than in the ground truth ({count} such "
            "videos); those at the end are ignored, as the PoseTrack21 kit does",
            [name] * extra_frames,
        ),
        Finding(
            "in {count} frames of the predictions all numbers of 'keypoints' are written as whole "
            "numbers, so their scores were cut to whole numbers as the PoseTrack21 kit does; write "
            "12.0 rather than 12 to keep them",
            list(map(str, cut_images)),
        ),
    ]


def whole_number_images(content: Any) -> list[int]:
    """Return ids of the images of a prediction file (form of 2018) whose scores the kit cuts.

    In their predictions every number of `keypoints` is written as a whole number.
    """
    whole: dict[int, bool] = {}
    for person in content["annotations"]:
        image = person["image_id"]
        whole[image] = whole.get(image, True) and float not in set(map(type, person["keypoints"]))
    return [image for image, all_whole in whole.items() if all_whole]


def cut_scores(predictions: Annotations, images: Sequence[int]) -> Annotations:
    """Return predictions with the scores of these images (ids) cut to whole numbers, towards 0."""
    person_image = predictions.frame_id[predictions.person_frame]
    cut = np.isin(person_image, images)[:, None]
    score = np.where(cut, np.trunc(predictions.joint_score), predictions.joint_score)
    return replace(predictions, joint_score=score)


def _same_frames(
    truth: Annotations, predictions: Annotations, prediction_folder: Path | None
) -> Annotations:
    """Return predictions without the frames behind the end of the ground truth."""
    keep = np.ones(predictions.frames, dtype=bool)
    for video, name in enumerate(truth.video_names):
        if name not in predictions.video_names:
            continue
        frames = truth.frames_of(video)
        predicted = predictions.frames_of(predictions.video_names.index(name))
        keep[predicted[len(frames) :]] = False
        if len(predicted) < len(frames):
            continue
        ours, theirs = truth.frame_id[frames], predictions.frame_id[predicted[: len(frames)]]
        odd = np.flatnonzero(truth.frame_labelled[frames] & (ours != theirs))
        if len(odd):
            raise UserError(
                f"{file_label(name, prediction_folder)}: frame {odd[0]}: the image id is "
                f"{theirs[odd[0]]} in the predictions and {ours[odd[0]]} in the ground truth "
                f"({len(odd)} such frames), expected the same; "
                "list the images of the predictions in the ground truth's order with its ids"
            )
    return select_frames(predictions, keep)
