"""Boxes to predicted persons: windows, network, flip average, decoding, back to the full frame."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
import torch
from tqdm import tqdm

from tdmi.annotations import Annotations
from tdmi.clips.crops import crop_matrix, invert, transform
from tdmi.clips.samples import Windows
from tdmi.datasets.coco import Detections
from tdmi.errors import UserError
from tdmi.heatmaps import decode, flip_back, heatmap_to_crop
from tdmi.models.folding import folded
from tdmi.models.method import PoseMethod
from tdmi.options import choose
from tdmi.suppression import RESCORING, rescored, suppressed

# ImageNet statistics of RGB values in 0..255.
MEAN = (123.675, 116.28, 103.53)
DEVIATION = (58.395, 57.12, 57.375)


@dataclass(frozen=True)
class InferenceOptions:
    """How heatmaps become predictions; one setting for all methods of a suite."""

    flip: bool = True
    """Average with the prediction for the mirrored crops."""
    flip_shift: bool = False
    """Shift mirrored maps by one cell, as official code does for its rounding convention."""
    decoder: str = "dark"
    blur_kernel: int = 11
    batch_size: int = 32
    box_score_threshold: float = 0.2
    """Detected boxes below are skipped (0.2 in DCPose's and TDMI's code)."""
    box_protocols: tuple[str, ...] = ("ground_truth_boxes", "detected_boxes")
    rescoring: str = "none"
    """Of persons, not of their joints; see `tdmi.suppression.rescored`."""
    suppression: float | None = None
    """Persons with a higher OKS to a better one of their frame are dropped (HRNet on COCO: 0.9)."""
    fold_norms: bool = False
    """Batch norms as part of the convolutions before them: faster, other rounding."""

    def __post_init__(self) -> None:
        choose("inference.rescoring", self.rescoring, RESCORING)


@dataclass(frozen=True)
class Boxes:
    """What to predict: one row per person box."""

    frame: np.ndarray
    """[D] int64, row in the annotations' frames, ascending."""
    box: np.ndarray
    """[D, 4] x, y, width, height in frame pixels."""
    score: np.ndarray
    """[D] float64."""


def ground_truth_boxes(annotations: Annotations) -> Boxes:
    """The own boxes, with score 1, of the persons that have joints; others cannot be judged."""
    boxed = (annotations.box[:, 2:] > 0).all(axis=1)
    rows = np.flatnonzero(boxed & annotations.present.any(axis=1))
    return Boxes(annotations.person_frame[rows], annotations.box[rows], np.ones(len(rows)))


def detected_boxes(annotations: Annotations, detections: Detections, threshold: float) -> Boxes:
    """Detections of persons on labelled frames; unlabelled frames are not judged.

    Raises UserError if detections belong to frames that the annotations do not have.
    """
    order = np.argsort(annotations.frame_id, kind="stable")
    place = np.searchsorted(annotations.frame_id, detections.image_id, sorter=order)
    rows = order[np.minimum(place, len(order) - 1)]
    unknown = annotations.frame_id[rows] != detections.image_id
    if unknown.any():
        raise UserError(
            f"detected boxes: image_id {detections.image_id[unknown][0]} and "
            f"{int(unknown.sum()) - 1} more are in no annotated video; "
            "use the boxes of the same split and release"
        )
    keep = (
        annotations.frame_labelled[rows]
        & (detections.category_id == 1)
        & (detections.score >= threshold)
        & (detections.box[:, 2:] > 0).all(axis=1)
    )
    chosen = np.flatnonzero(keep)
    chosen = chosen[np.argsort(rows[chosen], kind="stable")]
    return Boxes(rows[chosen], detections.box[chosen], detections.score[chosen])


def normalise(frames: np.ndarray, device: torch.device | str = "cpu") -> torch.Tensor:
    """uint8 RGB [..., h, w, 3] to normalised float32 [..., 3, h, w] (channels last in memory)."""
    tensor = torch.from_numpy(frames).to(device, non_blocking=True)
    tensor = tensor.movedim(-1, -3).float()
    mean = torch.tensor(MEAN, device=tensor.device)[:, None, None]
    deviation = torch.tensor(DEVIATION, device=tensor.device)[:, None, None]
    return (tensor - mean) / deviation


