"""Intervals of OKS AP and AR from resampling the videos; people are matched only once.

A resample counts every detection and every person as often as its video was drawn. Curves follow
xtcocotools: detections by falling score with a stable sort, precision made monotone and read at 101
recalls. Areas are not told apart: medium and large have no interval.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from tqdm import tqdm

from tdmi.evaluation.statistics import significance

NAMES = ("ap", "ap_50", "ap_75", "ar", "ar_50", "ar_75")
_AT_50, _AT_75 = 0, 5
"""Rows of these two among the ten thresholds."""


@dataclass
class Detections:
    """D judged detections, the best first, at T thresholds, and the people of V videos."""

    hit: np.ndarray
    """[T, D] bool, matched to a person to be found."""
    counted: np.ndarray
    """[T, D] bool, not matched to a person who is ignored."""
    video: np.ndarray
    """[D] int64."""
    people: np.ndarray
    """[V] int64, people to be found."""
    recalls: np.ndarray
    """[R] float64 at which precision is read."""


def detections_of(run, frame_video: np.ndarray, videos: int) -> Detections:
    """What a COCOeval has matched, over all areas; image k is of video `frame_video[k]`."""
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


def summary(found: Detections, weights: np.ndarray) -> np.ndarray:
    """NAMES [6] as fractions of 1 with every video counted `weights` [V] times; NaN of nobody."""
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


def interval(found: Detections, resamples: int, seed: int, quiet: bool = True) -> dict:
    """Content of ``interval`` in ``metrics.json``; null where a number is undefined."""
    videos = len(found.people)
    random = np.random.Generator(np.random.PCG64(seed))
    drawn = significance.draw_videos(videos, resamples, random)
    drawn = tqdm(drawn, desc="resampling", unit="draw", disable=quiet or None)
    replicates = np.array([summary(found, weights) for weights in drawn])
    ends = {
        name: significance.interval_ends(column, videos)
        for name, column in zip(NAMES, replicates.T, strict=True)
    }
    return significance.about_interval(resamples, videos, seed) | {"oks": ends}
