"""Options of what a trained network's heatmaps become: predictions and tracks."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

from tdmi.config.section import SHARE, Plain, Section, option

Decoder = Literal["dark", "quarter", "argmax"]
Precision = Literal["float32", "bf16", "fp16"]
Rescoring = Literal["none", "mean_joint"]
BoxProtocol = Literal["ground_truth_boxes", "detected_boxes"]

ODD: Plain = {"not": {"multipleOf": 2}}


@dataclass(frozen=True)
class Inference(Section):
    """Ways from heatmaps to predictions; one setting for all methods of a suite."""

    flip: bool = option(True, "Average with the prediction for the mirrored crops")
    flip_shift: bool = option(False, "Shift mirrored maps by one cell")
    decoder: Decoder = "dark"
    blur_kernel: int = option(11, "Side of DARK's Gaussian in cells, odd", minimum=1, **ODD)
    batch_size: int = option(32, "Windows at a time", minimum=1)
    box_score_threshold: float = option(0.2, "Detected boxes below are skipped")
    box_protocols: tuple[BoxProtocol, ...] = option(get_args(BoxProtocol), minItems=1)
    rescoring: Rescoring = option(
        "none", "Of persons, not of their joints; see tdmi.prediction.oks_nms.rescore"
    )
    suppression: float | None = option(
        None,
        "OKS above which the lower scored of two persons of a frame is dropped",
        exclusiveMinimum=0,
        maximum=1,
    )
    precision: Precision = option(
        "float32", "Of the network: float32, or bf16 or fp16 where autocast trusts them"
    )
    streaming: bool = option(
        False, "Compute the features of each frame of a person once, see tdmi.prediction.streaming"
    )
    fold_norms: bool = option(
        False, "Batch norms as part of the convolutions before them: faster, other rounding"
    )


@dataclass(frozen=True)
class Tracking(Section):
    """Thresholds of tracking: for predictions to be output, and for poses to be one person.

    Lengths of time are frames of the real video. The numbers were found on the validation motions
    of the embedded data, see `tdmi.prediction.tracking`.
    """

    joint_confidence: float = option(
        0.4,
        "Least heatmap maximum of a joint. The loss decides how high maxima are, so a suite sets "
        "this by MOTA on its validation split",
        **SHARE,
    )
    person_score: float = option(0.5, "Least score of a box; that of ground truth is 1", **SHARE)
    least_similarity: float = option(
        0.1, "Persons less alike than this are never the same", **SHARE
    )
    motion: float = option(
        0.2,
        "How far joints move in a frame beside the person's velocity: standard deviation in square "
        "roots of the person's area",
        minimum=0,
    )
    longest_gap: int = option(
        12, "A track that has not been seen for more frames has ended", minimum=0
    )
    velocity_memory: float = option(
        0.5, "Share of the former velocity in the new one, against the jitter of poses", **SHARE
    )
