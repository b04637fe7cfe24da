"""Object keypoint similarity: COCO's AP and AR on PoseTrack's 17 joints, through xtcocotools.

For ground-truth joints j with flag > 0, area A and k_j = 2 sigma_j, a detection has
OKS = mean_j exp(-d_j^2 / (2 k_j^2 A)). Sigmas are `tdmi.data.skeletons.OKS_SIGMAS`.
"""

from __future__ import annotations

import contextlib
import io
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from typing import Any, TypeAlias

import numpy as np

from tdmi.core.errors import UserError
from tdmi.data.annotations import Annotations
from tdmi.data.skeletons import OKS_SIGMAS, POSETRACK18
from tdmi.evaluation.arrays import Array
from tdmi.evaluation.diagnostics import signs
from tdmi.evaluation.matching.assignment import with_head_sizes
from tdmi.evaluation.matching.scored_videos import misnamed_frames, paired_frames, scored_videos
from tdmi.evaluation.output import Columns, Content, interval_line
from tdmi.evaluation.protocols.base import Evaluation, Request, read_sides
from tdmi.formats.posetrack import read_folder

Record: TypeAlias = dict[str, Any]
"""An entry of a COCO file."""

SUMMARY = (
    "ap", "ap_50", "ap_75", "ap_medium", "ap_large",
    "ar", "ar_50", "ar_75", "ar_medium", "ar_large",
)  # fmt: skip
"""The ten numbers, in the order of xtcocotools."""

_BOX_SHARE = 0.53
"""Area of a person in areas of the box, xtcocotools' own value for data without areas."""
RULES = signs.Rules(
    columns=Columns(POSETRACK18, {}),
    size="root of the area over five",  # about a head
    expected="'area', or 'bbox' without it, is expected in square pixels of the full frame",
    people=True,
)


def evaluate_request(request: Request, names: Sequence[str]) -> Evaluation:
    """Score videos in PoseTrack files by COCO's summary."""
    reader = partial(read_folder, skeleton=POSETRACK18)
    sides = read_sides(request, names, reader)
    content = metrics(*sides, request.bootstrap or 0, request.seed, request.quiet)
    lines = [
        f"{name:<10} {'undefined' if value is None else f'{value:.3f}'}"
        for name, value in content["oks"].items()
    ]
    if "interval" in content:
        ends = content["interval"]["oks"]["ap"]
        lines.append(interval_line("ap", content["interval"], ends, decimals=3))
    found = content["oks"]["ap"]
    warnings = [
        *misnamed_frames(*sides),
        *signs.signs(evidence(*sides), np.nan if found is None else 100 * found, RULES),
    ]
    return Evaluation(content, lines, warnings)


def metrics(
    truth: Annotations,
    predictions: Annotations,
    resamples: int = 0,
    seed: int = 0,
    quiet: bool = True,
) -> Content:
    """Return ``metrics.json``: COCO's ten numbers as fractions of 1, undefined ones None.

    Videos are paired by name, frames by position. Frames count that are labelled or list persons;
    detections in any other frame are left out, as nothing is known about it. A ground-truth person
    without area has 0.53 w h of its box. The score of a detection is the person's own, or the mean
    score of its joints if it has none; its area, which only decides whether an unmatched detection
    counts as medium or large, is the extent of its joints (choice of this project: joints that a
    file leaves out do not stretch it to the picture's corner).

    With `resamples` of the videos also the "interval" of the numbers over all areas.
    """
    run = matched(truth, predictions)
    frames, rows = scored_frames(truth, predictions)
    with contextlib.redirect_stdout(io.StringIO()):
        run.accumulate()
        run.summarize()
    content: Content = {
        "protocol": "oks",
        "frames": len(frames),
        "ground_truth_persons": int(np.isin(truth.person_frame, frames).sum()),
        "predicted_persons": int(np.isin(predictions.person_frame, rows).sum()),
        "oks": {
            name: None if value < 0 else float(value)
            for name, value in zip(SUMMARY, run.stats, strict=True)
        },
    }
    if resamples:
        from tdmi.evaluation.statistics import oks_bootstrap

        videos = len(truth.video_names)
        found = oks_bootstrap.detections_of(run, truth.frame_video[frames], videos)
        content["interval"] = oks_bootstrap.interval(found, resamples, seed, quiet)
    return content


def evidence(truth: Annotations, predictions: Annotations) -> dict[str, signs.Evidence]:
    """Return the data for warnings by video; sizes are a fifth of the areas' roots."""
    judged = replace(
        with_head_sizes(truth, np.sqrt(np.maximum(_areas(truth), 0)) / 5),
        frame_annotated=truth.frame_labelled | truth.frame_annotated,
        ignore_regions=[[] for _ in truth.ignore_regions],
    )
    scores = _scores(predictions)
    return {
        video.name: signs.evidence(video, scores[video.predictions.row])
        for video in scored_videos(judged, predictions)
    }


