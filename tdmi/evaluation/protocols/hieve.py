"""A local score for HiEve: the paper's average precision as far as it is known, on our own labels.

It is not the score of the challenge's server. The server alone has the labels of the test videos,
its program is not published, and what the paper leaves open is filled here by choices of this
project. Numbers of this module compare with each other and never with those of the leaderboard.

Known (HiEve paper, arXiv 2005.04490): a prediction belongs to the ground truth with the highest
PCKh; AP@a counts a joint as found within a head sizes; AP@avg is the mean of AP@0.5, AP@0.75 and
AP@0.9; w-AP repeats this with frames weighted by how crowded they are (coefficient 2) and by the
number of classes of anomalous action in them (coefficient 1; the order of the two is inferred).

Chosen here:

- Everything about AP that the paper does not say is poseval's: the two-step assignment, at each
  threshold with the hits of that threshold, one curve per joint over all frames, and the area
  under it. The Total is the mean over HiEve's 14 joints.
- Head size: see HEAD_SIZE_PER_BOX. HiEve has no head box.
- Weight of a frame: see `frame_weights`. The paper's formula could not be read.
- Columns: "head" is the nose, the only joint above the shoulders; the chest counts to the
  shoulders, because it is marked at their height (in the example of the data set's format page
  it lies 175 px below the top of a person of 976 px, and shoulders lie at 0.18 of the height).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from tdmi.core.errors import UserError
from tdmi.data.annotations import Annotations
from tdmi.data.skeletons import HIEVE, JOINT_GROUPS
from tdmi.evaluation.analysis.crowd_index import crowd_index
from tdmi.evaluation.matching.assignment import head_sizes, match_video
from tdmi.evaluation.matching.pairing import JudgedVideo, People, judged_videos
from tdmi.evaluation.protocols import poseval as average_precision
from tdmi.evaluation.protocols.poseval import Scores, Statistics, combine
from tdmi.evaluation.table import entries, video_entry

PROTOCOL = "hieve_local"
NOTE = (
    "A local score on videos whose labels are public, with choices of this project where the "
    "definition is unknown. It is not the score of the HiEve server and must not be compared "
    "with the leaderboard."
)
THRESHOLDS = (0.5, 0.75, 0.9)
"""Head sizes within which a joint counts as found."""

HEAD_SIZE_PER_BOX = 0.1
"""Head size as a share of the longer side of the person box.

A head is about 1/7.5 of the body's height and 3/4 as wide as high, so the diagonal of its box is
1/6 of the height; PCKh's head size is 0.6 of that diagonal, hence 0.1. The longer side stands for
the height, also of people who lie. The distance from nose to chest would serve too, but one of the
two is often hidden, and it shrinks to nothing in people who bow or are seen from above; every
labelled person has a box. For people who sit, or are cut off by the picture's edge, the head size
comes out too small and the score too strict."""

CROWD_COEFFICIENT = 2.0
ACTION_COEFFICIENT = 1.0
ANOMALOUS_ACTIONS = ("fighting", "fall-over")
"""Classes of the data set's 14 that count as anomalous (choice of this project: the two that are
accidents or offences; the server's list is not published)."""

GROUPS = JOINT_GROUPS | {
    "head": ("nose",),
    "shoulder": ("right_shoulder", "left_shoulder", "chest"),
}
_FRAMES_AT_ONCE = 100
"""All pairs of people of that many frames are in memory together."""


def metrics(
    truth: Annotations, predictions: Annotations, resamples: int = 0, seed: int = 0
) -> dict:
    """Content of ``metrics.json``: AP@avg under "ap", each AP@a, and the weighted variant.

    Percent, unrounded, undefined values None. "precision" and "recall" are means over the
    thresholds as well. With `resamples` of the videos also the "interval" of AP@avg.
    UserError for missing predictions, another number of frames, another joint set, or a person of
    the ground truth without box.
    """
    truth = with_head_boxes(_need_joints(truth, "ground truth"))
    predictions = _need_joints(predictions, "predictions")
    weights = frame_weights(truth)
    plain = [evaluate(truth, predictions, threshold) for threshold in THRESHOLDS]
    weighted = [evaluate(truth, predictions, threshold, weights) for threshold in THRESHOLDS]
    pooled = combine(plain[0].values())
    scores = _scores(plain)
    content = {
        "protocol": PROTOCOL,
        "note": NOTE,
        "frames": pooled.frames,
        "ground_truth_persons": pooled.truth_persons,
        "predicted_persons": pooled.predicted_persons,
        "head_size": {"share_of_longer_box_side": HEAD_SIZE_PER_BOX},
        "ap": _entries(scores.ap),
        "precision": _entries(scores.precision),
        "recall": _entries(scores.recall),
        "ap_at": _at_thresholds(plain),
        "weighted": {
            "unofficial": True,
            "crowd_coefficient": CROWD_COEFFICIENT,
            "action_coefficient": ACTION_COEFFICIENT,
            "anomalous_actions": list(ANOMALOUS_ACTIONS),
            "frames_with_anomalous_actions": int(np.count_nonzero(anomalous_actions(truth))),
            "ap": _entries(_scores(weighted).ap),
            "ap_at": _at_thresholds(weighted),
        },
        "per_video": {
            name: video_entry(_scores([{name: part[name]} for part in plain])) for name in plain[0]
        },
    }
    if resamples:
        content["interval"] = _interval(plain, resamples, seed)
    return content


