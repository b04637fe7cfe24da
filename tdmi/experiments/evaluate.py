"""Evaluate predictions and write the metrics file, with its record where they are a run's."""

from __future__ import annotations

import logging
from pathlib import Path

from tdmi.core.errors import UserError
from tdmi.core.files import write_json
from tdmi.core.locks import exclusive_writer
from tdmi.evaluation.inputs import paired_videos
from tdmi.evaluation.protocols.base import Evaluation, Request
from tdmi.evaluation.run import evaluate_folders
from tdmi.experiments.provenance import check_predictions_unchanged, record_metrics

_LOGGER = logging.getLogger(__name__)


def evaluate_and_record(request: Request, out: Path) -> Evaluation:
    """Write the metrics file `out` and log notes and warnings.

    Raises UserError, naming the file, for input that cannot be scored, for predictions of a run
    that are not as recorded, and if `out` cannot be written.
    """
    with exclusive_writer(out):
        # A missing file is named before one that was changed.
        paired_videos(request.truth, request.predictions)
        check_predictions_unchanged(request.predictions)
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
