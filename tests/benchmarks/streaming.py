"""Key frames per second of streaming and of exact prediction, and what streaming costs in accuracy.

    python tests/benchmarks/streaming.py [--frames 24] [--exact 8] [--batch 8]
    python tests/benchmarks/streaming.py --run runs/embedded/tdmi/seed0

The first form times TDMI at paper scale (HRNet-W48, 384x288, five frames, no flip average) on one
thread, for one person who walks through a video of which every frame is a key frame; in processor
time. Bar: streaming predicts at least 3.5 times as many key frames per second. (The suites predict
32 windows at a time, which takes long here; one at a time is a little worse, 3.47 instead of 3.57,
for streaming then computes single frames, which convolutions are slower for.)

The second form predicts the validation split of a trained run both ways: the labelled frames, and
also with all frames between them as key frames (boxes interpolated), where most is shared; AP is
that of the labelled frames. Bar: at most 0.5 AP lost.
"""

from __future__ import annotations

import argparse
import time
from dataclasses import replace
from pathlib import Path

import numpy as np

from tdmi.checkpoints.own import load_checkpoint
from tdmi.clips.samples import Windows
from tdmi.config.inference import Inference
from tdmi.config.inputs import Crop
from tdmi.config.settings import Settings
from tdmi.config.suites import load_suite
from tdmi.core.process import use_threads
from tdmi.data.annotations import UNSCORED, Annotations, on_skeleton, select_persons
from tdmi.data.skeletons import POSETRACK17, POSETRACK18
from tdmi.evaluation.protocols.poseval import total_ap
from tdmi.experiments.build import build_method, read_split, split_windows
from tdmi.prediction.predict import Boxes, ground_truth_boxes, predict


class Noise:
    """Frames of a video, made up as they are asked for."""

    def read(self, file: str, reduction: int = 1) -> np.ndarray:
        return np.random.default_rng(int(file)).integers(0, 255, (720, 1280, 3), np.uint8)


def video(frames: int) -> Annotations:
    none = {"dtype": np.int64}
    return Annotations(
        skeleton=POSETRACK18,
        video_names=["000000_mpii_test"],
        frame_video=np.zeros(frames, **none),
        frame_index=np.arange(frames),
        frame_file=[str(i) for i in range(frames)],
        frame_id=np.arange(frames),
        frame_number=np.arange(frames),
        frame_labelled=np.ones(frames, bool),
        frame_annotated=np.ones(frames, bool),
        ignore_regions=[[] for _ in range(frames)],
        person_frame=np.zeros(0, **none),
        track_id=np.zeros(0, **none),
        keypoints=np.zeros((0, 17, 2)),
        present=np.zeros((0, 17), bool),
        visible=np.zeros((0, 17), bool),
        joint_score=np.full((0, 17), UNSCORED),
        box=np.zeros((0, 4)),
        head_box=np.zeros((0, 4)),
        score=np.zeros(0),
    )


def speed(frames: int, exact: int, batch: int) -> None:
    settings = load_suite("posetrack18").settings("tdmi", 0)
    method = build_method(settings)
    windows = Windows(video(frames), Noise(), method.window, Crop((384, 288), 3.0))
    walk = np.array([[200.0 + 5.3 * i, 150.0, 170.0 + 0.4 * i, 400.0] for i in range(frames)])

    def seconds(rows: np.ndarray, streaming: bool) -> float:
        options = Inference(flip=False, batch_size=batch, streaming=streaming)
        boxes = Boxes(rows, walk[rows], np.ones(len(rows)))
        begin = time.process_time()
        predict(method, windows, boxes, options)
        return (time.process_time() - begin) / len(rows)

    # Twice each, in turns: from the middle of the video, where no window meets an end.
    middle = np.arange(frames // 2, frames // 2 + exact)
    times = {False: [], True: []}
    for _ in range(2):
        times[False].append(seconds(middle, False))
        times[True].append(seconds(np.arange(frames), True))
    one, other = min(times[False]), min(times[True])
    print(f"TDMI at paper scale, {frames} key frames, batches of {batch}, one thread")
    print(f"exact     {one:.2f} s a key frame")
    print(f"streaming {other:.2f} s a key frame, {one / other:.2f} times as many a second")


def in_between(annotations: Annotations) -> Boxes:
    """A box for each frame from a person's first labelled one to the last, interpolated."""
    own = ground_truth_boxes(annotations)
    rows = np.flatnonzero(
        (annotations.box[:, 2:] > 0).all(axis=1) & annotations.present.any(axis=1)
    )
    place = {
        key: row
        for row, key in enumerate(
            zip(annotations.frame_video.tolist(), annotations.frame_number.tolist(), strict=True)
        )
    }
    tracks: dict[tuple[int, int], list[int]] = {}
    for i, row in enumerate(rows):
        track = int(annotations.frame_video[own.frame[i]]), int(annotations.track_id[row])
        tracks.setdefault(track, []).append(i)
    frames, boxes = [], []
    for (v, _), members in tracks.items():
        numbers = annotations.frame_number[own.frame[members]]
        for number in range(numbers[0], numbers[-1] + 1):
            frames.append(place[v, number])
            boxes.append([np.interp(number, numbers, own.box[members, k]) for k in range(4)])
    order = np.argsort(frames, kind="stable")
    return Boxes(np.array(frames)[order], np.array(boxes)[order], np.ones(len(frames)))


def accuracy(run: Path) -> None:
    settings = Settings.read(run / "config.yaml")
    method = build_method(settings)
    method.load_state_dict(load_checkpoint(run / "checkpoint.pt"))
    truth = read_split(settings, "validation")
    windows = split_windows(settings, truth, method.window)
    options = settings.inference
    print("| key frames | boxes | exact | streaming | streaming, bf16 |\n|---|---|---|---|---|")
    for name, boxes in (("labelled", ground_truth_boxes(truth)), ("all", in_between(truth))):
        scores = []
        for changes in ({}, {"streaming": True}, {"streaming": True, "precision": "bf16"}):
            found = predict(method, windows, boxes, replace(options, **changes))
            found = select_persons(found, truth.frame_labelled[found.person_frame])
            sides = (on_skeleton(a, POSETRACK17) for a in (truth, found))
            scores.append(f"{total_ap(*sides):.2f}")
        print(f"| {name} | {len(boxes.frame)} | {' | '.join(scores)} |", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--frames", type=int, default=24)
    parser.add_argument("--exact", type=int, default=8)
    parser.add_argument("--batch", type=int, default=8, help="windows at a time (8)")
    parser.add_argument("--run", type=Path)
    args = parser.parse_args()
    use_threads(1)
    if args.run:
        accuracy(args.run)
    else:
        speed(args.frames, args.exact, args.batch)


if __name__ == "__main__":
    main()
