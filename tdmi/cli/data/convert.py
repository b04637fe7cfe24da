"""Write label files or predictions of any known form in one of PoseTrack's.

The input may be labels of PoseTrack2017 (JSON, MATLAB), 2018 or 21, merged labels as mmpose, HRNet
and DCPose keep them, COCO keypoints, HiEve labels in any of their forms, boxes of a person
detector, or keypoint results of COCO or AlphaPose. The form is recognised by the content of each
file.
"""

from __future__ import annotations

import argparse
from pathlib import Path

FORMS = ("posetrack17", "posetrack17-mat", "posetrack18")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--from",
        dest="source",
        type=Path,
        required=True,
        metavar="FILE_OR_FOLDER",
        help="a label file, or a folder of label files or of HiEve's XML folders",
    )
    parser.add_argument("--to", dest="form", choices=FORMS, required=True)
    parser.add_argument(
        "--out", type=Path, required=True, metavar="FOLDER", help="new or empty folder"
    )
    parser.add_argument(
        "--labels",
        type=Path,
        metavar="FILE_OR_FOLDER",
        help="for a detector's boxes and keypoint results: labels of their frames",
    )


def run(args: argparse.Namespace) -> None:
    from tdmi.formats.recognition import convert_files

    annotations, notes = convert_files(args.source, args.form, args.out, args.labels)
    for note in notes:
        print(note)
    print(
        f"{args.out}: {len(annotations.video_names)} videos, {annotations.frames} frames, "
        f"{annotations.persons} persons as {args.form}"
    )
