"""The protocols that score PoseTrack files video by video: poseval and PoseTrack21's kit.

A video is evaluated by a pure function of a request and its name, so any number of processes can
share the videos. Its result is small, and results combine in the order of the names.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from tdmi.core.errors import UserError
from tdmi.core.files import read_json
from tdmi.data.annotations import Annotations, on_skeleton
from tdmi.data.attributes import read_attributes
from tdmi.data.skeletons import POSETRACK17
from tdmi.evaluation import inputs, output
from tdmi.evaluation.analysis import curves, slices
from tdmi.evaluation.analysis.derived_attributes import derived_attributes
from tdmi.evaluation.diagnostics import signs
from tdmi.evaluation.diagnostics.refusals import (
    Finding,
    Refusal,
    form_refusals,
    merge,
    track_refusals,
)
from tdmi.evaluation.matching.assignment import match_video
from tdmi.evaluation.matching.scored_videos import ScoredVideo, misnamed_frames, scored_videos
from tdmi.evaluation.output import Content
from tdmi.evaluation.parallel import over_videos, worthwhile_jobs
from tdmi.evaluation.protocols import posetrack21, poseval
from tdmi.evaluation.protocols.base import Evaluation, Protocol, Request
from tdmi.evaluation.protocols.poseval import Scores, Statistics
from tdmi.formats import posetrack

if TYPE_CHECKING:  # it imports scipy
    from tdmi.evaluation.tracking import mota


@dataclass
class VideoResult:
    """The outcome of one video."""

    name: str
    statistics: Statistics
    evidence: signs.Evidence
    images: tuple[str, str]
    """Identity of the images of the ground truth and of the predictions, see `images_of`."""
    misnamed: list[str]
    tracking: mota.Statistics | None = None
    curves: curves.Statistics | None = None
    owned: slices.Owned | None = None
    refusals: list[Refusal] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)


@dataclass
class VideoEvaluation(Evaluation):
    """The outcome, with what the official evaluator's own numbers are compared with."""

    pooled: Statistics = field(kw_only=True)
    tracking: mota.Scores | None = None
    refusals: list[Refusal] = field(default_factory=list)


class VideoProtocol(Protocol):
    """A protocol that scores every video by itself and pools the statistics."""

    never_annotated: float
    """AP of a joint that is predicted but annotated in no video."""

    @abstractmethod
    def evaluate_video(self, request: Request, name: str) -> VideoResult:
        """Read and evaluate one video; UserError that names the file at fault."""

    @abstractmethod
    def average_precision(self, statistics: Statistics) -> Scores:
        """Return AP, precision and recall per joint and in total, in percent."""

    def results(
        self, request: Request, names: Sequence[str], title: str = "videos"
    ) -> list[VideoResult]:
        """Evaluate the videos, in order; UserError for the first bad file."""
        size = inputs.total_size(request.truth, request.predictions, names)
        jobs = request.jobs or worthwhile_jobs(size)
        results = over_videos(partial(self.evaluate_video, request), names, jobs)
        return list(request.progress(results, title, len(names)))

    def evaluate(self, request: Request, names: Sequence[str]) -> VideoEvaluation:
        results = self.results(request, names)
        for side, folder in enumerate((request.truth, request.predictions)):
            inputs.check_not_repeated(names, [result.images[side] for result in results], folder)
        refusals = merge(refusal for result in results for refusal in result.refusals)
        if request.strict_poseval and refusals:
            raise UserError(
                f"--strict-poseval: {request.predictions}: {refusals[0].found}; poseval ends with "
                f"{refusals[0].exception}; repair the files or leave the option out"
            )
        pooled = poseval.combine(result.statistics for result in results)
        scores, tracking = self.average_precision(pooled), _tracking_scores(results)
        content = {
            **output.scores_content(request.protocol, pooled, scores, tracking),
            "per_video": {
                result.name: output.video_entry(
                    self.average_precision(result.statistics), _tracking_scores([result])
                )
                for result in results
            },
        }
        if refusals:
            content["notes"] = list(map(str, refusals))
        tables = [output.official_table(scores.ap)]
        if tracking is not None:
            tables.append(output.tracking_table(tracking))
        self._add_extras(request, results, content, tables)
        warnings = _warnings(request, results, scores.ap[-1])
        return VideoEvaluation(
            content, tables, warnings, pooled=pooled, tracking=tracking, refusals=refusals
        )

    def _add_extras(
        self, request: Request, results: list[VideoResult], content: Content, tables: list[str]
    ) -> None:
        """Add the parts of ``metrics.json`` that the request asks for beyond the scores."""
        statistics = [result.statistics for result in results]
        found = [result.curves for result in results if result.curves is not None]
        if found:
            content["pckh"] = curves.pckh(curves.combine(found))
            content["reliability"] = curves.reliability(poseval.combine(statistics))
        owned = [result.owned for result in results if result.owned is not None]
        if owned:
            people, attributes = slices.pool(owned), {}
            if request.attributes:
                ids = (people.image_id, people.track_id)
                attributes = read_attributes(request.attributes, *ids)
            content["slices"] = slices.metrics(people, attributes, self.average_precision)
        if request.bootstrap:
            from tdmi.evaluation.statistics import bootstrap, interval

            replicates = bootstrap.bootstrap(
                statistics, request.bootstrap, request.seed, self.never_annotated
            )
            content["interval"] = interval.content(replicates, len(results), request.seed)
            ends = content["interval"]["ap"]["total"]
            tables.append(output.interval_line("Total AP", content["interval"], ends))
        if owned:
            tables.append(slices.table(content["slices"]))

    def _result(
        self, request: Request, video: ScoredVideo, truth: Annotations, predictions: Annotations
    ) -> VideoResult:
        """Evaluate a video; `truth` and `predictions` are those of all frames, scored or not."""
        matches = match_video(video)
        result = VideoResult(
            name=video.name,
            statistics=poseval.video_statistics(video, matches),
            evidence=signs.evidence(video, predictions),
            images=(inputs.images_of(truth), inputs.images_of(predictions)),
            misnamed=misnamed_frames(truth, predictions),
        )
        if request.tracking:
            from tdmi.evaluation.tracking import mota

            result.tracking = mota.video_statistics(video, matches)
        if request.curves:
            result.curves = curves.video_statistics(video, matches)
        if request.slices:
            attributes = derived_attributes(truth)
            result.owned = slices.own(video, matches, result.statistics, truth, attributes)
        return result


