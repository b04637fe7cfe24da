"""Which frames of a video make the window of a key frame."""

from __future__ import annotations

from collections.abc import Sequence


def window_offsets(position: int, frames: int, window: Sequence[int]) -> tuple[int, ...]:
    """Offsets really used for key frame `position` (0-based) of a video of `frames` frames.

    A neighbour outside the video is replaced by the key frame itself (offset 0). Existing
    neighbours before the key frame stay in temporal order, so at the start (-2, -1) becomes
    (-1, 0); those after it come first, so at the end (1, 2) becomes (1, 0). This is the rule of the
    TDMI authors' review-time code: a repeated key frame makes a zero difference.
    """
    offsets = tuple(k if 0 <= position + k < frames else 0 for k in window)
    before = sorted(offsets[i] for i, k in enumerate(window) if k < 0)
    after = [offsets[i] for i, k in enumerate(window) if k >= 0]
    return (*before, *after)
