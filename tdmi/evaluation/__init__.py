"""Evaluation: from two folders of files to metrics, by the rules of the official evaluators."""

VIDEO_PROTOCOLS = ("poseval", "posetrack21")
"""Protocols that match people once, so that every video has statistics of its own."""
PROTOCOLS = (*VIDEO_PROTOCOLS, "hieve", "oks")
