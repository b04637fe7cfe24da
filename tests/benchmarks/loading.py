"""Frames per second of loading training windows, beside decoding and warping each one by itself.

    python tests/benchmarks/loading.py [--videos 12]

Makes videos of 1280x720 JPEGs with four people each, and loads an epoch of windows of five frames
as 384x288 crops with full augmentation and targets, on one core. Ways that take turns, in processor
time:

- reference: every frame of every window of every person is read, decoded, mirrored as a whole for
  half of the samples, and warped with OpenCV; targets are drawn joint by joint. So do the loaders
  of HRNet, PoseWarper and DCPose, which go on to normalise on the processor (left out here).
- decode and warp: the same without the mirroring and with our targets, so only sharing differs.
- shuffled, clips: our loader with both orders of samples, and clips with reduced decoding.

Bar: clip order loads at least 4 times as many frames per second as decode and warp. (Of a part of
an epoch less: frames are decoded there for windows that come later.)
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time
from pathlib import Path

import cv2
import numpy as np

from tdmi.clips.crops import crop_matrix, transform
from tdmi.clips.frames import FrameStore
from tdmi.clips.order import SampleOrder
from tdmi.clips.samples import TrainingSamples, Windows
from tdmi.config.inputs import Augmentation, Crop
from tdmi.data.annotations import UNSCORED, Annotations
from tdmi.data.skeletons import POSETRACK18

WIDTH, HEIGHT, PEOPLE, FRAMES = 1280, 720, 4, 30
"""PoseTrack labels about 30 neighbouring frames of a training video."""
WINDOW = (-2, -1, 0, 1, 2)
BATCH = 24


def write_video(folder: Path, rng: np.random.Generator) -> None:
    """Smooth colours that drift, with sensor noise: about 150 KB a frame, as PoseTrack's."""
    folder.mkdir(parents=True)
    coarse = rng.uniform(0, 255, (28, 48, 3)).astype(np.float32)
    scene = cv2.resize(coarse, (WIDTH + FRAMES, HEIGHT), interpolation=cv2.INTER_CUBIC)
    noise = rng.normal(0, 3, (HEIGHT, WIDTH, 3)).astype(np.float32)
    for i in range(FRAMES):
        noisy = scene[:, i : i + WIDTH] + np.roll(noise, 97 * i, axis=1)
        frame = np.clip(noisy, 0, 255).astype(np.uint8)
        cv2.imwrite(str(folder / f"{i:06d}.jpg"), frame, [cv2.IMWRITE_JPEG_QUALITY, 90])


def labels(names: list[str], rng: np.random.Generator) -> Annotations:
    frames, joints = len(names) * FRAMES, len(POSETRACK18)
    persons = frames * PEOPLE
    box = np.stack(
        [
            rng.uniform(0, WIDTH - 200, persons),
            rng.uniform(0, HEIGHT - 450, persons),
            rng.uniform(100, 200, persons),
            rng.uniform(250, 450, persons),
        ],
        axis=1,
    )
    return Annotations(
        skeleton=POSETRACK18,
        video_names=names,
        frame_video=np.repeat(np.arange(len(names)), FRAMES),
        frame_index=np.tile(np.arange(FRAMES), len(names)),
        frame_file=[f"{name}/{i:06d}.jpg" for name in names for i in range(FRAMES)],
        frame_id=np.arange(frames),
        frame_labelled=np.ones(frames, bool),
        frame_annotated=np.ones(frames, bool),
        ignore_regions=[[] for _ in range(frames)],
        person_frame=np.repeat(np.arange(frames), PEOPLE),
        track_id=np.tile(np.arange(PEOPLE), frames),
        keypoints=box[:, None, :2] + rng.random((persons, joints, 2)) * box[:, None, 2:],
        present=np.ones((persons, joints), bool),
        visible=np.ones((persons, joints), bool),
        joint_score=np.full((persons, joints), UNSCORED),
        box=box,
        head_box=np.full((persons, 4), np.nan),
        score=np.full(persons, np.nan),
    )


def read(path: Path) -> np.ndarray:
    picture = cv2.imread(str(path), cv2.IMREAD_COLOR | cv2.IMREAD_IGNORE_ORIENTATION)
    return cv2.cvtColor(picture, cv2.COLOR_BGR2RGB)


class DecodeAndWarp(Windows):
    """Windows for which nothing is kept from one crop to the next."""

    mirrored = False
    """Mirror the frames that are read, as the reference does; the matrix is for mirrored ones."""

    def crop_window(self, frame, matrix, out=None):
        rows = self._rows[self.annotations.frame_video[frame]]
        number = int(self.annotations.frame_number[frame])
        files = [self.annotations.frame_file[rows.get(number + k, frame)] for k in self.window]
        crops = []
        for file in files:
            picture = read(self.store.root / file)
            if self.mirrored:
                picture = picture[:, ::-1, :]
            crops.append(cv2.warpAffine(picture, matrix, self.crop.size[::-1]))
        out[:] = np.stack(crops)
        return out, np.array(self.window)


