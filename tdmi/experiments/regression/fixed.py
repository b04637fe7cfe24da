"""Probes of everything around the networks, from the data to the evaluator.

Each part is measured on its own, with inputs that the parts before it have no hand in wherever
that is possible, so that a fault shows where it is. What can be known beforehand is measured as the
difference from it (expected: 0); the rest is a number to be remembered.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from torch import nn

from tdmi.checkpoints.heads import map_head
from tdmi.clips.crops import (
    OFFICIAL,
    PIXEL_CENTRES,
    crop_matrix,
    invert,
    scale_of,
    transform,
    warp,
)
from tdmi.clips.samples import TrainingSamples, Windows
from tdmi.clips.targets import DECODERS, decode, encode, flip_back
from tdmi.clips.windows import WINDOW_ENDS, window_offsets
from tdmi.config.inputs import Augmentation
from tdmi.config.settings import Settings
from tdmi.data.annotations import Annotations, on_skeleton
from tdmi.data.detections import Detections, read_detections
from tdmi.data.skeletons import (
    ALIASES,
    COCO,
    OKS_SIGMAS,
    POSETRACK17,
    POSETRACK18,
    SKELETONS,
    Skeleton,
)
from tdmi.evaluation.matching.assignment import head_sizes
from tdmi.evaluation.protocols import poseval as average_precision
from tdmi.evaluation.tracking import mota
from tdmi.experiments.build import read_split, split_windows, validation_windows
from tdmi.models.output import PoseOutput
from tdmi.prediction.oks_nms import oks, rescore
from tdmi.prediction.predict import (
    Boxes,
    detected_boxes,
    ground_truth_boxes,
    predict,
)
from tdmi.prediction.tracking import track
from tdmi.training.validation import Validation

Probes = dict[str, float]

STILL = Augmentation(
    rotation=0, rotation_probability=0, scale=0, flip_probability=0, half_body_probability=0
)
"""Training samples as prediction cuts them."""
SIGMAS = np.array(OKS_SIGMAS)


def measure(settings: Settings, window: tuple[int, ...]) -> Probes:
    """All probes of this module; `settings` of a run on the suite's data, `window` in frames."""
    test = read_split(settings, "test")
    windows = split_windows(settings, test, window)
    detections = read_detections(settings.dataset.folder.boxes(settings.dataset.test))
    probes = {
        "data": data(settings, windows, detections),
        "skeletons": skeletons(test),
        "windows": neighbours(windows),
        "crops": crops(windows),
        "heatmaps": heatmaps(windows.crop.heatmap_size, windows.crop.sigma),
        "samples": samples(settings, window),
        "evaluation": evaluation(test),
        "inference": inference(settings, windows, detections),
    }
    return {
        f"{part}/{name}": value for part, some in probes.items() for name, value in some.items()
    }


def fingerprint(values: Any) -> float:
    """Mean of numbers under weights that differ from place to place: it sees exchanged entries."""
    flat = np.asarray(values, dtype=np.float64).ravel()
    return float(flat @ (1 + 0.5 * np.sin(np.arange(flat.size)))) / flat.size


def data(settings: Settings, windows: Windows, detections: Detections) -> Probes:
    files = windows.annotations.frame_file
    probes = {"pictures": np.mean([fingerprint(windows.store.read(f)) for f in files])}
    for split in ("train", "validation", "test"):
        people = read_split(settings, split)
        probes[f"{split}_joints"] = people.present.sum()
        probes[f"{split}_keypoints"] = fingerprint(people.keypoints)
        probes[f"{split}_boxes"] = fingerprint(people.box)
    probes["detections"] = fingerprint(detections.box * detections.score[:, None])
    return probes


def mirror_names(skeleton: Skeleton) -> list[int]:
    """For each joint the joint of the other side, by the names alone."""
    swap = {"left": "right", "right": "left"}
    sides = [joint.partition("_") for joint in skeleton.joints]
    return [skeleton.joints.index(swap.get(a, a) + dash + b) for a, dash, b in sides]


def skeletons(people: Annotations) -> Probes:
    own = {"head": torch.full((len(POSETRACK18),), -1.0)}
    head, _ = map_head(
        {"head": torch.arange(float(len(COCO)))}, COCO, own, POSETRACK18, "by_joint_name"
    )
    judged = on_skeleton(people, POSETRACK17).keypoints
    return {
        "wrong_mirrors": sum((s.flip_order != mirror_names(s)).sum() for s in SKELETONS.values()),
        "neck_slot": POSETRACK18.index(ALIASES["neck"]),
        **{f"order_{s.name}": fingerprint(np.argsort(s.joints)) for s in SKELETONS.values()},
        "head_from_coco": fingerprint(head["head"]),
        **{
            f"judged_{joint}": fingerprint(judged[:, slot])
            for slot, joint in enumerate(POSETRACK17.joints)
        },
    }


