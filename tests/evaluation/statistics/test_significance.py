"""Resampled AP against the plain one, intervals and tests against what mathematics demands."""

from dataclasses import replace

import numpy as np
import pytest
from scipy.stats import norm, t

from tdmi.evaluation.protocols import posetrack21
from tdmi.evaluation.protocols.poseval import Statistics, average_precision, combine
from tdmi.evaluation.statistics.bootstrap import RankedVideos, bootstrap, draw_videos
from tdmi.evaluation.statistics.interval import interval
from tdmi.evaluation.statistics.significance import difference

JOINTS = 3


def video(hits: list, scores: list, annotated: int, joint: int = 0) -> Statistics:
    """One of JOINTS joints predicted and annotated; the others are neither."""
    return Statistics(
        joint=np.full(len(hits), joint, dtype=np.int8),
        score=np.array(scores, dtype=float),
        hit=np.array(hits, dtype=bool),
        annotated=np.where(np.arange(JOINTS) == joint, annotated, 0),
        frames=1,
        truth_persons=annotated,
        predicted_persons=len(hits),
    )


def random_videos(seed: int, count: int, tied: bool = False) -> list[Statistics]:
    random = np.random.default_rng(seed)
    videos = []
    for predicted in random.integers(0, 40, count):
        joint = random.integers(0, JOINTS, predicted).astype(np.int8)
        hit = random.random(predicted) < random.random()
        score = random.random(predicted) + 0.5 * hit
        videos.append(
            Statistics(
                joint=joint,
                score=np.round(score, 1) if tied else score,
                hit=hit,
                annotated=np.bincount(joint[hit], minlength=JOINTS) + random.integers(0, 5, JOINTS),
                frames=1,
                truth_persons=7,
                predicted_persons=int(predicted),
            )
        )
    return videos


def plain(videos: list[Statistics]) -> np.ndarray:
    return average_precision(combine(videos)).ap


def repeated(videos: list[Statistics], weights: np.ndarray) -> list[Statistics]:
    return [v for v, weight in zip(videos, weights, strict=True) for _ in range(weight)]


def equal(found: np.ndarray, expected: np.ndarray) -> None:
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-12)


@pytest.mark.parametrize("seed", range(5))
def test_the_videos_as_they_are_have_the_pooled_ap(seed):
    videos = random_videos(seed, 20)
    equal(RankedVideos(videos).average_precision(np.ones((1, 20)))[0], plain(videos))


def test_weights_are_physically_repeated_videos():
    videos = random_videos(0, 9)
    weights = draw_videos(9, 200, np.random.default_rng(1))
    found = RankedVideos(videos).average_precision(weights)
    for row, ap in zip(weights, found, strict=True):
        equal(ap, plain(repeated(videos, row)))


def test_more_runs_and_weightings_than_one_block_holds():
    videos = random_videos(2, 150)
    weights = draw_videos(150, 1003, np.random.default_rng(3))
    found = RankedVideos(videos).average_precision(weights)
    for row in (0, 999, 1000, 1002):
        equal(found[row], plain(repeated(videos, weights[row])))


def test_equal_scores_keep_the_order_of_the_plain_computation():
    videos = random_videos(4, 30, tied=True)
    weights = np.random.default_rng(5).integers(1, 4, (50, 30))
    pooled = combine(videos)
    owner = np.repeat(np.arange(30), [len(v.score) for v in videos])
    found = RankedVideos(videos).average_precision(weights)
    for row, ap in zip(weights, found, strict=True):
        annotated = row @ np.array([v.annotated for v in videos])
        weighted = replace(pooled, weight=row[owner].astype(float), annotated=annotated)
        equal(ap, average_precision(weighted).ap)


