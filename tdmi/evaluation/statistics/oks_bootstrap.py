"""Intervals of OKS AP and AR from resampling the videos; people are matched only once.

A resample counts every detection and every person as often as its video was drawn. Curves follow
xtcocotools: detections by falling score with a stable sort, precision made monotone and read at 101
recalls. All areas count together: medium and large have no interval.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from tqdm import tqdm

from tdmi.evaluation.arrays import Array
from tdmi.evaluation.output import Content
from tdmi.evaluation.statistics import interval as intervals
from tdmi.evaluation.statistics.bootstrap import draw_videos, generator

NAMES = ("ap", "ap_50", "ap_75", "ar", "ar_50", "ar_75")
_AT_50, _AT_75 = 0, 5
"""Rows of these two among the ten thresholds."""


@dataclass
class Detections:
    """D scored detections, the best first, at T thresholds, and the people of V videos."""

    hit: Array
    """[T, D] bool, matched to a person to be found."""
    counted: Array
    """[T, D] bool, not matched to a person who is ignored."""
    video: Array
    """[D] int64."""
    people: Array
    """[V] int64, people to be found."""
    recalls: Array
    """[R] float64 at which precision is read."""


def detections_of(run: Any, frame_video: Array, videos: int) -> Detections:
    """Return the matches of a COCOeval over all areas; image k is of video `frame_video[k]`."""
    # Area ranges follow one another, all areas first; None is an image with nobody on either side.
    images = [image for image in run.evalImgs[: len(frame_video)] if image is not None]
    owner = frame_video[np.array([image["image_id"] for image in images], dtype=np.int64)]
    score = np.concatenate([np.zeros(0), *(image["dtScores"] for image in images)])
    order = np.argsort(-score, kind="stable")
    none = np.zeros((len(run.params.iouThrs), 0))
    matched, ignored = (
        np.concatenate([none, *(image[name] for image in images)], axis=1)[:, order]
        for name in ("dtMatches", "dtIgnore")
    )
    counted = ~ignored.astype(bool)
    found = np.array([len(image["dtScores"]) for image in images], dtype=np.int64)
    people = [np.count_nonzero(np.equal(image["gtIgnore"], 0)) for image in images]
    return Detections(
        hit=(matched >= 0) & counted,
        counted=counted,
        video=np.repeat(owner, found)[order],
        people=np.bincount(owner, people, videos),
        recalls=run.params.recThrs,
    )


def summary(found: Detections, weights: Array) -> Array:
    """Return NAMES [6] as fractions of 1, each video counted `weights` [V] times; NaN of nobody."""
    people = weights @ found.people
    if not people:
        return np.full(len(NAMES), np.nan)
    weight = weights[found.video].astype(np.float64)
    hits = np.cumsum(weight * found.hit, axis=1)
    counted = np.cumsum(weight * found.counted, axis=1)
    recall = hits / people
    precision = hits / np.maximum(counted, 1)
    precision = np.maximum.accumulate(precision[:, ::-1], axis=1)[:, ::-1]
    # Behind the last detection precision is 0.
    precision = np.pad(precision, ((0, 0), (0, 1)))
    read = [np.searchsorted(row, found.recalls, side="left") for row in recall]
    ap = np.take_along_axis(precision, np.array(read), axis=1).mean(axis=1)
    ar = recall[:, -1] if recall.shape[1] else np.zeros(len(recall))
    return np.array([x for row in (ap, ar) for x in (row.mean(), row[_AT_50], row[_AT_75])])


def interval(found: Detections, resamples: int, seed: int, quiet: bool = True) -> Content:
    """Return ``interval`` of ``metrics.json``; None where a number is undefined."""
    videos = len(found.people)
    drawn = draw_videos(videos, resamples, generator(seed))
    draws = tqdm(drawn, desc="resampling", unit="draw", disable=quiet or None)
    replicates = np.array([summary(found, weights) for weights in draws])
    ends = {
        name: intervals.ends(column, videos)
        for name, column in zip(NAMES, replicates.T, strict=True)
    }
    return intervals.about(resamples, videos, seed) | {"oks": ends}
