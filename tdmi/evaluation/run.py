"""Evaluate a folder of predictions against a folder of ground truth, by any protocol."""

from __future__ import annotations

from tdmi.evaluation.inputs import paired_videos
from tdmi.evaluation.protocols.base import Evaluation, Request
from tdmi.evaluation.protocols.posetrack import PoseTrack21, Poseval, VideoProtocol

EVALUATORS: dict[str, VideoProtocol] = {"poseval": Poseval(), "posetrack21": PoseTrack21()}
"""The protocols that score every video on its own, by name."""


def evaluate_folders(request: Request) -> Evaluation:
    """Evaluate all videos of two folders; nothing is written.

    Raises UserError, naming the file, for input that cannot be scored, and for a video that only
    one of the folders has.
    """
    names = paired_videos(request.truth, request.predictions)
    # Imported where they are asked for: they are no part of what other protocols' results rest on.
    if request.protocol == "hieve":
        from tdmi.evaluation.protocols.hieve import evaluate_request

        return evaluate_request(request, names)
    if request.protocol == "oks":
        from tdmi.evaluation.protocols import oks

        return oks.evaluate_request(request, names)
    return EVALUATORS[request.protocol].evaluate(request, names)
