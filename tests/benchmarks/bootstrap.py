"""Time resampling at PoseTrack18's size; a table in Markdown on standard output.

    python tests/benchmarks/bootstrap.py [--resamples 1000] [--repeat 3]

The input is that of `synthetic_validation`. What is timed begins after matching: it is what
`tdmi evaluate --bootstrap`, `--slices` and `tdmi compare` add to the evaluation itself.
"""

from __future__ import annotations

import argparse
import os
import platform

import numpy as np
from synthetic_validation import generate
from timing import shortest

from tdmi.data.annotations import on_skeleton
from tdmi.data.skeletons import POSETRACK17
from tdmi.evaluation.analysis import slices
from tdmi.evaluation.analysis.derived_attributes import derived_attributes
from tdmi.evaluation.matching.assignment import match_video
from tdmi.evaluation.matching.scored_videos import scored_videos
from tdmi.evaluation.protocols.poseval import video_statistics
from tdmi.evaluation.statistics.bootstrap import bootstrap
from tdmi.evaluation.statistics.significance import difference


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--resamples", type=int, default=1000)
    parser.add_argument("--repeat", type=int, default=3)
    args = parser.parse_args()
    truth, predictions = (on_skeleton(side, POSETRACK17) for side in generate())
    statistics, owned, attributes = [], [], derived_attributes(truth)
    for video in scored_videos(truth, predictions):
        matches = match_video(video)
        statistics.append(video_statistics(video, matches))
        owned.append(slices.own(video, matches, statistics[-1], truth, attributes))
    joints = sum(len(part.score) for part in statistics)
    print(
        f"{len(statistics)} videos, {truth.persons} annotated and {predictions.persons} predicted "
        f"people, {joints} judged joints; {args.resamples} resamples; "
        f"Python {platform.python_version()}, NumPy {np.__version__}, {os.cpu_count()} processors\n"
    )
    print("| work | seconds | of processor |\n|---|---:|---:|", flush=True)
    for name, call in {
        "interval": lambda: bootstrap(statistics, args.resamples, 0),
        "slices": lambda: slices.metrics(slices.pool(owned)),
        "comparison of two runs": lambda: difference([statistics], [statistics], args.resamples, 0),
    }.items():
        wall, processor = shortest(call, args.repeat)
        print(f"| {name} | {wall:.1f} | {processor:.1f} |", flush=True)


if __name__ == "__main__":
    main()