def matched(truth: Annotations, predictions: Annotations) -> Any:
    """Return xtcocotools' COCOeval after matching; image k is scored frame k."""
    cocoeval, coco = _xtcocotools()
    frames, rows = scored_frames(truth, predictions)
    category = {"id": 1, "name": "person", "keypoints": list(POSETRACK18.joints)}
    images: list[Record] = [{"id": k} for k in range(len(frames))]
    sides = coco.COCO(), coco.COCO()
    records = _truth_records(truth, frames), _detection_records(predictions, rows)
    with contextlib.redirect_stdout(io.StringIO()):
        for side, people in zip(sides, records, strict=True):
            side.dataset = {"images": images, "categories": [category], "annotations": people}
            side.createIndex()
        run = cocoeval.COCOeval(*sides, "keypoints", np.array(OKS_SIGMAS), use_area=True)
        run.evaluate()
    return run


def _xtcocotools() -> tuple[Any, Any]:
    try:
        from xtcocotools import coco, cocoeval
    except (ImportError, ValueError) as error:
        detail = " ".join(str(error).split())
        raise UserError(
            f"xtcocotools cannot be imported ({detail}), expected version 1.14.3 beside numpy 1; "
            "python -m pip install 'xtcocotools>=1.14.3' 'numpy>=1.26,<2'"
        ) from None
    return cocoeval, coco


def scored_frames(truth: Annotations, predictions: Annotations) -> tuple[Array, Array]:
    """Return the scored frames as rows of the ground truth and of the predictions, [K] each."""
    for side in (truth, predictions):
        if side.skeleton != POSETRACK18:
            raise UserError(f"joints are '{side.skeleton.name}', expected '{POSETRACK18.name}'")
    ours, theirs = [], []
    for _, frames, predicted in paired_frames(truth, predictions):
        scored = truth.frame_labelled[frames] | truth.frame_annotated[frames]
        ours.append(frames[scored])
        theirs.append(predicted[scored])
    return np.concatenate(ours), np.concatenate(theirs)


def _persons_in(annotations: Annotations, frames: Array) -> tuple[Array, Array]:
    """Return the rows of the persons in `frames` and the position in it of each one's frame."""
    image = np.full(annotations.frames, -1)
    image[frames] = np.arange(len(frames))
    image = image[annotations.person_frame]
    persons = np.flatnonzero(image >= 0)
    persons = persons[np.argsort(image[persons], kind="stable")]
    return persons, image[persons]


def _truth_records(truth: Annotations, frames: Array) -> list[Record]:
    records: list[Record] = []
    areas = _areas(truth)
    for person, image in zip(*_persons_in(truth, frames), strict=True):
        box = truth.box[person]
        if np.isnan(box).any():
            raise UserError(
                f"{truth.frame_file[truth.person_frame[person]]}: a person of the ground truth has "
                "no 'bbox', expected x, y, width, height; use --protocol poseval or add the boxes"
            )
        visible = truth.visible[person]
        record = _record(len(records), image, truth.keypoints[person], visible, box, areas[person])
        record["num_keypoints"] = int(visible.sum())
        records.append(record | {"iscrowd": int(truth.crowd[person])})
    return records


def _detection_records(predictions: Annotations, frames: Array) -> list[Record]:
    records: list[Record] = []
    scores = _scores(predictions)
    for person, image in zip(*_persons_in(predictions, frames), strict=True):
        present, points = predictions.present[person], predictions.keypoints[person]
        if not present.any():
            continue
        low, extent = points[present].min(axis=0), np.ptp(points[present], axis=0)
        box = np.concatenate([low, extent])
        record = _record(len(records), image, points, present, box, np.prod(extent))
        records.append(record | {"score": float(scores[person])})
    return records


def _areas(truth: Annotations) -> Array:
    """Return the areas [N] of the people, by their boxes where they are not stated."""
    by_box = _BOX_SHARE * truth.box[:, 2] * truth.box[:, 3]
    return np.where(np.isnan(truth.area), by_box, truth.area)


def _scores(predictions: Annotations) -> Array:
    """Return each person's score [N], the mean of its joints where it has none of its own."""
    means = [
        scores[present].mean() if present.any() else np.nan
        for scores, present in zip(predictions.joint_score, predictions.present, strict=True)
    ]
    return np.where(np.isnan(predictions.score), means, predictions.score)


def _record(number: int, image: int, points: Array, flag: Array, box: Array, area: float) -> Record:
    """Return a record whose joints have v = 2 where `flag` [J], all 0 elsewhere."""
    triplets = np.concatenate([points, 2.0 * flag[:, None]], axis=1)
    return {
        "id": number + 1,
        "image_id": int(image),
        "category_id": 1,
        "keypoints": np.where(flag[:, None], triplets, 0.0).ravel().tolist(),
        "bbox": box.tolist(),
        "area": float(area),
        "iscrowd": 0,
    }
