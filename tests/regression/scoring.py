"""Probes of evaluation and prediction, with networks that know the answer."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import torch
from torch import nn

from tdmi.clips.samples import TrainingSamples, Windows
from tdmi.config.inputs import Augmentation
from tdmi.config.settings import Settings
from tdmi.data.annotations import Annotations, on_skeleton
from tdmi.data.skeletons import OKS_SIGMAS, POSETRACK17
from tdmi.evaluation.matching.assignment import head_sizes, match_video
from tdmi.evaluation.matching.scored_videos import scored_videos
from tdmi.evaluation.protocols import poseval as average_precision
from tdmi.evaluation.tracking import mota
from tdmi.models.output import PoseOutput
from tdmi.prediction.oks_nms import oks, rescore
from tdmi.prediction.predict import Boxes, detected_boxes, ground_truth_boxes, predict
from tdmi.prediction.tracking import track
from tests.regression.subjects import (
    Probes,
    detections_of,
    fingerprint,
    in_one_batch,
    inference_of,
    validation_in_one_batch,
    windows_of,
)

NO_AUGMENTATION = Augmentation(
    rotation=0, rotation_probability=0, scale=0, flip_probability=0, half_body_probability=0
)
"""Training samples are cut as prediction cuts them."""
SIGMAS = np.array(OKS_SIGMAS)


def measure(settings: Settings, window: tuple[int, ...]) -> dict[str, Probes]:
    """Return the probes of each part; `window` holds the frame offsets of a person window."""
    windows = windows_of(settings, "test", window)
    return {
        "evaluation": evaluation(windows.annotations),
        "inference": inference(settings, windows),
    }


def evaluation(truth: Annotations) -> Probes:
    """Evaluate true poses that are moved by a known amount."""
    generator = np.random.default_rng(0)
    shape = truth.present.shape
    far = head_sizes(truth.head_box)[:, None, None] * generator.normal(0, 0.35, (*shape, 2))
    guess = replace(
        truth,
        keypoints=truth.keypoints + far * truth.present[..., None],
        joint_score=np.where(truth.present, 0.4 + 0.6 * generator.random(shape), 0.0),
        score=np.ones(shape[0]),
    )
    tracks = track(guess)
    return {
        **{f"ap_{joint}": value for joint, value in joint_ap(truth, guess).items()},
        "precision": scores(truth, guess).precision[-1],
        "recall": scores(truth, guess).recall[-1],
        "mota": tracking(truth, guess).mota[-1],
        "motp": tracking(truth, guess).motp[-1],
        "mota_of_tracker": tracking(truth, tracks).mota[-1],
        "tracks": fingerprint(tracks.track_id),
    }


def scores(truth: Annotations, guess: Annotations) -> average_precision.Scores:
    parts = average_precision.evaluate(*(on_skeleton(a, POSETRACK17) for a in (truth, guess)))
    return average_precision.average_precision(average_precision.combine(parts.values()))


def joint_ap(truth: Annotations, guess: Annotations) -> Probes:
    """Return AP in percent of each evaluated joint, and the total."""
    return dict(zip((*POSETRACK17.joints, "total"), scores(truth, guess).ap, strict=True))


def tracking(truth: Annotations, tracks: Annotations) -> mota.Scores:
    videos = scored_videos(*(on_skeleton(a, POSETRACK17) for a in (truth, tracks)))
    parts = {v.name: mota.video_statistics(v, match_video(v)) for v in videos}
    return mota.tracking_accuracy(mota.combine(parts.values()))


class Oracle(nn.Module):
    """Network that returns the maps given, one batch per call."""

    frame_cue = None

    def __init__(self, maps: list[torch.Tensor]) -> None:
        super().__init__()
        self.maps: Iterator[torch.Tensor] = iter(maps)

    def forward(self, frames: torch.Tensor, offsets: torch.Tensor) -> PoseOutput:
        return PoseOutput(next(self.maps))


def oracle(windows: Windows, boxes: Boxes) -> tuple[Oracle, np.ndarray]:
    """Return an oracle of all boxes in one batch, then mirrored, and each box's person [D].

    Its maps are the targets of training, without and with mirroring, of the person of the frame
    whose box overlaps most.
    """
    people = windows.annotations
    person = np.array(
        [_nearest(people, *pair) for pair in zip(boxes.frame, boxes.box, strict=True)]
    )
    columns = ("keypoints", "present", "person_frame")
    boxed = replace(
        people, box=boxes.box, **{name: getattr(people, name)[person] for name in columns}
    )
    maps = []
    for augmentation in (NO_AUGMENTATION, replace(NO_AUGMENTATION, flip_probability=1)):
        drawn = TrainingSamples(replace(windows, annotations=boxed), augmentation, seed=0)
        order = np.argsort([drawn.person_at(position)[1] for position in range(len(drawn))])
        maps.append(torch.from_numpy(drawn.batch(order.tolist()).heatmaps))
    return Oracle(maps), person


def _nearest(people: Annotations, frame: int, box: np.ndarray) -> int:
    """Return the row of the person of a frame whose box has the largest IoU."""
    rows = np.flatnonzero((people.person_frame == frame) & people.present.any(axis=1))
    low = np.maximum(people.box[rows, :2], box[:2])
    high = np.minimum(people.box[rows, :2] + people.box[rows, 2:], box[:2] + box[2:])
    shared = np.clip(high - low, 0, None).prod(axis=1)
    return rows[np.argmax(shared / (people.box[rows, 2:].prod(axis=1) + box[2:].prod() - shared))]


def inference(settings: Settings, windows: Windows) -> Probes:
    """Predict and evaluate with oracles in the networks' place, for both kinds of boxes."""
    options = in_one_batch(inference_of(settings))  # as an oracle answers
    truth, detections = windows.annotations, detections_of(settings)
    boxes = {
        "ground_truth_boxes": ground_truth_boxes(truth),
        "detected_boxes": detected_boxes(truth, detections, options.box_score_threshold),
    }
    validation = validation_in_one_batch(settings)
    perfect, _ = oracle(validation.windows, ground_truth_boxes(validation.windows.annotations))
    probes = {
        "validation_persons": validation.windows.annotations.persons,
        "validation_ap": validation(perfect, torch.device("cpu")),
    }
    for protocol, asked in boxes.items():
        network, person = oracle(windows, asked)
        people = predict(network, windows, asked, options)
        both = people.present & truth.present[person]
        error = np.linalg.norm(people.keypoints - truth.keypoints[person], axis=2)[both]
        probes |= {f"{protocol}/ap_{k}": v for k, v in joint_ap(truth, people).items()}
        probes |= {
            f"{protocol}/persons": people.persons,
            f"{protocol}/median_error": np.median(error),
            f"{protocol}/joint_score": people.joint_score[people.present].mean(),
            f"{protocol}/mota": tracking(truth, track(people)).mota[-1],
            f"{protocol}/rescored": rescore(people.joint_score, asked.score, "mean_joint").mean(),
        }
    # Every detection twice, the second time with a lower score: OKS NMS has to remove half.
    twice = Boxes(*(np.repeat(column, 2, axis=0) for column in vars(asked).values()))
    twice.score[1::2] *= 0.9
    network, _ = oracle(windows, twice)
    similarities = [oks(i, np.arange(truth.persons), truth, SIGMAS) for i in range(truth.persons)]
    return probes | {
        "persons_of_pairs": predict(
            network, windows, twice, replace(options, suppression=0.9)
        ).persons,
        "similarity": fingerprint(similarities),
    }
