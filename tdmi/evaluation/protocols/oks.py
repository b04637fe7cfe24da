"""Object keypoint similarity: COCO's AP and AR on PoseTrack's 17 joints, through xtcocotools.

For ground-truth joints j with flag > 0, area A and k_j = 2 sigma_j, a detection has
OKS = mean_j exp(-d_j^2 / (2 k_j^2 A)). Sigmas are `tdmi.data.skeletons.OKS_SIGMAS`.
"""

from __future__ import annotations

import contextlib
import io

import numpy as np

from tdmi.core.errors import UserError
from tdmi.data.annotations import UNSCORED, Annotations
from tdmi.data.skeletons import OKS_SIGMAS, POSETRACK18

SUMMARY = (
    "ap", "ap_50", "ap_75", "ap_medium", "ap_large",
    "ar", "ar_50", "ar_75", "ar_medium", "ar_large",
)  # fmt: skip
"""The ten numbers, in the order of xtcocotools."""

_BOX_SHARE = 0.53
"""Area of a person in areas of the box, xtcocotools' own value for data without areas."""


def evaluate(truth: Annotations, predictions: Annotations) -> dict[str, float]:
    """The ten summary numbers as fractions of 1; -1 where there is no ground truth.

    Videos are paired by name, frames by position. Frames count that are labelled or list persons;
    detections in any other frame are left out, as nothing is known about it. A ground-truth person
    without area has 0.53 w h of its box. The score of a detection is the person's own, or the mean
    score of its joints if it has none; its area, which only decides whether an unmatched detection
    counts as medium or large, is the extent of its joints (choice of this project: joints that a
    file leaves out do not stretch it to the picture's corner).
    """
    return _summary(_evaluated(truth, predictions))


def _evaluated(truth: Annotations, predictions: Annotations):
    """xtcocotools' COCOeval after matching; image k is judged frame k."""
    cocoeval, coco = _xtcocotools()
    frames, rows = _paired_frames(truth, predictions)
    category = {"id": 1, "name": "person", "keypoints": list(POSETRACK18.joints)}
    base = {
        "images": [{"id": int(k)} for k in range(len(frames))],
        "categories": [category],
    }
    with contextlib.redirect_stdout(io.StringIO()):
        ours = _index(coco, base | {"annotations": _truth_records(truth, frames)})
        theirs = _index(coco, base | {"annotations": _detection_records(predictions, rows)})
        run = cocoeval.COCOeval(ours, theirs, "keypoints", np.array(OKS_SIGMAS), use_area=True)
        run.evaluate()
    return run


def _summary(run) -> dict[str, float]:
    with contextlib.redirect_stdout(io.StringIO()):
        run.accumulate()
        run.summarize()
    return dict(zip(SUMMARY, map(float, run.stats), strict=True))


def metrics(
    truth: Annotations,
    predictions: Annotations,
    resamples: int = 0,
    seed: int = 0,
    quiet: bool = True,
) -> dict:
    """Content of ``metrics.json`` for the oks protocol; fractions of 1, undefined as None.

    With `resamples` of the videos also the "interval" of the numbers over all areas.
    """
    run = _evaluated(truth, predictions)
    summary = _summary(run)
    frames, rows = _paired_frames(truth, predictions)
    content = {
        "protocol": "oks",
        "frames": len(frames),
        "ground_truth_persons": int(np.isin(truth.person_frame, frames).sum()),
        "predicted_persons": int(np.isin(predictions.person_frame, rows).sum()),
        "oks": {name: None if value < 0 else value for name, value in summary.items()},
    }
    if resamples:
        from tdmi.evaluation.statistics import oks_interval

        videos = len(truth.video_names)
        found = oks_interval.detections_of(run, truth.frame_video[frames], videos)
        content["interval"] = oks_interval.interval(found, resamples, seed, quiet)
    return content


def _xtcocotools():
    try:
        from xtcocotools import coco, cocoeval
    except (ImportError, ValueError) as error:
        detail = " ".join(str(error).split())
        raise UserError(
            f"xtcocotools cannot be imported ({detail}), expected version 1.14.3 beside numpy 1; "
            "python -m pip install 'xtcocotools>=1.14.3' 'numpy>=1.26,<2'"
        ) from None
    return cocoeval, coco


