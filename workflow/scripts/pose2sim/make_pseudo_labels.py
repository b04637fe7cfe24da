"""Make the committed pseudo-labels of the pose2sim videos.

    python -m workflow.scripts.pose2sim.make_pseudo_labels --sources data/sources [--detect]

Without `--detect` the committed detections are used again and nothing but this project is needed;
with it, MediaPipe's pose model looks at the videos anew (optional environment, some minutes).
Writes pseudo_labels.json, provenance.json and, with `--detect`, detections.json.
"""

from __future__ import annotations

import argparse
import platform
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import cv2
import numpy as np
import scipy

from tdmi.core.errors import UserError
from tdmi.core.files import read_json, sha256_of, write_json
from tdmi.data.records import Record
from tdmi.datasets.pose2sim import labels
from tdmi.datasets.pose2sim.calibration import Camera, read_calibration
from tdmi.datasets.pose2sim.joints import joints_from_landmarks, lowest_of_sources
from tdmi.datasets.pose2sim.videos import calibration_path, frame_rate, read_frames, video_path
from tdmi.datasets.public.acquire.wheels import RECORD
from workflow.scripts.pose2sim import detect, quality
from workflow.scripts.pose2sim.refine import (
    LARGEST_SHIFT,
    PLACE_SIGMA,
    TURN_SIGMA,
    estimate_shifts,
    refine_cameras,
    resolve_sides,
)
from workflow.scripts.pose2sim.triangulate import (
    ORDER,
    REJECTION,
    SMOOTHING_TOLERANCE,
    TOLERANCE,
    WINDOW,
    smooth,
    triangulate,
)

# Two points in metres, one above the other, in the middle of the person's way.
_VERTICAL = np.array([[-1.0, 0.0, 0.4], [-1.0, 0.0, 1.4]])
NOTES = [
    "Pixels are those of the 1920 px high frames; a head size is 0.6 of the head box's diagonal.",
    "reprojection: smoothed points against the detections they were made from, of weight "
    "seen_weight or more, with exchanged sides put right.",
    "held_out_view: points made from three views against the fourth view's detections. The small "
    "camera corrections were fitted to every fourth frame of all four views, the fourth included; "
    "with_published_cameras gives the same figures without any correction.",
    "Errors that all views' detections share (what the pose model calls a hip, say) show in none "
    "of these figures.",
]
# A lag of one frame (17 ms) is not corrected: the cost curve is flat between 0 and 1 there.
LARGEST_LAG = 1
# One frame in this many is used to correct the cameras.
REFINE_EVERY = 4
OPTIONS = {
    "tolerance_px": TOLERANCE,
    "rejection_px": REJECTION,
    "turn_sigma_degrees": TURN_SIGMA,
    "place_sigma_metres": PLACE_SIGMA,
    "refine_every": REFINE_EVERY,
    "smoothing_window": WINDOW,
    "smoothing_order": ORDER,
    "smoothing_tolerance_metres": SMOOTHING_TOLERANCE,
    "largest_shift": LARGEST_SHIFT,
}


class Solution(NamedTuple):
    """Landmarks in space of all frames, and what supports them."""

    landmarks: np.ndarray
    """[F, L, 3] metres, smoothed."""
    confidence: np.ndarray
    """[F, L] mean weight of all views, a rejected view counting 0."""
    views: np.ndarray
    """[F, L] number of views that agree."""

    def labels(self, cameras: Sequence[Camera], rate: float) -> labels.PseudoLabels:
        return labels.PseudoLabels(
            joints_from_landmarks(self.landmarks),
            lowest_of_sources(self.confidence),
            lowest_of_sources(self.views),
            {camera.name: camera for camera in cameras},
            rate,
        )


def solve(
    cameras: Sequence[Camera], detections: np.ndarray, without: int | None = None
) -> Solution:
    """Triangulate detections [C, F, L, 3] and smooth over time; view `without` is not used."""
    weights = detections[..., 2].copy()
    if without is not None:
        weights[without] = 0
    found = triangulate(cameras, detections[..., :2], weights)
    support = (weights * found.used).sum(0)
    return Solution(smooth(found.points, support), support / len(cameras), found.used.sum(0))