class Reference(TrainingSamples):
    def batch(self, positions):
        annotations, crop = self.windows.annotations, self.windows.crop
        frames, heatmaps = [], []
        for position in positions:
            epoch, person = self.person_at(position)
            geometry = self._draw(epoch, person)
            self.windows.mirrored = geometry.flip
            centre = geometry.centre.copy()
            if geometry.flip:
                centre[0] = WIDTH - 1 - centre[0]
            matrix = crop_matrix(centre, geometry.width, crop.size, geometry.rotation)
            out = np.empty((len(WINDOW), *crop.size, 3), np.uint8)
            frames.append(
                self.windows.crop_window(int(annotations.person_frame[person]), matrix, out)[0]
            )
            points = transform(annotations.keypoints[person], matrix) / 4
            heatmaps.append(drawn_targets(points, crop.heatmap_size, crop.sigma))
        return np.stack(frames), np.stack(heatmaps)


def drawn_targets(points: np.ndarray, size: tuple[int, int], sigma: float) -> np.ndarray:
    """Heatmaps [J, h, w], each a Gaussian patch that is cut at the border and copied in."""
    height, width = size
    maps = np.zeros((len(points), height, width), np.float32)
    reach = int(3 * sigma)
    x = np.arange(0, 2 * reach + 1, 1, np.float32)
    for j, (mu_x, mu_y) in enumerate(np.trunc(points + 0.5).astype(int)):
        left, top = mu_x - reach, mu_y - reach
        if left >= width or top >= height or mu_x + reach < 0 or mu_y + reach < 0:
            continue
        patch = np.exp(-((x - reach) ** 2 + (x[:, None] - reach) ** 2) / (2 * sigma**2))
        rows = slice(max(0, top), min(height, top + len(x)))
        columns = slice(max(0, left), min(width, left + len(x)))
        maps[j, rows, columns] = patch[
            rows.start - top : rows.stop - top, columns.start - left : columns.stop - left
        ]
    return maps


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--videos", type=int, default=12)
    args = parser.parse_args()
    cv2.setNumThreads(1)
    rng = np.random.default_rng(0)
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        names = [f"{k:06d}_mpii_test" for k in range(args.videos)]
        for name in names:
            write_video(root / name, rng)
        size = np.mean([os.path.getsize(p) for p in root.glob("*/*.jpg")]) / 1024
        ways = made_ways(root, labels(names, rng))
        seconds = dict.fromkeys(ways, 0.0)
        samples = args.videos * FRAMES * PEOPLE
        for start in range(0, samples, BATCH):
            positions = range(start, min(start + BATCH, samples))
            for name, way in ways.items():
                begin = time.process_time()
                way.batch(positions)
                seconds[name] += time.process_time() - begin
    frames = samples * len(WINDOW)
    print(f"{args.videos} videos, {size:.0f} KiB a frame, {samples} windows, one core")
    print("| way | frames/s | ms a frame | times the reference | times decode and warp |")
    print("|---|---|---|---|---|")
    for name, spent in seconds.items():
        ratios = (seconds[other] / spent for other in ("reference", "decode and warp"))
        columns = [name, f"{frames / spent:.0f}", f"{1000 * spent / frames:.2f}"]
        print("| " + " | ".join(columns + [f"{ratio:.2f}" for ratio in ratios]) + " |")


def made_ways(root: Path, annotations: Annotations) -> dict[str, TrainingSamples]:
    # The frames of a pool of clips fit into memory, those of the data set do not.
    memory = 120 * WIDTH * HEIGHT * 3
    crop = Crop((384, 288), 3.0)
    reduced = Crop((384, 288), 3.0, reduced_decoding=True)

    def made(kind: str, crop: Crop) -> TrainingSamples:
        windows = Windows(annotations, FrameStore(root, memory), WINDOW, crop)
        return TrainingSamples(
            windows, Augmentation(), 0, order=SampleOrder(kind, batch_size=BATCH)
        )

    plain = DecodeAndWarp(annotations, FrameStore(root), WINDOW, crop)
    return {
        "reference": Reference(plain, Augmentation(), 0),
        "decode and warp": TrainingSamples(
            DecodeAndWarp(annotations, FrameStore(root), WINDOW, crop), Augmentation(), 0
        ),
        "shuffled": made("shuffled", crop),
        "clips": made("clips", crop),
        "clips, reduced": made("clips", reduced),
    }


if __name__ == "__main__":
    main()