def test_two_videos_by_hand():
    # The first hits both of its people, the second misses one of two and ranks a miss on top.
    videos = [video([1, 1], [0.8, 0.6], 2), video([0, 1], [0.9, 0.7], 2)]
    ranked = RankedVideos(videos)
    # Ranking: miss (second), hit (first), hit (second), hit (first); 4 people.
    expected = {(1, 1): 3 / 4 * 3 / 4, (1, 0): 1, (0, 1): 1 / 2 * 1 / 2, (3, 1): 7 / 8 * 7 / 8}
    found = ranked.average_precision(np.array(list(expected)))
    equal(found[:, 0], 100 * np.array(list(expected.values())))


def test_joints_that_a_resample_lacks_are_as_in_the_plain_computation():
    # Joint 0 predicted and annotated, joint 1 predicted in a video where nobody has it.
    videos = [video([1, 0], [0.9, 0.2], 3), video([0], [0.5], 0, joint=1)]
    weights = np.array([[1, 1], [2, 0], [0, 2]])
    found = RankedVideos(videos).average_precision(weights)
    for row, ap in zip(weights, found, strict=True):
        equal(ap, plain(repeated(videos, row)))
    assert np.isnan(found[0, 1]) and found[1, 1] == 0 and np.isnan(found[2, 1])


def test_never_annotated_joints_by_the_rules_of_posetrack21():
    videos = [video([1, 0], [0.9, 0.2], 3), video([0], [0.5], 0, joint=1)]
    found = RankedVideos(videos, never_annotated=0.0).average_precision(np.ones((1, 2)))
    equal(found[0], posetrack21.average_precision(combine(videos)).ap)


def test_videos_without_any_prediction():
    videos = [video([], [], 2), video([], [], 1)]
    equal(RankedVideos(videos).average_precision(np.ones((2, 2))), np.zeros((2, JOINTS + 1)))


def test_every_draw_has_as_many_videos():
    weights = draw_videos(7, 5000, np.random.default_rng(0))
    assert (weights.sum(axis=1) == 7).all()
    np.testing.assert_allclose(weights.mean(axis=0), 1, atol=0.05)
    np.testing.assert_allclose(weights.var(axis=0), 6 / 7, atol=0.05)


def test_the_seed_decides_the_resamples():
    videos = random_videos(6, 12)
    first, again, other = (bootstrap(videos, 50, seed) for seed in (1, 1, 2))
    np.testing.assert_array_equal(first, again)
    assert (first != other).any()


def test_copies_of_one_video_leave_no_doubt():
    replicates = bootstrap(random_videos(7, 1) * 8, 50, 0)
    low, high = interval(replicates, 8)
    equal(high, low)
    equal(low, plain(random_videos(7, 1)))


def test_ends_are_expanded_percentiles():
    replicates = np.arange(100_001.0)
    for videos in (3, 6, 50):
        z = t.ppf(0.975, videos - 1) * np.sqrt(videos / (videos - 1))
        np.testing.assert_allclose(interval(replicates, videos)[1], 1e5 * norm.cdf(z))
    # Student's quantile at 5 degrees of freedom is 2.5706; 2.5706 * sqrt(6 / 5) = 2.8159.
    np.testing.assert_allclose(interval(replicates, 6)[0], 1e5 * norm.cdf(-2.8159), rtol=1e-3)
    np.testing.assert_allclose(interval(replicates, 10**6), [2500, 97500], rtol=1e-3)


def test_one_video_says_nothing_of_others():
    assert np.isnan(interval(np.ones((10, 4)), 1)).all()


def simulated(random: np.random.Generator, videos: int, rate: float) -> list[Statistics]:
    """Videos of 20 people, each with its own chance of a hit; all hits rank before all misses.

    Precision is then 1 up to the last hit, so AP is the share of hits, `rate` on average.
    """
    chance = random.beta(4 * rate, 4 * (1 - rate), videos)
    found = []
    for hit in random.random((videos, 20)) < chance[:, None]:
        found.append(video(hit, hit + random.random(20), 20))
    return found


def test_intervals_hold_the_truth_as_often_as_they_say():
    random = np.random.default_rng(8)
    held = []
    for _ in range(200):
        low, high = interval(bootstrap(simulated(random, 12, 0.6), 300, 0)[:, 0], 12)
        held.append(low <= 60 <= high)
    assert abs(np.mean(held) - 0.95) <= 3 * np.sqrt(0.05 * 0.95 / 200)


