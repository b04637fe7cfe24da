"""Evaluate folders of PoseTrack files video by video: read, judge, keep what adds up.

`evaluate_video` is a pure function of a request and a name, so that videos can be evaluated in any
number of processes; what it gives back is small and combines in the order of the names.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tdmi.core.files import read_json
from tdmi.data.annotations import Annotations, on_skeleton
from tdmi.data.skeletons import POSETRACK17
from tdmi.evaluation import inputs, refusals, suspicions, table
from tdmi.evaluation.analysis import pckh
from tdmi.evaluation.matching.assignment import match_video
from tdmi.evaluation.matching.pairing import JudgedVideo, judged_videos, misnamed_frames
from tdmi.evaluation.parallel import over_videos
from tdmi.evaluation.protocols import posetrack21
from tdmi.evaluation.protocols import poseval as average_precision
from tdmi.formats import posetrack

if TYPE_CHECKING:
    from tdmi.evaluation.analysis import slices
    from tdmi.evaluation.tracking import mota


SCORES = {
    "poseval": average_precision.average_precision,
    "posetrack21": posetrack21.average_precision,
}
"""The protocols, with what turns statistics into AP, precision and recall."""


@dataclass(frozen=True)
class Request:
    """What to evaluate; the same for all videos."""

    truth: Path
    """Folder of ground-truth files."""
    predictions: Path
    protocol: str = "poseval"
    """One of SCORES."""
    tracking: bool = False
    """Also the tracking evaluation of poseval."""
    strict: bool = False
    """Look for whatever poseval refuses."""
    curves: bool = False
    """Also PCKh curves."""
    slices: bool = False
    """Also whose each prediction is, for AP on parts of the people."""


@dataclass
class VideoResult:
    """What is known of one evaluated video."""

    name: str
    statistics: average_precision.Statistics
    entry: dict
    """Its part of ``metrics.json``."""
    evidence: suspicions.Evidence
    tracking: mota.Statistics | None = None
    curves: pckh.Statistics | None = None
    owned: slices.Owned | None = None
    images: tuple[str, str] = ("", "")
    """What identifies the images of the ground truth and of the predictions."""
    misnamed: list[str] = field(default_factory=list)
    refusals: list[refusals.Refusal] = field(default_factory=list)
    empty_frames: list[str] = field(default_factory=list)
    """Places on which the PoseTrack21 kit would end."""
    cut_frames: int = 0
    """Predicted frames whose scores the PoseTrack21 kit cuts."""
    extra_frames: int = 0
    """Predicted frames behind the end of the ground truth."""


def evaluate_videos(request: Request, names: Sequence[str], jobs: int) -> Iterable[VideoResult]:
    """Results of the videos, in order, as they come; UserError for the first bad file."""
    return over_videos(partial(evaluate_video, request), names, jobs)


def evaluate_video(request: Request, name: str) -> VideoResult:
    """Read and evaluate one video; UserError that names the file at fault."""
    if request.protocol == "posetrack21":
        return _posetrack21(request, name)
    return _poseval(request, name)


def pooled_statistics(results: Iterable[VideoResult]) -> average_precision.Statistics:
    """What AP of all videos together needs."""
    return average_precision.combine(result.statistics for result in results)


def _poseval(request: Request, name: str) -> VideoResult:
    truth, predictions, contents = _read(request, name)
    if not request.strict:
        cure = ", or rank NaN first as poseval does: --strict-poseval"
        inputs.refuse_odd_scores(predictions, request.predictions, cure)
    (video,) = judged_videos(truth, predictions, request.truth, request.predictions)
    result = _result(request, video, truth, predictions)
    if request.strict:
        sides = ("ground truth", "predictions")
        for people, content, side in zip((truth, predictions), contents, sides, strict=True):
            if not posetrack.is_form_of_2017(content):
                result.refusals += refusals.form_refusals(people, side)
    # AP alone does not look at track ids, so it needs no note on them.
    if request.tracking or request.strict:
        found = refusals.poseval_refusals(truth, predictions, [video])
        result.refusals += [r for r in found if request.tracking or not r.tracking_only]
    return result


def _posetrack21(request: Request, name: str) -> VideoResult:
    truth, predictions, (_, content) = _read(request, name)
    inputs.refuse_odd_scores(predictions, request.predictions)
    cut = []
    if not posetrack.is_form_of_2017(content):
        cut = posetrack21.whole_number_images(content)
    sides = posetrack21.as_judged(
        truth, posetrack21.cut_scores(predictions, cut), request.predictions
    )
    (video,) = judged_videos(*sides, request.truth, request.predictions)
    result = _result(request, video, truth, predictions)
    result.empty_frames = posetrack21.frames_without_people(video)
    result.cut_frames = len(cut)
    result.extra_frames = max(predictions.frames - truth.frames, 0)
    return result


def _read(request: Request, name: str) -> tuple[Annotations, Annotations, tuple[Any, Any]]:
    """Both sides on the joints that are judged, and the contents of their files."""
    paths = [folder / f"{name}.json" for folder in (request.truth, request.predictions)]
    contents = tuple(read_json(path) for path in paths)
    truth, predictions = (
        on_skeleton(posetrack.parse(content, path), POSETRACK17)
        for content, path in zip(contents, paths, strict=True)
    )
    return truth, predictions, contents


def _result(
    request: Request, video: JudgedVideo, truth: Annotations, predictions: Annotations
) -> VideoResult:
    """`truth` and `predictions` are those of all frames, judged or not."""
    matches = match_video(video)
    statistics = average_precision.video_statistics(video, matches)
    tracking = curves = owned = tracking_scores = None
    if request.tracking:
        from tdmi.evaluation.tracking import mota

        tracking = mota.video_statistics(video, matches)
        tracking_scores = mota.tracking_accuracy(tracking)
    if request.curves:
        curves = pckh.video_statistics(video, matches)
    if request.slices:
        from tdmi.evaluation.analysis import slices
        from tdmi.evaluation.analysis.derived_attributes import derived_attributes

        owned = slices.own(video, matches, statistics, truth, derived_attributes(truth))
    return VideoResult(
        name=video.name,
        statistics=statistics,
        entry=table.video_entry(SCORES[request.protocol](statistics), tracking_scores),
        evidence=suspicions.evidence(video, predictions),
        tracking=tracking,
        curves=curves,
        owned=owned,
        images=(inputs.images_of(truth), inputs.images_of(predictions)),
        misnamed=misnamed_frames(truth, predictions),
    )
