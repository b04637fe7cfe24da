"""Probes from the data to the training samples: data set, joint names, windows, crops, heatmaps.

Each part has inputs that do not depend on the parts before it where that is possible, so that a
fault shows in its own part. Probes whose value is known in advance hold the difference from it
(expected: 0); the others are compared with the record.
"""

from __future__ import annotations

import numpy as np
import torch

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
from tdmi.clips.samples import Windows
from tdmi.clips.targets import DECODERS, decode, encode, flip_back
from tdmi.clips.windows import WINDOW_ENDS, window_offsets
from tdmi.config.settings import Settings
from tdmi.data.annotations import Annotations, on_skeleton
from tdmi.data.skeletons import ALIASES, COCO, POSETRACK17, POSETRACK18, SKELETONS, Skeleton
from tests.regression.subjects import (
    Probes,
    detections_of,
    fingerprint,
    training_samples,
    windows_of,
)


def measure(settings: Settings, window: tuple[int, ...]) -> dict[str, Probes]:
    """Return the probes of each part; `window` holds the frame offsets of a person window."""
    windows = windows_of(settings, "test", window)
    return {
        "data": data(settings, windows),
        "skeletons": skeletons(windows.annotations),
        "windows": neighbours(windows),
        "crops": crops(windows),
        "heatmaps": heatmaps(windows.crop.heatmap_size, windows.crop.sigma),
        "samples": samples(settings, window),
    }


def data(settings: Settings, windows: Windows) -> Probes:
    files = windows.annotations.frame_file
    detections = detections_of(settings)
    probes = {"pictures": np.mean([fingerprint(windows.store.read(f)) for f in files])}
    for split in ("train", "validation", "test"):
        people = windows_of(settings, split, (0,)).annotations
        probes[f"{split}_joints"] = people.present.sum()
        probes[f"{split}_keypoints"] = fingerprint(people.keypoints)
        probes[f"{split}_boxes"] = fingerprint(people.box)
    probes["detections"] = fingerprint(detections.box * detections.score[:, None])
    return probes


def mirror_names(skeleton: Skeleton) -> list[int]:
    """Return for each joint the slot of the same joint of the other side, from the names alone."""
    swap = {"left": "right", "right": "left"}
    sides = [joint.partition("_") for joint in skeleton.joints]
    return [skeleton.joints.index(swap.get(a, a) + dash + b) for a, dash, b in sides]


def skeletons(people: Annotations) -> Probes:
    own = {"head": torch.full((len(POSETRACK18),), -1.0)}
    head, _ = map_head(
        {"head": torch.arange(float(len(COCO)))}, COCO, own, POSETRACK18, "by_joint_name"
    )
    evaluated = on_skeleton(people, POSETRACK17).keypoints
    return {
        "wrong_mirrors": sum((s.flip_order != mirror_names(s)).sum() for s in SKELETONS.values()),
        "neck_slot": POSETRACK18.index(ALIASES["neck"]),
        **{f"order_{s.name}": fingerprint(np.argsort(s.joints)) for s in SKELETONS.values()},
        "head_from_coco": fingerprint(head["head"]),
        **{
            f"judged_{joint}": fingerprint(evaluated[:, slot])
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
    separate = [
        warp(windows.store.read(people.frame_file[keys[middle] + k]), matrix, windows.crop.size)
        for k in offsets
    ]
    return {
        "offsets": fingerprint([k for _, k in found]),
        "wrong_frames": np.count_nonzero(wrong),
        "wrong_pictures": sum((a != b).any() for a, b in zip(cut, separate, strict=True)),
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
    rotated = [
        crop_matrix(centre[0], 90.0, crop.size, 30.0, True, kind)
        for kind in (PIXEL_CENTRES, OFFICIAL)
        for centre in centres
    ]
    # Pictures whose pixel values are their own coordinates.
    y, x = np.mgrid[:240, :320].astype(np.float32)
    matrix = crop_matrix(np.array([160.3, 120.6]), 60.0, crop.size)
    warped = warp(np.stack([x, y, x], axis=2), matrix, crop.size)[..., :2]
    grid = np.mgrid[:height, :width][::-1].reshape(2, -1).T
    ramp = (warped.reshape(-1, 2) - transform(grid, invert(matrix))).mean(0)
    return {
        "off_centre_x": off_centre[0],
        "off_centre_y": off_centre[1],
        "scale": np.mean([scale_of(matrix) for matrix in matrices]),
        "joints_x": joints[:, 0].mean(),
        "joints_y": joints[:, 1].mean(),
        "turned": fingerprint(rotated),
        "inverse": np.abs(
            transform(transform(centres, matrices), invert(matrices)) - centres
        ).max(),
        "ramp_x": ramp[0],
        "ramp_y": ramp[1],
    }


def gaussians(points: np.ndarray, size: tuple[int, int], sigma: float) -> np.ndarray:
    """Return maps [N, J, h, w] of points [N, J, 2]: a second implementation, without cut-off."""
    y, x = np.mgrid[: size[0], : size[1]]
    squared = (x - points[..., 0, None, None]) ** 2 + (y - points[..., 1, None, None]) ** 2
    return np.exp(-squared / (2 * sigma**2)).astype(np.float32)


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
    """Measure the first training batch."""
    drawn = training_samples(settings, window)
    batch = drawn.batch(range(16))
    return {
        "order": fingerprint([drawn.person_at(position)[1] for position in range(len(drawn))]),
        "pictures": fingerprint(batch.frames),
        "offsets": fingerprint(batch.offsets),
        "targets": fingerprint(batch.heatmaps),
        "weights": fingerprint(batch.weight),
    }
