"""HiEve's videos by number, and the part of the training videos on which this project validates.

The data set has 19 training videos (1 to 19) with labels and 13 test videos (20 to 32) without:
their labels are on the challenge's server alone, and no validation split is published. This
project holds out every fourth training video by number, 4, 8, 12 and 16. Whole videos, so that no
person is on both sides; a fixed rule, so that nobody chose the videos by their results; and about
a fifth, so that 15 videos are left for training. It is a choice of this project: scores on it are
no test-set scores and compare only with others on the same four videos.
"""

from __future__ import annotations

VALIDATION_VIDEOS = ("4", "8", "12", "16")
TRAIN_VIDEOS = tuple(str(n) for n in range(1, 20) if str(n) not in VALIDATION_VIDEOS)
TEST_VIDEOS = tuple(str(n) for n in range(20, 33))
