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

    flip: bool = option(
        True,
        "Average with the prediction for the mirrored crops",
        shown="on: mean with the prediction for the mirrored crops",
        alternatives="off",
        why="the published validation figures of TDMI fit it being on",
    )
    flip_shift: bool = option(
        False,
        "Shift mirrored maps by one cell",
        shown="off",
        alternatives="on (official code)",
        why="corrects a bias that `subpixel` does not have",
    )
    decoder: Decoder = option("dark", why="TDMI's code uses DARK, HRNet and DCPose a quarter shift")
    blur_kernel: int = option(
        11,
        "Side of DARK's Gaussian in cells, odd",
        minimum=1,
        **ODD,
        shown="11 at full size, 5 in the embedded suite",
        alternatives="odd numbers",
        why="grows with the target's sigma",
    )
    batch_size: int = option(32, "Windows at a time", minimum=1)
    box_score_threshold: float = option(
        0.2,
        "Detected boxes below are skipped",
        shown="0.2: detections below are skipped",
        alternatives="any",
        why="DCPose, TDMI",
    )
    box_protocols: tuple[BoxProtocol, ...] = option(
        get_args(BoxProtocol),
        minItems=1,
        shown="`ground_truth_boxes` and `detected_boxes`, each with results of its own",
        alternatives="one of them",
        why="published numbers rest on different detectors",
    )
    rescoring: Rescoring = option(
        "none",
        "Of persons, not of their joints; see tdmi.prediction.oks_nms.rescore",
        shown="`none`: the box's",
        alternatives="`mean_joint`: × mean of the sure joints' maxima",
        why="DCPose, TDMI; the other is HRNet's on COCO",
    )
    suppression: float | None = option(
        None,
        "OKS above which the lower scored of two persons of a frame is dropped",
        exclusiveMinimum=0,
        maximum=1,
        shown="off",
        alternatives="an OKS above which the lower scored of two persons goes, 0.9 in HRNet's code "
        "for COCO",
        why="DCPose, TDMI",
    )
    precision: Precision = option(
        "float32",
        "Of the network: float32, or bf16 or fp16 where autocast trusts them",
        why=(
            "bf16 costs 0.07 AP on the embedded validation split, and less than half the time "
            "on the CPU it was measured on"
        ),
    )
    streaming: bool = option(
        False,
        "Compute the features of each frame of a person once, see tdmi.prediction.streaming",
        shown="off: each window is cut by the key frame's box",
        alternatives=(
            "on: each frame is cut by its own box, once, and its features moved into the key "
            "frame's crop"
        ),
        why=(
            "3.56 to 3.58 times as many key frames a second on CPU where every frame is one, with "
            "eight windows at a time, 3.47 with one (`tests/benchmarks/streaming.py`); 0.06 AP "
            "less on the embedded validation split. Methods that warp by flow are predicted as "
            "before"
        ),
    )
    fold_norms: bool = option(
        False,
        "Batch norms as part of the convolutions before them: faster, other rounding",
        shown="off: results stay bit for bit",
        alternatives=(
            "on: batch norms become part of the convolutions before them (`tdmi/models/folding.py`)"
        ),
        why="faster on the CPU, equal up to rounding",
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
