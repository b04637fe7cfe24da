"""Evaluate predictions and record the metrics of a run; the guards of whatever reads predictions."""

from __future__ import annotations

import logging
from pathlib import Path

from tdmi.core.errors import UserError
from tdmi.core.files import write_json
from tdmi.core.locks import exclusive_writer
from tdmi.data.annotations import Annotations
from tdmi.evaluation import inputs
from tdmi.evaluation.protocols.base import Evaluation, Request
from tdmi.evaluation.protocols.poseval import Statistics
from tdmi.evaluation.run import evaluate_folders, folder_statistics
from tdmi.experiments.provenance import check_predictions_unchanged, record_metrics

_LOGGER = logging.getLogger(__name__)


def evaluate_and_record(request: Request, out: Path) -> Evaluation:
    """Write the metrics file `out` and log notes and warnings.

    Raises UserError, naming the file, for input that cannot be scored, for predictions of a run
    that are not as recorded, and if `out` cannot be written.
    """
    with exclusive_writer(out):
        _check_folders(request)
        found = evaluate_folders(request)
        for kind, lines in (("note", found.notes), ("warning", found.warnings)):
            for line in lines:
                _LOGGER.warning("tdmi evaluate: %s: %s", kind, line)
        try:
            write_json(out, found.content)
            # Only runs are verified later, and hashing every file is no part of an evaluation.
            if (out.parent.parent / "provenance.json").is_file():
                record_metrics(out, request.truth, request.predictions)
        except OSError as error:
            raise UserError(f"{out}: --out cannot be written ({error.strerror}); mend it") from None
    return found


def checked_statistics(request: Request) -> list[Statistics]:
    """Return what AP needs of every video, in order of their names, by poseval or posetrack21.

    Raises UserError for whatever `evaluate_and_record` refuses.
    """
    _check_folders(request)
    return folder_statistics(request)


def check_predictions(path: Path, predictions: Annotations) -> None:
    """Raise UserError for predictions, read from a file or folder, that no evaluation would take.

    That is: changed since a run recorded them, a score that is not finite, one video under two
    names. Commands that write predictions again ask this first.
    """
    check_predictions_unchanged(path)
    folder = path if path.is_dir() else path.parent
    inputs.check_scores_finite(predictions, folder)
    inputs.check_videos_differ(predictions, folder)


def _check_folders(request: Request) -> None:
    # A missing file is named before one that was changed.
    inputs.paired_videos(request.truth, request.predictions)
    check_predictions_unchanged(request.predictions)
