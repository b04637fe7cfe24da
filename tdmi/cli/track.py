"""Write confident predictions with track ids, for MOTA.

AP and MOTA want different sets. AP is best with every joint and box, however uncertain, because
scores rank them; MOTA counts every uncertain joint that misses as an error. So AP is evaluated on
the predictions as they are, and MOTA (`tdmi evaluate --tracking`) on the output of this command, as
in published results. `tdmi predict` writes both already.

Scores are read as `tdmi predict` writes them: a joint's is its heatmap maximum times the person's
score. Where persons have no score, the joints' own scores count.
"""

from __future__ import annotations

import argparse
from pathlib import Path


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--predictions",
        type=Path,
        required=True,
        metavar="FILE_OR_FOLDER",
        help="one prediction file per video, of any PoseTrack form",
    )
    parser.add_argument(
        "--out", type=Path, required=True, metavar="FOLDER", help="new or empty folder"
    )
    parser.add_argument(
        "--joint-confidence",
        type=_share,
        metavar="X",
        help="leave out joints whose heatmap maximum is lower (default 0.4)",
    )
    parser.add_argument(
        "--person-score",
        type=_share,
        metavar="X",
        help="leave out persons whose box has a lower score (default 0.5)",
    )


def run(args: argparse.Namespace) -> None:
    import numpy as np

    from tdmi.data.annotations import on_skeleton
    from tdmi.data.skeletons import POSETRACK17, POSETRACK18
    from tdmi.formats.files import new_folder
    from tdmi.formats.posetrack18 import write_folder
    from tdmi.formats.recognition import read_labels
    from tdmi.prediction.tracking import TrackingOptions, track

    given = {"joint_confidence": args.joint_confidence, "person_score": args.person_score}
    options = TrackingOptions(**{name: x for name, x in given.items() if x is not None})
    with new_folder(args.out) as folder:
        predictions = read_labels(args.predictions)
        if predictions.skeleton == POSETRACK17:
            predictions = on_skeleton(predictions, POSETRACK18)
        people = track(predictions, options)
        write_folder(people, folder)
    video = people.frame_video[people.person_frame]
    tracks = len(np.unique(np.stack([video, people.track_id]), axis=1).T)
    print(
        f"{args.out}: {len(people.video_names)} videos, {people.persons} of {predictions.persons} "
        f"persons in {tracks} tracks, {people.present.sum()} of {predictions.present.sum()} joints"
    )


def _share(text: str) -> float:
    value = float(text)
    if not 0 <= value <= 1:
        raise argparse.ArgumentTypeError(f"found {text}, expected a number from 0 to 1")
    return value