@torch.inference_mode()
def predict(
    method: PoseMethod,
    windows: Windows,
    boxes: Boxes,
    options: InferenceOptions,
    device: torch.device | str = "cpu",
    progress: str | None = None,
) -> Annotations:
    """Predicted persons in the order of `boxes`, in the videos and frames of the annotations.

    There are fewer than boxes if `options.suppression` drops some.

    The joint score is the heatmap's maximum times the box's score, as in DCPose's and TDMI's code.
    The two ear slots, which no PoseTrack label covers, stay absent. Nothing is tracked yet: the
    track id is the person's place in its frame, which the official evaluators take, too.
    """
    method.eval()
    if options.fold_norms:
        method = folded(method)
    skeleton = windows.annotations.skeleton
    source = getattr(method, "frame_cue", None)
    crop = windows.crop
    centres, sizes = crop.regions(boxes.box)
    keypoints = np.zeros((len(boxes.frame), len(skeleton), 2))
    maxima = np.zeros((len(boxes.frame), len(skeleton)))
    for rows in _batches(len(boxes.frame), options.batch_size, progress):
        matrices = np.stack(
            [crop_matrix(centres[d], sizes[d, 0], crop.size, geometry=crop.geometry) for d in rows]
        )
        cuts = [windows.cut(int(boxes.frame[d]), m) for d, m in zip(rows, matrices, strict=True)]
        frames = normalise(np.stack([c[0] for c in cuts]), device)
        offsets = torch.from_numpy(np.stack([c[1] for c in cuts])).to(device)
        cue = []  # the further argument of methods that have a cue
        if source is not None:
            wanted = [
                windows.cut_cue(source, int(boxes.frame[d]), c[1], m)
                for d, c, m in zip(rows, cuts, matrices, strict=True)
            ]
            cue = [torch.from_numpy(np.stack(wanted)).to(device)]
        heatmaps = method(frames, offsets, *cue).heatmaps.float().cpu().numpy()
        if options.flip:
            cue = [source.mirrored(c) for c in cue]
            mirrored = method(frames.flip(-1), offsets, *cue).heatmaps.float().cpu().numpy()
            back = flip_back(mirrored, skeleton.flip_order, options.flip_shift)
            heatmaps = (heatmaps + back) * 0.5
        points, maxima[rows] = decode(
            heatmaps, options.decoder, options.blur_kernel, threads=torch.get_num_threads()
        )
        points = heatmap_to_crop(points, geometry=crop.geometry)
        keypoints[rows] = transform(points, invert(matrices))
    scores = maxima * boxes.score[:, None]
    people = _as_annotations(windows.annotations, boxes, keypoints, scores)
    labelled = np.where(people.present, maxima, 0.0)
    people = replace(people, score=rescored(labelled, boxes.score, options.rescoring))
    return people if options.suppression is None else suppressed(people, options.suppression)


def _batches(count: int, size: int, progress: str | None) -> Iterator[np.ndarray]:
    starts = range(0, count, size)
    for start in tqdm(starts, desc=progress, disable=progress is None, unit="batch"):
        yield np.arange(start, min(start + size, count))


def _as_annotations(
    like: Annotations, boxes: Boxes, keypoints: np.ndarray, scores: np.ndarray
) -> Annotations:
    n, j = scores.shape
    present = np.ones((n, j), bool)
    present[:, [i for i, name in enumerate(like.skeleton.joints) if name.endswith("_ear")]] = False
    annotated = np.zeros(like.frames, bool)
    annotated[boxes.frame] = True
    return replace(
        like,
        ignore_regions=[[] for _ in range(like.frames)],
        frame_annotated=annotated,
        person_frame=boxes.frame,
        track_id=np.arange(n) - np.searchsorted(boxes.frame, boxes.frame),
        keypoints=np.where(present[..., None], keypoints, 0.0),
        present=present,
        visible=present.copy(),
        joint_score=np.where(present, scores, 0.0),
        box=boxes.box,
        head_box=np.full((n, 4), np.nan),
        score=boxes.score,
        area=np.full(n, np.nan),
        crowd=np.zeros(n, bool),
        person_id=None,
        action=None,
    )