class Poseval(VideoProtocol):
    """AP and tracking accuracy as the official PoseTrack evaluator computes them."""

    never_annotated = np.nan

    def average_precision(self, statistics: Statistics) -> Scores:
        return poseval.average_precision(statistics)

    def evaluate_video(self, request: Request, name: str) -> VideoResult:
        sides, contents = _read(request, name)
        if not request.strict_poseval:
            cure = ", or rank NaN first as poseval does: --strict-poseval"
            inputs.check_scores_finite(sides[1], request.predictions, cure)
        (video,) = scored_videos(*sides, request.truth, request.predictions)
        result = self._result(request, video, *sides)
        if request.strict_poseval:
            titles = ("ground truth", "predictions")
            for people, content, title in zip(sides, contents, titles, strict=True):
                if not posetrack.is_form_of_2017(content):
                    result.refusals += form_refusals(people, title)
        # AP alone does not look at track ids, so it needs no note on them.
        if request.tracking or request.strict_poseval:
            found = track_refusals(*sides, video)
            result.refusals += [r for r in found if request.tracking or not r.tracking_only]
        return result


class PoseTrack21(VideoProtocol):
    """AP as the PoseTrack21 evaluation kit computes it."""

    never_annotated = 0.0

    def average_precision(self, statistics: Statistics) -> Scores:
        return posetrack21.average_precision(statistics)

    def evaluate_video(self, request: Request, name: str) -> VideoResult:
        (truth, predictions), (_, content) = _read(request, name)
        inputs.check_scores_finite(predictions, request.predictions)
        cut = []
        if not posetrack.is_form_of_2017(content):
            cut = posetrack21.whole_number_images(content)
        sides = posetrack21.as_scored(
            truth, posetrack21.cut_scores(predictions, cut), request.predictions
        )
        (video,) = scored_videos(*sides, request.truth, request.predictions)
        result = self._result(request, video, truth, predictions)
        result.refusals = posetrack21.refusals(video)
        longer = predictions.frames > truth.frames
        result.findings = posetrack21.findings(name, longer, cut)
        return result


def _read(request: Request, name: str) -> tuple[tuple[Annotations, Annotations], tuple[Any, Any]]:
    """Read ground truth and predictions on the joints that are scored, and their files' content."""
    paths = [folder / f"{name}.json" for folder in (request.truth, request.predictions)]
    truth, predictions = (read_json(path) for path in paths)
    contents = (truth, predictions)
    ours, theirs = (
        on_skeleton(posetrack.parse(content, path), POSETRACK17)
        for content, path in zip(contents, paths, strict=True)
    )
    return (ours, theirs), contents


def _warnings(request: Request, results: Sequence[VideoResult], total_ap: float) -> list[str]:
    lines = [line for result in results for line in result.misnamed]
    lines += [one.found for one in merge(one for result in results for one in result.findings)]
    evidence = signs.combine(result.evidence for result in results)
    if request.tracking:
        lines += signs.track_signs(evidence)
    return [*lines, *signs.signs(evidence, POSETRACK17, total_ap)]


def _tracking_scores(results: Iterable[VideoResult]) -> mota.Scores | None:
    """Return the tracking scores of some videos together, None where they were not asked for."""
    found = [result.tracking for result in results if result.tracking is not None]
    if not found:
        return None
    from tdmi.evaluation.tracking import mota

    return mota.tracking_accuracy(mota.combine(found))