def neighbours(windows: Windows) -> Probes:
    people, numbers = windows.annotations, windows.annotations.frame_number
    keys = np.flatnonzero(people.frame_labelled)
    found = [windows.neighbours(int(key)) for key in keys]
    wrong = [numbers[rows] - numbers[key] - k for key, (rows, k) in zip(keys, found, strict=True)]
    middle = int(np.argmax([len(set(rows)) for rows, _ in found]))
    matrix = windows.matrices(people.box)[0]
    cut, offsets = windows.crop_window(int(keys[middle]), matrix)
    alone = [
        warp(windows.store.read(people.frame_file[keys[middle] + k]), matrix, windows.crop.size)
        for k in offsets
    ]
    return {
        "offsets": fingerprint([k for _, k in found]),
        "wrong_frames": np.count_nonzero(wrong),
        "wrong_pictures": sum((a != b).any() for a, b in zip(cut, alone, strict=True)),
        **{
            f"ends_{ends}": fingerprint(
                [window_offsets(key, (0, 1, 2, 4, 5), windows.window, ends) for key in (0, 1, 2, 5)]
            )
            for ends in WINDOW_ENDS
        },
    }


def crops(windows: Windows) -> Probes:
    people, crop = windows.annotations, windows.crop
    matrices = windows.matrices(people.box)
    centres = (people.box[:, :2] + people.box[:, 2:] / 2)[:, None]
    height, width = crop.size
    off_centre = (transform(centres, matrices)[:, 0] - (width / 2 - 0.5, height / 2 - 0.5)).mean(0)
    joints = transform(people.keypoints, matrices)[people.present]
    turned = [
        crop_matrix(centre[0], 90.0, crop.size, 30.0, True, kind)
        for kind in (PIXEL_CENTRES, OFFICIAL)
        for centre in centres
    ]
    # Pictures whose pixels tell where they are.
    y, x = np.mgrid[:240, :320].astype(np.float32)
    matrix = crop_matrix(np.array([160.3, 120.6]), 60.0, crop.size)
    seen = warp(np.stack([x, y, x], axis=2), matrix, crop.size)[..., :2]
    grid = np.mgrid[:height, :width][::-1].reshape(2, -1).T
    ramp = (seen.reshape(-1, 2) - transform(grid, invert(matrix))).mean(0)
    return {
        "off_centre_x": off_centre[0],
        "off_centre_y": off_centre[1],
        "scale": np.mean([scale_of(matrix) for matrix in matrices]),
        "joints_x": joints[:, 0].mean(),
        "joints_y": joints[:, 1].mean(),
        "turned": fingerprint(turned),
        "inverse": np.abs(
            transform(transform(centres, matrices), invert(matrices)) - centres
        ).max(),
        "ramp_x": ramp[0],
        "ramp_y": ramp[1],
    }


def gaussians(points: np.ndarray, size: tuple[int, int], sigma: float) -> np.ndarray:
    """Maps [N, J, h, w] of points [N, J, 2], written down once more and not cut off."""
    y, x = np.mgrid[: size[0], : size[1]]
    away = (x - points[..., 0, None, None]) ** 2 + (y - points[..., 1, None, None]) ** 2
    return np.exp(-away / (2 * sigma**2)).astype(np.float32)


def heatmaps(size: tuple[int, int], sigma: float) -> Probes:
    generator = np.random.default_rng(0)
    points = 3 + generator.random((40, len(POSETRACK18), 2)) * (size[1] - 7, size[0] - 7)
    maps = gaussians(points, size, sigma)
    encoded, weight = encode(points, np.ones(points.shape[:2], bool), size, sigma)
    mirrored = points[:, mirror_names(POSETRACK18)] * (-1, 1) + (size[1] - 1, 0)
    back = flip_back(gaussians(mirrored, size, sigma), POSETRACK18.flip_order)
    probes = {
        "encode": np.abs(encoded - maps)[encoded > 0].max(),
        "encode_mass": encoded.sum() / maps.sum(),
        "encode_weight": weight.mean(),
        "flip_back": np.abs(back - maps).max(),
        "stride": PIXEL_CENTRES.to_heatmap(np.array([10.0]))[0],
        "stride_inverse": PIXEL_CENTRES.to_crop(PIXEL_CENTRES.to_heatmap(np.array([10.0])))[0] - 10,
    }
    for method in DECODERS:
        found, maxima = decode(maps, method, blur_kernel=3)
        probes[f"{method}_x"], probes[f"{method}_y"] = (found - points).mean(axis=(0, 1))
        probes[f"{method}_error"] = np.linalg.norm(found - points, axis=2).mean()
        probes[f"{method}_maxima"] = maxima.mean()
    return probes