def _index(coco, content: dict):
    api = coco.COCO()
    api.dataset = content
    api.createIndex()
    return api


def _paired_frames(truth: Annotations, predictions: Annotations) -> tuple[np.ndarray, np.ndarray]:
    """Judged frames as rows of the ground truth and of the predictions, [K] each."""
    for side in (truth, predictions):
        if side.skeleton != POSETRACK18:
            raise UserError(f"joints are '{side.skeleton.name}', expected '{POSETRACK18.name}'")
    videos = {name: video for video, name in enumerate(predictions.video_names)}
    ours, theirs = [], []
    for video, name in enumerate(truth.video_names):
        if name not in videos:
            raise UserError(f"{name}: no predictions for this video; write {name}.json")
        frames = truth.frames_of(video)
        predicted = predictions.frames_of(videos[name])
        if len(frames) != len(predicted):
            raise UserError(
                f"{name}: {len(predicted)} frames in the predictions, {len(frames)} in the ground "
                "truth; predictions must list every frame of the video, in its order"
            )
        judged = truth.frame_labelled[frames] | truth.frame_annotated[frames]
        ours.append(frames[judged])
        theirs.append(predicted[judged])
    return np.concatenate(ours), np.concatenate(theirs)


def _persons_in(annotations: Annotations, frames: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Person rows in the given frames, and for each the position of its frame in `frames`."""
    image = np.full(annotations.frames, -1)
    image[frames] = np.arange(len(frames))
    image = image[annotations.person_frame]
    persons = np.flatnonzero(image >= 0)
    persons = persons[np.argsort(image[persons], kind="stable")]
    return persons, image[persons]


def _truth_records(truth: Annotations, frames: np.ndarray) -> list[dict]:
    records = []
    persons, images = _persons_in(truth, frames)
    for person, image in zip(persons, images, strict=True):
        box, area = truth.box[person], truth.area[person]
        if np.isnan(area):
            area = _BOX_SHARE * box[2] * box[3]
        if np.isnan(box).any():
            raise UserError(
                f"{truth.frame_file[truth.person_frame[person]]}: a person of the ground truth has "
                "no 'bbox', expected x, y, width, height; use --protocol poseval or add the boxes"
            )
        visible = truth.visible[person]
        records.append(
            {
                "id": len(records) + 1,
                "image_id": int(image),
                "category_id": 1,
                "keypoints": _triplets(truth.keypoints[person], visible),
                "num_keypoints": int(visible.sum()),
                "bbox": box.tolist(),
                "area": float(area),
                "iscrowd": int(truth.crowd[person]),
            }
        )
    return records


def _detection_records(predictions: Annotations, frames: np.ndarray) -> list[dict]:
    records = []
    persons, images = _persons_in(predictions, frames)
    for person, image in zip(persons, images, strict=True):
        present = predictions.present[person]
        if not present.any():
            continue
        points = predictions.keypoints[person][present]
        low, high = points.min(axis=0), points.max(axis=0)
        records.append(
            {
                "id": len(records) + 1,
                "image_id": int(image),
                "category_id": 1,
                "keypoints": _triplets(predictions.keypoints[person], present),
                "score": _score(predictions, person),
                "bbox": [*low.tolist(), *(high - low).tolist()],
                "area": float(np.prod(high - low)),
                "iscrowd": 0,
            }
        )
    return records


def _score(predictions: Annotations, person: int) -> float:
    if not np.isnan(predictions.score[person]):
        return float(predictions.score[person])
    scores = predictions.joint_score[person][predictions.present[person]]
    return float(scores.mean()) if len(scores) else UNSCORED


def _triplets(keypoints: np.ndarray, flag: np.ndarray) -> list[float]:
    """[J, 2] and [J] -> x1, y1, v1, x2, ... with v = 2 where `flag`, all 0 elsewhere."""
    triplets = np.concatenate([keypoints, 2.0 * flag[:, None]], axis=1)
    return np.where(flag[:, None], triplets, 0.0).ravel().tolist()
