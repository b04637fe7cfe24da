"""A local score for HiEve: the paper's average precision as far as it is known, on public labels.

It is not the score of the challenge's server. Only the server has the labels of the test videos,
its program is not published, and choices of this project fill what the paper leaves open. Numbers
of this module compare with each other and never with those of the leaderboard.

Known (HiEve paper, arXiv 2005.04490): a prediction belongs to the ground truth with the highest
PCKh; AP@a counts a joint as found within a head sizes; AP@avg is the mean of AP@0.5, AP@0.75 and
AP@0.9; w-AP repeats this with frames weighted by how crowded they are (coefficient 2) and by the
number of classes of anomalous action in them (coefficient 1; the order of the two is inferred).

Chosen here:

- Everything about AP that the paper does not say is poseval's: the two-step assignment, at each
  threshold with the hits of that threshold, one curve per joint over all frames, and the area
  under it. The Total is the mean over HiEve's 14 joints.
- Head size: see HEAD_SIZE_PER_BOX, because HiEve has no head box.
- Weight of a frame: see `frame_weights`.
- Columns: "head" is the nose, the only joint above the shoulders; the chest counts to the
  shoulders, because it is marked at their height (in the example of the data set's format page
  it lies 175 px below the top of a person of 976 px, and shoulders lie at 0.18 of the height).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np

from tdmi.core.errors import UserError
from tdmi.data.annotations import Annotations
from tdmi.data.skeletons import HIEVE, JOINT_GROUPS
from tdmi.evaluation.analysis.derived_attributes import crowd_index
from tdmi.evaluation.arrays import Array
from tdmi.evaluation.diagnostics import signs
from tdmi.evaluation.matching.assignment import match_video, with_head_sizes
from tdmi.evaluation.matching.scored_videos import (
    ScoredVideo,
    misnamed_frames,
    scored_videos,
)
from tdmi.evaluation.output import (
    Columns,
    Content,
    counts,
    entries,
    interval_line,
    score_entries,
    video_entry,
)
from tdmi.evaluation.protocols.base import Evaluation, Request, read_sides
from tdmi.evaluation.protocols.poseval import (
    Scores,
    Statistics,
    average_precision,
    combine,
    video_statistics,
)
from tdmi.formats.hieve import read_folder

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
COLUMNS = Columns(HIEVE, GROUPS)
RULES = signs.Rules(
    columns=COLUMNS,
    expected="it is a tenth of the longer side of a person's box, which is expected in pixels",
)
_FRAMES_AT_ONCE = 100
"""All pairs of people of that many frames are in memory together."""


def evaluate_request(request: Request, names: Sequence[str]) -> Evaluation:
    """Score videos in files of HiEve's or PoseTrack18's form."""
    truth, predictions = read_sides(request, names, read_folder)
    content = metrics(truth, predictions, request.bootstrap or 0, request.seed)
    tables = [local_table(content)]
    if "interval" in content:
        ends = content["interval"]["ap"]["total"]
        tables.append(interval_line("Total AP@avg", content["interval"], ends))
    videos = scored_videos(with_head_boxes(truth), predictions)
    found = {video.name: signs.evidence(video) for video in videos}
    total = content["ap"]["total"]
    lines = signs.signs(found, np.nan if total is None else total, RULES)
    return Evaluation(content, tables, [*misnamed_frames(truth, predictions), *lines])


def metrics(
    truth: Annotations, predictions: Annotations, resamples: int = 0, seed: int = 0
) -> Content:
    """Return ``metrics.json``: AP@avg under "ap", each AP@a, and the weighted variant, in percent.

    "precision" and "recall" are means over the thresholds as well. With `resamples` of the videos
    also the "interval" of AP@avg. UserError for missing predictions, another number of frames,
    another joint set, or a person of the ground truth without box.
    """
    for side, people in (("ground truth", truth), ("predictions", predictions)):
        if people.skeleton != HIEVE:
            raise UserError(
                f"{side}: joints are {people.skeleton.name}, expected {HIEVE.name}; this score is "
                "for HiEve's 14 joints"
            )
    truth = with_head_boxes(truth)
    weights = frame_weights(truth)
    plain = [evaluate(truth, predictions, threshold) for threshold in THRESHOLDS]
    weighted = [evaluate(truth, predictions, threshold, weights) for threshold in THRESHOLDS]
    content = {
        "protocol": PROTOCOL,
        "note": NOTE,
        **counts(combine(plain[0].values())),
        "head_size": {"share_of_longer_box_side": HEAD_SIZE_PER_BOX},
        **score_entries(_scores(plain), COLUMNS),
        "ap_at": _at_thresholds(plain),
        "weighted": {
            "unofficial": True,
            "crowd_coefficient": CROWD_COEFFICIENT,
            "action_coefficient": ACTION_COEFFICIENT,
            "anomalous_actions": list(ANOMALOUS_ACTIONS),
            "frames_with_anomalous_actions": int(np.count_nonzero(anomalous_actions(truth))),
            "ap": entries(_scores(weighted).ap, COLUMNS),
            "ap_at": _at_thresholds(weighted),
        },
        "per_video": {
            name: video_entry(_scores([{name: part[name]} for part in plain])) for name in plain[0]
        },
    }
    if resamples:
        from tdmi.evaluation.statistics import bootstrap, interval

        # One seed draws the same videos at each threshold.
        drawn = [bootstrap.bootstrap(list(part.values()), resamples, seed) for part in plain]
        replicates = np.mean(drawn, axis=0)
        content["interval"] = interval.content(replicates, len(plain[0]), seed, COLUMNS)
    return content


def local_table(content: Content) -> str:
    """Return the scores of `metrics` as lines of text, one decimal."""
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
    weights: Array | None = None,
) -> dict[str, Statistics]:
    """Return the statistics of every video by name; `weights` [F] of the frames, 1 if left out."""
    statistics = {}
    for number, video in enumerate(scored_videos(truth, predictions)):
        first = truth.frames_of(number)[:1].sum()
        statistics[video.name] = combine(
            video_statistics(
                block,
                match_video(block, threshold),
                None if weights is None else weights[first + block.frame_index],
            )
            for block in _blocks(video)
        )
    return statistics


def with_head_boxes(truth: Annotations) -> Annotations:
    """Return the same people with square head boxes of the size that HEAD_SIZE_PER_BOX gives.

    Only the size of the squares matters, because distances are measured in it. UserError for a
    person without box.
    """
    missing = np.isnan(truth.box).any(axis=1)
    if missing.any():
        frame = truth.frame_file[truth.person_frame[np.argmax(missing)]]
        raise UserError(
            f"{frame}: a person of the ground truth has no box, expected one for everybody, by "
            "which the head size is estimated; use ground truth that has boxes"
        )
    return with_head_sizes(truth, HEAD_SIZE_PER_BOX * truth.box[:, 2:].max(axis=1, initial=0.0))


def frame_weights(truth: Annotations) -> Array:
    """Return the weight of each frame [F]: 1 + 2 * Crowd Index + number of anomalous actions.

    The form of the sum is a choice of this project; the paper's formula could not be read.
    """
    crowded = CROWD_COEFFICIENT * crowd_index(truth)
    return 1.0 + crowded + ACTION_COEFFICIENT * anomalous_actions(truth)


def anomalous_actions(truth: Annotations) -> Array:
    """Return the number of classes of anomalous action in each frame [F] int64."""
    frame = truth.person_frame
    actions = np.array(truth.action)
    counts = [np.bincount(frame[actions == a], minlength=truth.frames) for a in ANOMALOUS_ACTIONS]
    number: Array = np.minimum(counts, 1).sum(axis=0)
    return number


def _blocks(video: ScoredVideo) -> Iterator[ScoredVideo]:
    """Yield the video in pieces of some frames; at least one, which may be empty."""
    for first in range(0, max(len(video.frame_index), 1), _FRAMES_AT_ONCE):
        frames = video.frame_index[first : first + _FRAMES_AT_ONCE]
        chosen = (
            people.keep((people.frame >= first) & (people.frame < first + _FRAMES_AT_ONCE))
            for people in (video.truth, video.predictions)
        )
        ours, theirs = (replace(people, frame=people.frame - first) for people in chosen)
        yield ScoredVideo(video.name, frames, ours, theirs)


def _scores(statistics: list[dict[str, Statistics]]) -> Scores:
    """Return the mean over the thresholds of the scores pooled over the videos."""
    scores = [average_precision(combine(part.values())) for part in statistics]
    columns = zip(*(vars(score).values() for score in scores), strict=True)
    return Scores(*(np.mean(column, axis=0) for column in columns))


def _at_thresholds(statistics: list[dict[str, Statistics]]) -> Content:
    return {
        str(threshold): entries(_scores([part]).ap, COLUMNS)
        for threshold, part in zip(THRESHOLDS, statistics, strict=True)
    }
