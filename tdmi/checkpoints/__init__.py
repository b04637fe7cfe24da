"""Weights trained elsewhere, for this project's models: recognised, renamed, loaded strictly."""

from tdmi.checkpoints.families import (
    from_dcpose,
    from_fami_pose,
    from_hrnet,
    from_posewarper,
    from_simple_baseline,
)
from tdmi.checkpoints.heads import HEAD_MAPPINGS, HeadMapping
from tdmi.checkpoints.loading import Report, inspect_published, load_published
from tdmi.checkpoints.reading import read_published

__all__ = [
    "HEAD_MAPPINGS",
    "HeadMapping",
    "Report",
    "from_dcpose",
    "from_fami_pose",
    "from_hrnet",
    "from_posewarper",
    "from_simple_baseline",
    "inspect_published",
    "load_published",
    "read_published",
]
