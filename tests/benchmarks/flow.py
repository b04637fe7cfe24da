"""Processor time of optical flow for one key frame and four neighbours: crops against frames.

    python tests/benchmarks/flow.py [--people 4] [--epochs 20] [--preset medium]

Frames of 1280x720, crops of 384x288, DIS on one thread. `crop`: flow between the crops of every
person in every epoch. `frame`: flow between whole frames once, then cut from the cache. The cut
includes reading the file; frames are decoded for the crops anyhow and are not counted.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import torch
from timing import shortest

from baselines.flow import WindowFlow
from tdmi.clips.crops import crop_matrix, warp
from tdmi.clips.frames import FrameStore
from tdmi.core.process import use_threads

FRAME, CROP = (720, 1280), (384, 288)


def write_frames(folder: Path) -> list[str]:
    """Five frames of blurred noise, 3 px further to the right each."""
    noise = np.random.default_rng(0).random((FRAME[0], FRAME[1] + 20, 3), np.float32)
    texture = cv2.normalize(cv2.GaussianBlur(noise, (0, 0), 3), None, 0, 255, cv2.NORM_MINMAX)
    files = [f"{i}.jpg" for i in range(5)]
    for i, file in enumerate(files):
        cv2.imwrite(str(folder / file), texture[:, 3 * i : 3 * i + FRAME[1]].astype(np.uint8))
    return files


def processor_ms(work: Callable[[], object], times: int = 3) -> float:
    """Return the least processor time of several calls, in milliseconds."""
    return 1000 * shortest(work, times)[1]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--people", type=int, default=4)
    parser.add_argument("--epochs", type=int, default=20)
    parser.add_argument("--preset", default="medium")
    options = parser.parse_args()
    use_threads(1)
    with tempfile.TemporaryDirectory() as folder:
        files, store = write_frames(Path(folder)), FrameStore(folder)
        flow = WindowFlow(where="frame", preset=options.preset, cache=Path(folder) / "cache")
        matrix = crop_matrix(np.array([640.0, 360.0]), 240.0, CROP)
        crops = torch.from_numpy(np.stack([warp(store.read(f), matrix, CROP) for f in files]))
        frames = (crops.permute(0, 3, 1, 2)[None].float() / 255 - 0.45) / 0.22
        offsets = torch.tensor([[-2, -1, 0, 1, 2]])
        crop = processor_ms(lambda: flow(frames, offsets, 2))
        pairs = files[:2] + files[3:]
        once = processor_ms(
            lambda: [flow.of_frames.of_pair(store, files[2], file) for file in pairs], times=1
        )
        cut = processor_ms(lambda: flow.of_frames.cut(store, files[2], files, matrix, CROP))
        kept = sum(p.stat().st_size for p in (Path(folder) / "cache").rglob("*.npy"))
    people, epochs = options.people, options.epochs
    print(f"crop:  {crop:.0f} ms a person and epoch")
    print(f"frame: {once:.0f} ms once, {cut:.1f} ms a person and epoch, {kept / 1e6:.1f} MB kept")
    both = crop * people * epochs, once + cut * people * epochs
    print(
        f"{people} people, {epochs} epochs: {both[0] / 1000:.2f} s and {both[1] / 1000:.2f} s, "
        f"a factor of {both[0] / both[1]:.1f}"
    )
    print(f"frames are cheaper from {once / (crop - cut):.1f} crops of a key frame on")


if __name__ == "__main__":
    main()
