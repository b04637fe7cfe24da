"""HiEve (Human in Events): its files in all their forms, its splits and submissions."""

from tdmi.formats.hieve.labels import (
    TEST_VIDEOS,
    TRAIN_VIDEOS,
    VALIDATION_VIDEOS,
    read_folder,
    read_labels,
)
from tdmi.formats.hieve.submission import write_submission

__all__ = (
    "TEST_VIDEOS", "TRAIN_VIDEOS", "VALIDATION_VIDEOS", "read_folder", "read_labels",
    "write_submission",
)  # fmt: skip
