"""Coverage of intervals and error rates of tests on simulated videos; tables in Markdown.

    python tests/benchmarks/interval_coverage.py [--cases 300]

The figures in the documentation of `tdmi.evaluation.statistics` come from here. A simulated video
has a number of people and a difficulty of its own; two methods share both and differ in what they
find of it. The true AP is that of very many videos.
"""

from __future__ import annotations

import argparse

import numpy as np
from scipy.stats import norm

from tdmi.evaluation.protocols.poseval import Statistics
from tdmi.evaluation.statistics.bootstrap import RankedVideos, draw_videos
from tdmi.evaluation.statistics.interval import LEVEL, interval
from tdmi.evaluation.statistics.significance import difference

RESAMPLES = 500
SCORES = {"same scores": lambda score: score, "b: half": lambda score: score / 2,
          "b: cube": lambda score: score**3}  # fmt: skip


def simulate(
    random: np.random.Generator, videos: int, better: float, scale=SCORES["same scores"]
) -> tuple[list[Statistics], list[Statistics]]:
    """Two methods on the same videos, one joint; the second is better by `better` in probits."""
    people = random.poisson(15 * random.gamma(2, 0.5, videos)) + 3
    video = np.repeat(np.arange(videos), people)
    easy = 0.5 + random.normal(0, 0.8, videos)[video] + random.normal(0, 0.7, len(video))
    confident = random.normal(0, 0.5, videos)[video]
    methods = []
    for advantage, scaled in ((0.0, SCORES["same scores"]), (better, scale)):
        own = random.normal(0, 0.5, videos)[video] + random.normal(0, 0.5, len(video))
        quality = easy + own + advantage
        hit = random.normal(0, 1, len(video)) < quality
        logit = quality + confident + random.normal(0, 1, len(video))
        score = scaled(1 / (1 + np.exp(-logit)))
        methods.append(
            [
                Statistics(
                    joint=np.zeros(len(rows), dtype=np.int8),
                    score=score[rows],
                    hit=hit[rows],
                    annotated=np.array([len(rows)]),
                    frames=1,
                    truth_persons=len(rows),
                    predicted_persons=len(rows),
                )
                for rows in np.split(np.arange(len(video)), np.cumsum(people)[:-1])
            ]
        )
    return methods[0], methods[1]


def percentiles(replicates: np.ndarray) -> np.ndarray:
    return np.quantile(replicates, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])


def accelerated(estimate: float, replicates: np.ndarray, left_out: np.ndarray) -> np.ndarray:
    """BCa ends (Efron 1987); `left_out` [V] are the values without each of the videos."""
    below = np.mean(replicates < estimate) + np.mean(replicates == estimate) / 2
    bias = norm.ppf(np.clip(below, 1 / (RESAMPLES + 1), RESAMPLES / (RESAMPLES + 1)))
    influence = left_out.mean() - left_out
    acceleration = (influence**3).sum() / (6 * (influence**2).sum() ** 1.5)
    z = bias + norm.ppf([(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return np.quantile(replicates, norm.cdf(bias + z / (1 - acceleration * z)))


def coverage(cases: int) -> None:
    random = np.random.default_rng(0)
    many = np.array(
        [
            [RankedVideos(side).average_precision(np.ones((1, 3000)))[0, 0] for side in pair]
            for pair in (simulate(random, 3000, 0.4) for _ in range(20))
        ]
    ).mean(axis=0)
    truths = (many[0], many[0] - many[1])
    print("\n| videos | of | expanded percentiles | plain percentiles | BCa |")
    print("|---:|---|---:|---:|---:|")
    for videos in (6, 12, 30, 100):
        held = np.zeros((2, 3))
        for _ in range(cases):
            weights = np.ones((1 + videos + RESAMPLES, videos), dtype=np.int64)
            weights[1 : videos + 1] -= np.eye(videos, dtype=np.int64)
            weights[videos + 1 :] = draw_videos(videos, RESAMPLES, random)
            a, b = (
                RankedVideos(side).average_precision(weights)[:, 0]
                for side in simulate(random, videos, 0.4)
            )
            for row, (truth, ap) in enumerate(zip(truths, (a, a - b), strict=True)):
                replicates = ap[videos + 1 :]
                ends = (
                    interval(replicates, videos),
                    percentiles(replicates),
                    accelerated(ap[0], replicates, ap[1 : videos + 1]),
                )
                held[row] += [low <= truth <= high for low, high in ends]
        for what, row in zip(("AP", "difference"), held / cases, strict=True):
            print(
                f"| {videos} | {what} | " + " | ".join(f"{x:.1%}" for x in row) + " |", flush=True
            )


def errors(cases: int) -> None:
    random = np.random.default_rng(1)
    print("\n| videos | difference | scores | permutation p <= 0.05 | bootstrap p <= 0.05 |")
    print("|---:|---|---|---:|---:|")
    for videos in (6, 12, 40):
        for better in (0.0, 0.4):
            for name, scale in SCORES.items():
                found = np.zeros(2)
                for _ in range(cases):
                    a, b = simulate(random, videos, better, scale)
                    result = difference([a], [b], 200, 0)
                    beyond = (
                        np.sum(result.replicates[:, 0] <= 0),
                        np.sum(result.replicates[:, 0] >= 0),
                    )
                    found += result.p_value <= 0.05, 2 * (1 + min(beyond)) / 201 <= 0.05
                shares = " | ".join(f"{x:.1%}" for x in found / cases)
                kind = "real" if better else "none"
                print(f"| {videos} | {kind} | {name} | {shares} |", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--cases", type=int, default=300)
    args = parser.parse_args()
    coverage(args.cases)
    errors(args.cases)


if __name__ == "__main__":
    main()
