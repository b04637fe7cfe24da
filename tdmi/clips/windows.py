"""Windows of frames around a key frame, where some of the frames do not exist."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import get_args

from tdmi.config.inputs import WindowEnds

WINDOW_ENDS = get_args(WindowEnds)


def window_offsets(
    key: int, numbers: Collection[int], window: Sequence[int], ends: WindowEnds = "repeat_key"
) -> tuple[int, ...]:
    """Offsets really used for the key frame with number `key`, as many as `window` has.

    Numbers are those of the real video, so an offset is a real distance in frames. A frame is
    missing before the video's start, after its end, or where the data set left one out. What stands
    in for it is the rule `ends`, which treats both sides of the key frame alike:

    - ``repeat_key``: the key frame. A side's existing frames stay in temporal order and come first:
      at the start (-2, -1) becomes (-1, 0), at the end (1, 2) becomes (1, 0). A repeated key frame
      makes a zero difference. Rule of the TDMI authors' review-time code.
    - ``nearest``: the existing frame on that side that is nearest to the wanted one (of two, the
      one nearer to the key frame), however far; the key frame if the side has none. At the start
      (-2, -1) becomes (-1, -1).
    - ``dcpose``: the farthest existing frame on that side that is no farther from the key frame
      than the wanted one; the key frame if there is none. Rule of DCPose's code, which has one
      frame per side; taking it per frame for wider windows is a choice of this project.

    - ``reflect``: the frame as far away on the other side; the key frame if that is also missing.
      At the start (-2, -1) becomes (2, 1). Choice of this project.

    ``nearest`` and ``dcpose`` agree unless frames are missing in the middle: with -1 missing and -2
    there, the wanted -1 becomes -2 under ``nearest`` and 0 under ``dcpose``.

    Args:
        key: number of the key frame, one of `numbers`.
        numbers: the existing frames of the video.
        window: wanted offsets, rising, one of them 0.
    """
    if ends == "repeat_key":
        before = _existing_first(key, numbers, [k for k in window if k < 0])
        return (*before, 0, *_existing_first(key, numbers, [k for k in window if k > 0]))
    stand_in = {"nearest": _nearest, "dcpose": _not_farther, "reflect": _reflected}[ends]
    return tuple(k if key + k in numbers else stand_in(key, numbers, k) for k in window)


def _existing_first(key: int, numbers: Collection[int], wanted: Sequence[int]) -> list[int]:
    existing = [k for k in wanted if key + k in numbers]
    return existing + [0] * (len(wanted) - len(existing))


def _nearest(key: int, numbers: Collection[int], wanted: int) -> int:
    side = [number - key for number in numbers if (number - key) * wanted > 0]
    return min(side, key=lambda k: (abs(k - wanted), abs(k)), default=0)


def _not_farther(key: int, numbers: Collection[int], wanted: int) -> int:
    step = 1 if wanted < 0 else -1
    return next((k for k in range(wanted, 0, step) if key + k in numbers), 0)


def _reflected(key: int, numbers: Collection[int], wanted: int) -> int:
    return -wanted if key - wanted in numbers else 0