def _interval(statistics: list[dict[str, Statistics]], resamples: int, seed: int) -> dict:
    from tdmi.evaluation.statistics import significance

    # One seed draws the same videos at each threshold.
    replicates = np.mean(
        [significance.bootstrap(list(part.values()), resamples, seed) for part in statistics],
        axis=0,
    )
    return significance.interval_content(replicates, len(statistics[0]), seed, HIEVE, GROUPS)


def local_table(content: dict) -> str:
    """The scores of `metrics` as lines of text, one decimal."""
    columns = [*GROUPS, "total"]
    rows = {"AP@avg": content["ap"]}
    rows |= {f"AP@{name}": values for name, values in content["ap_at"].items()}
    rows |= {"w-AP@avg (unofficial)": content["weighted"]["ap"]}
    lines = [" " * 22 + " ".join(f"{column:>8}" for column in columns)]
    for name, values in rows.items():
        cells = (values[column] for column in columns)
        shown = " ".join("     ---" if v is None else f"{v:8.1f}" for v in cells)
        lines.append(f"{name:<22}{shown}")
    return "\n".join([*lines, "local score, not the HiEve server's"])


def evaluate(
    truth: Annotations,
    predictions: Annotations,
    threshold: float,
    weights: np.ndarray | None = None,
) -> dict[str, Statistics]:
    """Statistics of every video of the ground truth by name; `weights` [F] of its frames, or 1."""
    statistics = {}
    for number, video in enumerate(judged_videos(truth, predictions)):
        frame_weight = None if weights is None else weights[truth.frames_of(number)]
        parts = []
        for block in _blocks(video):
            weight = None if frame_weight is None else frame_weight[block.frame_index]
            matches = match_video(block, threshold)
            parts.append(average_precision.video_statistics(block, matches, weight))
        statistics[video.name] = combine(parts)
    return statistics


def with_head_boxes(truth: Annotations) -> Annotations:
    """The same people with square head boxes of the size that HEAD_SIZE_PER_BOX gives.

    Only the size of the squares means anything: distances are measured by it. UserError for a
    person without box.
    """
    missing = np.isnan(truth.box).any(axis=1)
    if missing.any():
        frame = truth.frame_file[truth.person_frame[np.argmax(missing)]]
        raise UserError(
            f"{frame}: a person of the ground truth has no box, expected one for everybody, by "
            "which the head size is estimated; use ground truth that has boxes"
        )
    head_size = HEAD_SIZE_PER_BOX * truth.box[:, 2:].max(axis=1, initial=0.0)
    side = head_size / head_sizes(np.array([[0.0, 0.0, 1.0, 1.0]]))
    return replace(truth, head_box=side[:, None] * np.array([0.0, 0.0, 1.0, 1.0]))


def frame_weights(truth: Annotations) -> np.ndarray:
    """Weight of each frame [F]: 1 + 2 * Crowd Index + 1 * number of classes of anomalous action.

    The form of the sum is a choice of this project; the paper's formula could not be read.
    """
    crowded = CROWD_COEFFICIENT * crowd_index(truth)
    return 1.0 + crowded + ACTION_COEFFICIENT * anomalous_actions(truth)


def anomalous_actions(truth: Annotations) -> np.ndarray:
    """Number of classes of anomalous action in each frame [F] int64."""
    frame = truth.person_frame
    return sum(
        np.bincount(frame[np.array(truth.action) == action], minlength=truth.frames).clip(max=1)
        for action in ANOMALOUS_ACTIONS
    )


def _need_joints(annotations: Annotations, side: str) -> Annotations:
    if annotations.skeleton != HIEVE:
        raise UserError(
            f"{side}: joints are {annotations.skeleton.name}, expected {HIEVE.name}; this score is "
            "for HiEve's 14 joints"
        )
    return annotations


def _blocks(video: JudgedVideo) -> Iterator[JudgedVideo]:
    """The video in pieces of some frames each; at least one, which may be empty."""
    for first in range(0, max(len(video.frame_index), 1), _FRAMES_AT_ONCE):
        yield JudgedVideo(
            video.name,
            video.frame_index[first : first + _FRAMES_AT_ONCE],
            _between(video.truth, first),
            _between(video.predictions, first),
        )


def _between(people: People, first: int) -> People:
    chosen = people.keep((people.frame >= first) & (people.frame < first + _FRAMES_AT_ONCE))
    return replace(chosen, frame=chosen.frame - first)


def _scores(statistics: list[dict[str, Statistics]]) -> Scores:
    """Mean over the thresholds of the scores pooled over the videos."""
    scores = [average_precision.average_precision(combine(s.values())) for s in statistics]
    columns = ("ap", "precision", "recall")
    return Scores(**{c: np.mean([getattr(score, c) for score in scores], axis=0) for c in columns})


def _entries(values: np.ndarray) -> dict:
    return entries(values, HIEVE, GROUPS)


def _at_thresholds(statistics: list[dict[str, Statistics]]) -> dict:
    return {
        str(threshold): _entries(_scores([part]).ap)
        for threshold, part in zip(THRESHOLDS, statistics, strict=True)
    }