def test_equal_methods_are_told_apart_no_oftener_than_the_level_says():
    random = np.random.default_rng(9)
    p = [
        difference([simulated(random, 7, 0.6)], [simulated(random, 7, 0.6)], 128, 0).p_value
        for _ in range(200)
    ]
    assert np.mean(np.array(p) <= 0.05) <= 0.05 + 3 * np.sqrt(0.05 * 0.95 / 200)
    assert 0.4 <= np.mean(p) <= 0.6


def test_a_real_difference_is_found():
    random = np.random.default_rng(10)
    found = difference([simulated(random, 40, 0.7)], [simulated(random, 40, 0.4)], 400, 0)
    low, high = interval(found.replicates[:, 0], 40)
    assert found.p_value == 1 / 401 and low > 0 and low < 30 < high


def test_a_method_does_not_differ_from_itself():
    videos = random_videos(11, 12)
    found = difference([videos], [videos], 200, 0)
    assert (found.estimate == 0).all() and (found.replicates == 0).all()
    assert found.p_value == 1.0


def test_perfect_against_nothing_by_hand():
    right, wrong = video([1, 1], [0.9, 0.8], 2), video([0, 0], [0.9, 0.8], 2)
    a, b = [[right] * 3], [[wrong] * 3]
    found = difference(a, b, 1000, 0)
    assert found.estimate[0] == 100 and found.mixtures == 8
    # Only no exchange at all and the exchange of everything differ by 100 points.
    assert found.p_value == 2 / 8
    assert found.replicates[:, 0].tolist() == [100] * 1000


def test_exchanging_the_methods_turns_the_sign_and_nothing_else():
    a, b = ([random_videos(seed, 6)] for seed in (12, 13))
    forth, back = difference(a, b, 64, 0), difference(b, a, 64, 0)
    np.testing.assert_array_equal(forth.estimate, -back.estimate)
    np.testing.assert_array_equal(forth.replicates, -back.replicates)
    assert forth.p_value == back.p_value and forth.mixtures == 64


def test_only_the_ranking_of_each_method_counts():
    a, b = ([random_videos(seed, 10)] for seed in (14, 15))
    squeezed = [[replace(v, score=-5 + 0.01 * v.score**3) for v in b[0]]]
    plain_scores, other = difference(a, b, 100, 0), difference(a, squeezed, 100, 0)
    equal(plain_scores.replicates, other.replicates)
    assert plain_scores.p_value == other.p_value


def test_runs_count_by_their_mean():
    runs = [random_videos(seed, 10) for seed in (16, 17, 18)]
    found = difference(runs[:2], runs[2:], 50, 0)
    equal(found.a, (plain(runs[0]) + plain(runs[1])) / 2)
    equal(found.b, plain(runs[2]))
    equal(found.estimate, found.a - found.b)


def test_drawn_runs_vary_as_the_mean_of_runs_does():
    # Without differences between videos only the runs vary: shares of hits .1, .4, .8 and .5, .6.
    def run(share: float) -> list[Statistics]:
        hits = np.arange(20) < 20 * share
        return [video(hits, -np.arange(20), 20)] * 4

    a, b = [run(0.1), run(0.4), run(0.8)], [run(0.5), run(0.6)]
    found = difference(a, b, 20_000, 0)
    variance = np.var([10, 40, 80], ddof=1) / 3 + np.var([50, 60], ddof=1) / 2
    np.testing.assert_allclose(found.replicates[:, 0].var(), variance, rtol=0.03)


def test_runs_of_unequal_number_are_all_paired():
    a, b = random_videos(19, 6), random_videos(20, 6)
    once, twice = difference([a], [b], 64, 0), difference([a, a], [b], 64, 0)
    assert once.p_value == twice.p_value
    equal(once.estimate, twice.estimate)
