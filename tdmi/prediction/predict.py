"""Boxes to predicted persons: windows, network, flip average, decoding, back to the full frame."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
import torch
from tqdm import tqdm

from tdmi.clips.crops import invert, normalise, transform
from tdmi.clips.samples import Windows
from tdmi.clips.targets import decode, flip_back
from tdmi.config.inference import Inference, Precision
from tdmi.core.errors import UserError
from tdmi.core.process import out_of_memory
from tdmi.data.annotations import UNSTATED, Annotations
from tdmi.data.detections import Detections, usable_boxes
from tdmi.formats.precomputed_boxes import frames_by_id
from tdmi.models.folding import folded
from tdmi.models.method import PoseMethod
from tdmi.prediction.oks_nms import oks_nms, rescore
from tdmi.prediction.streaming import Streamed

PRECISIONS: dict[Precision, torch.dtype | None] = {
    "float32": None, "bf16": torch.bfloat16, "fp16": torch.float16,
}  # fmt: skip


@dataclass(frozen=True)
class Boxes:
    """Boxes to predict in: one row per person."""

    frame: np.ndarray
    """[D] int64, row in the annotations' frames, ascending."""
    box: np.ndarray
    """[D, 4] x, y, width, height in frame pixels."""
    score: np.ndarray
    """[D] float64."""


def ground_truth_boxes(annotations: Annotations) -> Boxes:
    """Own boxes, with score 1, of the persons with joints; others cannot be evaluated."""
    boxed = (annotations.box[:, 2:] > 0).all(axis=1)
    rows = np.flatnonzero(boxed & annotations.present.any(axis=1))
    return Boxes(annotations.person_frame[rows], annotations.box[rows], np.ones(len(rows)))


def detected_boxes(annotations: Annotations, detections: Detections, threshold: float) -> Boxes:
    """Detections that `usable_boxes` keeps, in the order of the frames.

    Raises UserError if detections belong to frames that the annotations do not have.
    """
    rows = frames_by_id(detections.image_id, annotations)
    unknown = rows < 0
    if unknown.any():
        raise UserError(
            f"detected boxes: image_id {detections.image_id[unknown][0]} and "
            f"{int(unknown.sum()) - 1} more are in no annotated video; "
            "use the boxes of the same split and release"
        )
    chosen = np.flatnonzero(usable_boxes(detections, annotations, rows, threshold))
    chosen = chosen[np.argsort(rows[chosen], kind="stable")]
    return Boxes(rows[chosen], detections.box[chosen], detections.score[chosen])


@torch.inference_mode()
def predict(
    method: PoseMethod,
    windows: Windows,
    boxes: Boxes,
    options: Inference,
    device: torch.device | str = "cpu",
    progress: str | None = None,
) -> Annotations:
    """Predicted persons in the order of `boxes`, in the videos and frames of the annotations.

    There are fewer than boxes if `options.suppression` drops some.

    The joint score is the heatmap's maximum times the box's score, as in DCPose's and TDMI's code.
    The two ear slots, which no PoseTrack label covers, stay absent. Nothing is tracked yet: the
    track id is the person's place in its frame, which the official evaluators accept.

    The network runs as it is written: `torch.compile` on the CPU took two minutes to compile the
    embedded suite's TDMI, which then needed 1.1 times the processor time.
    """
    method.eval()
    device = torch.device(device)
    if options.fold_norms:
        method = folded(method)
    skeleton = windows.annotations.skeleton
    keypoints = np.zeros((len(boxes.frame), len(skeleton), 2))
    maxima = np.zeros((len(boxes.frame), len(skeleton)))
    kind = Streamed if options.streaming and method.streams else WindowByWindow
    source = kind(method, windows, boxes.frame, boxes.box, options.flip)
    dtype = PRECISIONS[options.precision]
    for rows in _batches(source.order, options.batch_size, progress):
        try:
            with torch.autocast(device.type, dtype, enabled=dtype is not None):
                plain, *mirrored = source.heatmaps(rows, device)
        except RuntimeError as error:
            raise too_many(error, len(rows), device) from error
        heatmaps = plain.float().cpu().numpy()
        for maps in mirrored:
            back = flip_back(maps.float().cpu().numpy(), skeleton.flip_order, options.flip_shift)
            heatmaps = (heatmaps + back) * 0.5
        points, maxima[rows] = decode(
            heatmaps, options.decoder, options.blur_kernel, threads=torch.get_num_threads()
        )
        points = windows.geometry.to_crop(points)
        keypoints[rows] = transform(points, invert(source.matrices[rows]))
    scores = maxima * boxes.score[:, None]
    people = _as_annotations(windows.annotations, boxes, keypoints, scores)
    labelled = np.where(people.present, maxima, 0.0)
    people = replace(people, score=rescore(labelled, boxes.score, options.rescoring))
    return people if options.suppression is None else oks_nms(people, options.suppression)


class WindowByWindow:
    """Heatmaps of boxes whose windows are each cut by their own box."""

    def __init__(
        self,
        method: PoseMethod,
        windows: Windows,
        frames: np.ndarray,
        boxes: np.ndarray,
        flip: bool,
    ) -> None:
        self.method, self.windows, self.frames, self.flip = method, windows, frames, flip
        self.order = np.arange(len(frames))
        self.matrices = windows.matrices(boxes)

    def heatmaps(self, rows: np.ndarray, device: torch.device) -> list[torch.Tensor]:
        """[B, J, h, w] for boxes `rows`; with `flip`, also those of the mirrored crops."""
        cuts = [self.windows.crop_window(int(self.frames[d]), self.matrices[d]) for d in rows]
        frames = normalise(np.stack([c[0] for c in cuts]), device)
        offsets = torch.from_numpy(np.stack([c[1] for c in cuts])).to(device)
        source = self.method.frame_cue
        auxiliary, mirrored = [], []  # the third argument of methods with an auxiliary input
        if source is not None:
            inputs = [
                self.windows.auxiliary_input(source, int(self.frames[d]), self.matrices[d])
                for d in rows
            ]
            auxiliary = [torch.from_numpy(np.stack(inputs)).to(device)]
            mirrored = [source.mirrored(auxiliary[0])] if self.flip else []
        maps = [self.method(frames, offsets, *auxiliary).heatmaps]
        if self.flip:
            maps.append(self.method(frames.flip(-1), offsets, *mirrored).heatmaps)
        return maps


def _batches(order: np.ndarray, size: int, progress: str | None) -> Iterator[np.ndarray]:
    starts = range(0, len(order), size)
    for start in tqdm(starts, desc=progress, disable=progress is None, unit="batch"):
        yield order[start : start + size]


def too_many(error: RuntimeError, windows: int, device: torch.device) -> Exception:
    """Return the error to raise for a failed batch: advice if memory ran out, else itself."""
    if not out_of_memory(error):
        return error
    return UserError(
        f"prediction: out of memory on {device} with {windows} windows at a time; set "
        f"inference/batch_size: {max(1, windows // 2)} in the suite, or precision: bf16"
    )


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
        person_id=UNSTATED,
        action=UNSTATED,
    )
