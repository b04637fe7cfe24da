"""The order in which an epoch visits its samples: fully shuffled, or shuffled clip by clip.

A full shuffle spreads the windows that share a frame over the whole epoch, so that nearly every
window decodes all its frames again. In clip order they come close together: the frames of a few
clips fit in memory, and each is decoded once for all people and windows that need it. Batches are
mixed less, which training from scratch feels (docs/choices.md), training on a trained backbone not.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tdmi.config.training import Order

CLIP_FRAMES = 8
"""Neighbouring key frames of a video that stay together in clip order. Windows reach over both ends
of a clip: longer clips decode fewer frames twice, shorter ones mix better."""
POOL_CLIPS = 8
"""Clips whose samples are shuffled together. Their frames have to fit in a worker's cache: about
100 for windows of five frames, 600 MB at 1920x1080."""


@dataclass(frozen=True)
class SampleOrder:
    """Order of the samples of an epoch; besides it only seed and epoch play a part."""

    kind: Order = "shuffled"
    """``shuffled``: any sample can follow any other. ``clips``: see `clip_order`."""
    lanes: int = 1
    """Clip orders that take turns, see `interleaved`. As many as there are loading workers give
    each worker frames of its own."""
    batch_size: int = 1
    """Samples that are loaded together."""

    def epoch(
        self, video: np.ndarray, frame: np.ndarray, first: int, generator: np.random.Generator
    ) -> np.ndarray:
        """Indices 0..N-1 of an epoch's samples as they are visited, [N].

        Args:
            video, frame: [N] video and key frame of each sample, any integers; a larger `frame` of
                the same video comes later in it.
            first: position of the epoch's first sample in the endless sequence.
        """
        if self.kind == "shuffled":
            return generator.permutation(len(video))
        sequence = clip_order(video, frame, generator)
        return interleaved(sequence, first, self.lanes, self.batch_size)


def clip_order(video: np.ndarray, frame: np.ndarray, generator: np.random.Generator) -> np.ndarray:
    """Samples in pools of `POOL_CLIPS` clips of up to `CLIP_FRAMES` key frames each, [N].

    The clips of a pool come from anywhere, and the samples of a pool are shuffled. Where a video is
    cut into clips is drawn anew each time. Arguments as in `SampleOrder.epoch`.
    """
    key_frames, sample_frame = np.unique(
        np.stack([video, frame], axis=1), axis=0, return_inverse=True
    )
    _, start, frame_video = np.unique(key_frames[:, 0], return_index=True, return_inverse=True)
    shift = generator.integers(CLIP_FRAMES, size=len(start))
    place = np.arange(len(key_frames)) - start[frame_video] + shift[frame_video]
    clips = np.stack([frame_video, place // CLIP_FRAMES], axis=1)
    clips, frame_clip = np.unique(clips, axis=0, return_inverse=True)
    pool = generator.permutation(len(clips)) // POOL_CLIPS
    return np.lexsort((generator.random(len(video)), pool[frame_clip][sample_frame]))


def interleaved(sequence: np.ndarray, first: int, lanes: int, batch_size: int) -> np.ndarray:
    """The sequence [N] cut into `lanes` parts that take turns batch by batch, [N].

    Loading workers also take batches in turns. If their number divides `lanes`, a part belongs to
    one worker, which then decodes frames that no other worker needs. The order itself does not
    depend on the number of workers.

    Args:
        first: position of sequence[0] in the endless sequence, which decides where batches begin.
    """
    lane = (first + np.arange(len(sequence))) // batch_size % lanes
    result = np.empty_like(sequence)
    result[np.argsort(lane, kind="stable")] = sequence
    return result
