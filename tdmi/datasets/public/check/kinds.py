"""The kinds of findings: how serious each is, what it says and how to mend it.

An error is what makes results wrong or stops the work. What real labels are known or likely to
hold (joints outside the picture, persons without a head box) is a warning or a note, because the
user cannot mend it and training and evaluation are written for it.
"""

from __future__ import annotations

from typing import NamedTuple

SEVERITIES = ("error", "warning", "note")


class Kind(NamedTuple):
    severity: str
    text: str
    cure: str


_EXTRACT = "extract the image archive again; if it is missing there too, fetch the archive again"
_RELABEL = "restore this label file from the label archive"
_LEAVE = "nothing to do if the labels are the published ones"

KINDS = {
    # Label files
    "labels-unreadable": Kind("error", "label files cannot be read", _RELABEL),
    "labels-empty": Kind("error", "label files list no frame", _RELABEL),
    "release-contradiction": Kind(
        "error",
        "label release differs from the one that the download's record states",
        "replace the label folder by that of one release",
    ),
    "split-without-labels": Kind(
        "note",
        "splits without label files",
        "place the labels there if you want to use the split",
    ),
    "subset": Kind(
        "note",
        "splits hold only a part of the published set",
        "fine for trying things out; results are not comparable with published ones",
    ),
    "more-than-published": Kind(
        "warning", "splits hold more videos than published", "look for videos of another data set"
    ),
    "differs-from-published": Kind(
        "warning",
        "counts of complete splits differ from confirmed published ones",
        "check that all label files are of one release",
    ),
    "differs-from-recalled": Kind(
        "note",
        "counts of complete splits differ from published ones that could not be confirmed",
        _LEAVE,
    ),
    # Images
    "video-without-images": Kind(
        "error",
        "videos that labels name have no image folder",
        "extract all parts of the image archive, and see that labels and images are of one release",
    ),
    "frames-not-extracted": Kind(
        "warning",
        "videos are there as films whose frames are not extracted",
        "run `tdmi data prepare` for this data set",
    ),
    "image-missing": Kind("error", "images that labels name are missing", _EXTRACT),
    "image-unreadable": Kind("error", "images cannot be read", _EXTRACT),
    "image-truncated": Kind("error", "images end too early", _EXTRACT),
    "image-size": Kind(
        "error",
        "images have another size than their labels state",
        "use the original images: coordinates of these labels do not fit resized ones",
    ),
    "image-size-varies": Kind(
        "warning", "images have another size than the rest of their video", _EXTRACT
    ),
    "image-extra": Kind(
        "warning",
        "images in folders of labelled videos are in no label file",
        "look for files from elsewhere, or labels of another release",
    ),
    "folder-without-labels": Kind(
        "note", "image folders have no labels", "normal for test videos and unlabelled ones"
    ),
    # Frames
    "frames-out-of-order": Kind(
        "error", "frames are listed after a frame with the same or a higher number", _RELABEL
    ),
    "video-length": Kind(
        "error",
        "videos have another number of frames than their labels state",
        "extract the image archive again and restore the label file",
    ),
    "folder-labelled-twice": Kind(
        "error",
        "label files name the image folder of a label file before",
        "keep the label files of one release only, once",
    ),
    # People
    "number-not-finite": Kind("error", "persons with a joint or box that is not finite", _RELABEL),
    "swapped-left-right": Kind(
        "warning",
        "places where left and right change over, in videos where it happens beyond chance",
        "look at these frames: the sides may be swapped, or the person turns very fast",
    ),
    "duplicate-track": Kind(
        "warning", "persons with the track id of another person in the same frame", _LEAVE
    ),
    "joint-unknown": Kind(
        "warning", "joints with a name or id that the data set does not have, ignored", _LEAVE
    ),
    "other-joint-set": Kind(
        "error", "label files with the joints of another data set", _RELABEL
    ),
    "joint-far-outside": Kind(
        "warning", "joints more than 100 pixels outside the picture", _LEAVE
    ),
    "joint-outside": Kind("note", "joints up to 100 pixels outside the picture", _LEAVE),
    "head-box-missing": Kind(
        "warning", "persons with joints but no head box, hence no head size", _LEAVE
    ),
    "box-useless": Kind(
        "warning", "boxes without area, or person boxes wholly outside the picture", _LEAVE
    ),
    "box-outside": Kind("note", "boxes that leave the picture", _LEAVE),
    "person-without-joints": Kind("note", "persons without any joint", _LEAVE),
}  # fmt: skip
