"""Intervals of OKS AP and AR against xtcocotools on the files that a resample stands for."""

from dataclasses import replace

import numpy as np
import pytest

from tdmi.data.annotations import Annotations, concatenate
from tdmi.evaluation.protocols import oks
from tdmi.evaluation.statistics import oks_bootstrap
from tests.support.golden_evaluation import cases, oks_sides

OKS = cases("oks")
ALL_WEIGHTS = ([1, 1, 1], [3, 0, 0], [0, 2, 1], [1, 0, 2])


def videos(names: dict[str, str]) -> tuple[Annotations, Annotations]:
    """Golden cases as the videos of one data set: name of the video -> case."""
    parts = [
        [replace(side, video_names=[video]) for side in oks_sides(OKS[case])]
        for video, case in names.items()
    ]
    return tuple(concatenate(sides) for sides in zip(*parts, strict=True))


def detections(truth: Annotations, predictions: Annotations) -> oks_bootstrap.Detections:
    run = oks.matched(truth, predictions)
    frames, _ = oks.scored_frames(truth, predictions)
    return oks_bootstrap.detections_of(run, truth.frame_video[frames], len(truth.video_names))


def official(truth: Annotations, predictions: Annotations) -> np.ndarray:
    summary = oks.metrics(truth, predictions)["oks"]
    return np.array([summary[name] for name in oks_bootstrap.NAMES], dtype=float)


@pytest.mark.parametrize("name", OKS)
def test_one_video_counted_once_is_the_official_summary(name):
    sides = oks_sides(OKS[name])
    ours = oks_bootstrap.summary(detections(*sides), np.array([1]))
    np.testing.assert_allclose(ours, official(*sides), rtol=0, atol=1e-9)


@pytest.mark.parametrize("weights", ALL_WEIGHTS)
def test_weights_count_like_copies_of_the_videos(weights):
    chosen = ("small_random", "empty_images", "missing_area_key")
    found = detections(*videos(dict(zip("abc", chosen, strict=True))))
    copies = {
        f"{letter}{copy}": case
        for letter, case, count in zip("abc", chosen, weights, strict=True)
        for copy in range(count)
    }
    ours = oks_bootstrap.summary(found, np.array(weights))
    np.testing.assert_allclose(ours, official(*videos(copies)), rtol=0, atol=1e-9)


def test_equal_videos_have_an_interval_without_width():
    content = oks.metrics(*videos({"a": "small_random", "b": "small_random"}), resamples=20, seed=3)
    interval = content["interval"]
    assert (interval["videos"], interval["resamples"], interval["seed"]) == (2, 20, 3)
    # Copies share their scores, so only what does not depend on the order of equals is certain.
    assert interval["oks"]["ar"] == pytest.approx([content["oks"]["ar"]] * 2)


def test_one_video_and_nobody_have_no_interval():
    for case in ("small_random", "no_ground_truth"):
        content = oks.metrics(*oks_sides(OKS[case]), resamples=5)
        assert set(content["interval"]["oks"].values()) == {None}