def samples(settings: Settings, window: tuple[int, ...]) -> Probes:
    """The first training batch, augmented as the suite says."""
    windows = split_windows(settings, read_split(settings, "train"), window)
    drawn = TrainingSamples(windows, settings.augmentation, seed=0)
    batch = drawn.batch(range(16))
    return {
        "order": fingerprint([drawn.person_at(position)[1] for position in range(len(drawn))]),
        "pictures": fingerprint(batch.frames),
        "offsets": fingerprint(batch.offsets),
        "targets": fingerprint(batch.heatmaps),
        "weights": fingerprint(batch.weight),
    }


def evaluation(truth: Annotations) -> Probes:
    """The true poses, off by a known amount, as predictions."""
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
    """AP in percent of each judged joint, and the total."""
    return dict(zip((*POSETRACK17.joints, "total"), scores(truth, guess).ap, strict=True))


def tracking(truth: Annotations, tracks: Annotations) -> mota.Scores:
    parts = mota.evaluate(*(on_skeleton(a, POSETRACK17) for a in (truth, tracks)))
    return mota.tracking_accuracy(mota.combine(parts.values()))


class Oracle(nn.Module):
    """Stands in for a network: answers with the maps given, call by call."""

    def __init__(self, maps: list[torch.Tensor]) -> None:
        super().__init__()
        self.maps: Iterator[torch.Tensor] = iter(maps)

    def forward(self, frames: torch.Tensor, offsets: torch.Tensor) -> PoseOutput:
        return PoseOutput(next(self.maps))


def oracle(windows: Windows, boxes: Boxes) -> tuple[Oracle, np.ndarray]:
    """Answers for one batch of all boxes, then for their mirrored crops; and whose they are [D].

    The maps are the targets of training, without and with mirroring, of the person of the frame
    whose box overlaps most.
    """
    people = windows.annotations
    whose = np.array([_nearest(people, *pair) for pair in zip(boxes.frame, boxes.box, strict=True)])
    columns = ("keypoints", "present", "person_frame")
    boxed = replace(
        people, box=boxes.box, **{name: getattr(people, name)[whose] for name in columns}
    )
    maps = []
    for augmentation in (STILL, replace(STILL, flip_probability=1)):
        drawn = TrainingSamples(replace(windows, annotations=boxed), augmentation, seed=0)
        order = np.argsort([drawn.person_at(position)[1] for position in range(len(drawn))])
        maps.append(torch.from_numpy(drawn.batch(order.tolist()).heatmaps))
    return Oracle(maps), whose


def _nearest(people: Annotations, frame: int, box: np.ndarray) -> int:
    """Row of the person of a frame whose box has the largest intersection over union."""
    rows = np.flatnonzero((people.person_frame == frame) & people.present.any(axis=1))
    low = np.maximum(people.box[rows, :2], box[:2])
    high = np.minimum(people.box[rows, :2] + people.box[rows, 2:], box[:2] + box[2:])
    shared = np.clip(high - low, 0, None).prod(axis=1)
    return rows[np.argmax(shared / (people.box[rows, 2:].prod(axis=1) + box[2:].prod() - shared))]


def inference(settings: Settings, windows: Windows, detections: Detections) -> Probes:
    """What the road from boxes to scores makes of networks that know the answer."""
    # An oracle answers for all boxes at once.
    options = replace(settings.inference, batch_size=10**6)
    truth = windows.annotations
    boxes = {
        "ground_truth_boxes": ground_truth_boxes(truth),
        "detected_boxes": detected_boxes(truth, detections, options.box_score_threshold),
    }
    validation = Validation(validation_windows(settings, (0,)), options)
    validated = validation.windows.annotations
    perfect, _ = oracle(validation.windows, ground_truth_boxes(validated))
    probes = {
        "validation_persons": validated.persons,
        "validation_ap": validation(perfect, torch.device("cpu")),
    }
    for protocol, asked in boxes.items():
        network, whose = oracle(windows, asked)
        people = predict(network, windows, asked, options)
        both = people.present & truth.present[whose]
        error = np.linalg.norm(people.keypoints - truth.keypoints[whose], axis=2)[both]
        probes |= {f"{protocol}/ap_{k}": v for k, v in joint_ap(truth, people).items()}
        probes |= {
            f"{protocol}/persons": people.persons,
            f"{protocol}/median_error": np.median(error),
            f"{protocol}/joint_score": people.joint_score[people.present].mean(),
            f"{protocol}/mota": tracking(truth, track(people)).mota[-1],
            f"{protocol}/rescored": rescore(people.joint_score, asked.score, "mean_joint").mean(),
        }
    # Every detection twice, the second time with a lower score: half of them has to go.
    twice = Boxes(*(np.repeat(column, 2, axis=0) for column in vars(asked).values()))
    twice.score[1::2] *= 0.9
    network, _ = oracle(windows, twice)
    alike = [oks(i, np.arange(truth.persons), truth, SIGMAS) for i in range(truth.persons)]
    return probes | {
        "persons_of_pairs": predict(
            network, windows, twice, replace(options, suppression=0.9)
        ).persons,
        "similarity": fingerprint(alike),
    }
