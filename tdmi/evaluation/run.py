"""Evaluate a folder of predictions against a folder of ground truth, by any protocol."""

from __future__ import annotations

from tdmi.evaluation.inputs import paired_videos
from tdmi.evaluation.protocols.base import Evaluation, Protocol, Request
from tdmi.evaluation.protocols.posetrack import PoseTrack21, Poseval, VideoProtocol
from tdmi.evaluation.protocols.poseval import Statistics

EVALUATORS: dict[str, VideoProtocol] = {"poseval": Poseval(), "posetrack21": PoseTrack21()}
"""The protocols that score every video on its own, by name."""


def evaluate_folders(request: Request) -> Evaluation:
    """Evaluate all videos of two folders; nothing is written.

    Raises UserError, naming the file, for input that cannot be scored, and for a video that only
    one of the folders has.
    """
    names = paired_videos(request.truth, request.predictions)
    return _protocol(request.protocol).evaluate(request, names)


def folder_statistics(request: Request) -> list[Statistics]:
    """Return what AP needs of every video, in order of their names, by one of EVALUATORS."""
    names = paired_videos(request.truth, request.predictions)
    results = EVALUATORS[request.protocol].results(request, names, str(request.predictions))
    return [result.statistics for result in results]


def _protocol(name: str) -> Protocol:
    # Imported where they are asked for: they are no part of what other protocols' results rest on.
    if name == "hieve":
        from tdmi.evaluation.protocols.hieve import HieveLocal

        return HieveLocal()
    if name == "oks":
        from tdmi.evaluation.protocols.oks import Oks

        return Oks()
    return EVALUATORS[name]
