"""HiEve (Human in Events): its files in all their forms and its splits."""

from tdmi.formats.hieve.labels import (
    TEST_VIDEOS,
    TRAIN_VIDEOS,
    VALIDATION_VIDEOS,
    read_folder,
    read_labels,
)

__all__ = ("TEST_VIDEOS", "TRAIN_VIDEOS", "VALIDATION_VIDEOS", "read_folder", "read_labels")
