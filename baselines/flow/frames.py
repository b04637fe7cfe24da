"""Flow between whole frames: once per pair, kept on disk, cut to the crop of every person."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
import torch
from torch import Tensor

from baselines.flow.estimators import FlowEstimator
from baselines.flow.fields import resize_field
from tdmi.clips.frames import FrameReader
from tdmi.core.files import replacing

HALF_TO_FULL = np.array([[2.0, 0.0, 0.5], [0.0, 2.0, 0.5], [0.0, 0.0, 1.0]])
"""Pixels of a map of half the size to those of the frame; pixel centres lie on whole numbers."""


class FrameFlow:
    """Cuts the flow of a window's frames like their crops (a `tdmi.clips.frames.FrameCue`).

    A pair of frames has one flow for all people in it and for all epochs, whatever the
    augmentation: it is computed when first asked for and kept as a file, float16 at half the
    frame's size (the finest level of DIS's medium preset), under the name of the estimator and the
    hashes of both pictures. Files that are damaged are made again. Several processes may share
    `folder`. One object serves the frames of one data set or video, whose names say which they are.

    `name`: of the estimator with its options, part of the file's name. `backward`: also keep the
    flow back, for the forward-backward check.
    """

    def __init__(
        self, estimator: FlowEstimator, name: str, folder: Path | str, backward: bool
    ) -> None:
        self.estimator, self.backward = estimator, backward
        self.folder = Path(folder) / name
        self._hashes: dict[str, str] = {}

    def cut(
        self,
        store: FrameReader,
        key: str,
        files: Sequence[str],
        matrix: np.ndarray,
        size: tuple[int, int],
    ) -> np.ndarray:
        """Flow from the crop of frame `key` to that of each of `files`, in pixels of the crop.

        `matrix` [2, 3]: from frame to crop pixels, the same for all frames; `size`: (height, width)
        of the crop. Returns [T, 2, height, width] float16, (dx, dy), or [T, 4, height, width] with
        the flow back behind it; zero for `key` itself and outside the frame.
        """
        channels = 4 if self.backward else 2
        result = np.zeros((len(files), channels, *size), np.float16)
        onto_crop = matrix @ HALF_TO_FULL
        linear = matrix[:, :2].astype(np.float32)
        for t, file in enumerate(files):
            if file == key:
                continue
            pairs = ((key, file), (file, key)) if self.backward else ((key, file),)
            for c, pair in enumerate(pairs):
                flow = self.of_pair(store, *pair).astype(np.float32)
                crop = cv2.warpAffine(flow, onto_crop, size[::-1], flags=cv2.INTER_LINEAR)
                result[t, 2 * c : 2 * c + 2] = (crop @ linear.T).transpose(2, 0, 1)
        return result

    def of_pair(self, store: FrameReader, first: str, second: str) -> np.ndarray:
        """Flow [H/2, W/2, 2] float16 from the frame `first` to `second`, in pixels of the frame."""
        hashes = (self._hash(store, file) for file in (first, second))
        path = self.folder / f"{'-'.join(hashes)}.npy"
        try:
            return np.load(path)
        except (OSError, ValueError, EOFError):  # not there, or damaged
            pass
        images = (_image(store.read(file)) for file in (first, second))
        flow = self.estimator(*images)
        half = resize_field(flow, (flow.shape[2] // 2, flow.shape[3] // 2))
        field = half[0].permute(1, 2, 0).numpy().astype(np.float16)
        path.parent.mkdir(parents=True, exist_ok=True)
        with replacing(path) as temporary, temporary.open("wb") as file:
            np.save(file, field)
        return field

    def mirrored(self, cue: Tensor) -> Tensor:
        """Flow [..., C, h, w] of mirrored crops: turned with the picture, dx the other way."""
        signs = cue.new_tensor([-1, 1] * (cue.shape[-3] // 2)).view(-1, 1, 1)
        return cue.flip(-1) * signs

    def _hash(self, store: FrameReader, file: str) -> str:
        if file not in self._hashes:
            digest = hashlib.blake2b(store.read(file).tobytes(), digest_size=8)
            self._hashes[file] = digest.hexdigest()
        return self._hashes[file]


def _image(frame: np.ndarray) -> Tensor:
    """uint8 RGB [H, W, 3] -> [1, 3, H, W] in 0..1; odd sides are repeated at the border."""
    height, width = frame.shape[:2]
    even = np.pad(frame, ((0, height % 2), (0, width % 2), (0, 0)), mode="edge")
    return torch.from_numpy(even).permute(2, 0, 1)[None].float() / 255
