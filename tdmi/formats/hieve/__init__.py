"""HiEve (Human in Events): its files in all their forms, its splits and submissions.

annolist     pose labels and predictions, one JSON file per video
boxes_text   boxes of track 1, one text file per video
frame_xml    labels of all tracks with actions, one XML file per frame
persons      a form with all videos in one file, made by users of the data set
labels       the pose labels of many videos from the released folders; the splits
submission   results for the challenge's server
"""

from tdmi.formats.hieve.labels import (
    TEST_VIDEOS,
    TRAIN_VIDEOS,
    VALIDATION_VIDEOS,
    read_folder,
    read_labels,
)
from tdmi.formats.hieve.submission import write_submission

__all__ = [
    "TEST_VIDEOS",
    "TRAIN_VIDEOS",
    "VALIDATION_VIDEOS",
    "read_folder",
    "read_labels",
    "write_submission",
]