def make(
    published: list[Camera], detections: dict[str, np.ndarray], rate: float
) -> tuple[labels.PseudoLabels, Record]:
    """Return pseudo-labels and the measured part of their provenance."""
    names = [camera.name for camera in published]
    raw = np.stack([detections[name] for name in names])
    stack, _ = resolve_sides(published, raw)
    part = stack[:, ::REFINE_EVERY]
    cameras, changes = refine_cameras(published, part[..., :2], part[..., 2])
    stack, exchanged = resolve_sides(cameras, raw)
    shifts, costs = estimate_shifts(cameras, stack[..., :2], stack[..., 2])
    if np.abs(shifts).max() > LARGEST_LAG:
        raise UserError(
            f"videos are out of step by {shifts} frames, expected {LARGEST_LAG} at most"
        )

    def by_name(values: Iterable[Any]) -> Record:
        return dict(zip(names, values, strict=True))

    def measure(made: labels.PseudoLabels) -> Record:
        return quality.summary(*quality.reprojection_errors(made, by_name(stack)), names)

    solution = solve(cameras, stack)
    made = solution.labels(cameras, rate)
    measured = {
        "exchanged_sides_frames": by_name(exchanged),
        "camera_corrections": by_name(
            {
                "turn_degrees": np.round(change[:3], 3).tolist(),
                "shift_metres": np.round(change[3:], 4).tolist(),
            }
            for change in changes
        ),
        "time_shift_frames": by_name(shifts),
        "time_shift_costs": by_name([round(cost, 4) for cost in row] for row in costs),
        "reprojection": measure(made),
        "held_out_view": held_out(cameras, stack, rate),
        "with_published_cameras": {
            "reprojection": measure(solve(published, stack).labels(published, rate))["all"],
            "held_out_view": held_out(published, stack, rate)["all"],
        },
        "bone_lengths_metres": quality.bone_lengths(solution.landmarks),
        "joints_by_number_of_views": {
            str(number): int((made.views == number).sum()) for number in (2, 3, 4)
        },
    }
    return made, measured


def held_out(cameras: Sequence[Camera], stack: np.ndarray, rate: float) -> Record:
    """Return figures of each view against labels made from the other three."""
    errors = []
    for view, camera in enumerate(cameras):
        others = solve(cameras, stack, without=view).labels([camera], rate)
        errors.append(quality.reprojection_errors(others, {camera.name: stack[view]}))
    pixels, heads = (np.concatenate(unit) for unit in zip(*errors, strict=True))
    return quality.summary(pixels, heads, [camera.name for camera in cameras])


def upright_roll(camera: Camera) -> float:
    """Return degrees to turn the camera's image counter-clockwise so that vertical is upright."""
    ((x, y),) = np.diff(camera.project(_VERTICAL), axis=0)
    return float(np.degrees(np.arctan2(x, -y)))


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--sources", type=Path, default=Path("data/sources"), metavar="DIR")
    parser.add_argument("--detect", action="store_true", help="look at the videos anew")
    args = parser.parse_args(arguments)
    detector = detect.Detector() if args.detect else None
    cameras, found = [], {}
    for name, camera in read_calibration(calibration_path(args.sources)).items():
        video = video_path(args.sources, name)
        height, width = next(read_frames(video)).shape[:2]
        cameras.append(camera.scaled_to(width, height))
        rate = frame_rate(video)
        if detector:
            found[name] = detector.video(list(read_frames(video)), upright_roll(cameras[-1]), name)
    if detector:
        labels.write_detections(found)
    made, measured = make(cameras, labels.read_detections(), rate)
    labels.write_labels(made)
    write_json(labels.PROVENANCE, provenance(args.sources, measured))
    print(f"pseudo-labels: {measured['reprojection']['all']}", file=sys.stderr)


def provenance(sources: Path, measured: Record) -> Record:
    record = read_json(sources / "pose2sim" / RECORD)
    return {
        "content": "how pseudo_labels.json was made; these are pseudo-labels, drawn by no person",
        "videos": {
            key: record[key] for key in ("name", "version", "file", "sha256", "licence", "files")
        },
        "detector": {
            "model": "MediaPipe Pose, pose_landmark_full, static image mode",
            "package": f"mediapipe=={detect.MEDIAPIPE_VERSION}",
            "wheel_sha256": detect.MEDIAPIPE_WHEEL_SHA256,
            "licence": "Apache-2.0",
            "looks_per_frame": 2 * len(detect.ENLARGEMENTS) * len(detect.TURNS),
            "enlargements": list(detect.ENLARGEMENTS),
            "turns_degrees": list(detect.TURNS),
            "detections_sha256": sha256_of(labels.DETECTIONS),
        },
        "options": OPTIONS,
        "versions": {
            "python": platform.python_version(),
            "numpy": np.__version__,
            "scipy": scipy.__version__,
            "opencv": cv2.__version__,
        },
        "seen_weight": quality.SEEN_WEIGHT,
        "labels_sha256": sha256_of(labels.LABELS),
        "notes": NOTES,
        "measured": measured,
    }


if __name__ == "__main__":
    try:
        main()
    except UserError as error:
        sys.exit(f"make_pseudo_labels: {error}")
