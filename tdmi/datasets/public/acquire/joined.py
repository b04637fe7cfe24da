"""Read the parts of a cut archive as one file, without a joined copy on the disk."""

from __future__ import annotations

import bisect
import io
from collections.abc import Callable, Sequence
from itertools import accumulate
from pathlib import Path


class JoinedFile(io.RawIOBase):
    """The bytes of several files one after the other, read-only and seekable.

    `report` is called with the position after every read, for a progress bar.
    """

    def __init__(self, paths: Sequence[Path], report: Callable[[int], None] | None = None):
        super().__init__()
        self._paths = list(paths)
        self._ends = list(accumulate(path.stat().st_size for path in self._paths))
        self._report = report
        self._position = 0
        self._open: tuple[int, io.FileIO] | None = None

    @property
    def size(self) -> int:
        return self._ends[-1] if self._ends else 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._position

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        base = {io.SEEK_SET: 0, io.SEEK_CUR: self._position, io.SEEK_END: self.size}[whence]
        if base + offset < 0:
            raise ValueError(f"negative position {base + offset}")
        self._position = base + offset
        return self._position

    def readinto(self, buffer) -> int:
        """Bytes up to the end of the present part at most; 0 at the end of the last one."""
        if self._position >= self.size:
            return 0
        index = bisect.bisect_right(self._ends, self._position)
        start = self._ends[index - 1] if index else 0
        if self._open is None or self._open[0] != index:
            self._close_part()
            self._open = (index, io.FileIO(self._paths[index]))
        part = self._open[1]
        part.seek(self._position - start)
        room = memoryview(buffer)[: self._ends[index] - self._position]
        count = part.readinto(room) or 0
        if count == 0:
            raise OSError(f"{self._paths[index]}: became shorter while it was read")
        self._position += count
        if self._report:
            self._report(self._position)
        return count

    def close(self) -> None:
        self._close_part()
        super().close()

    def _close_part(self) -> None:
        if self._open is not None:
            self._open[1].close()
            self._open = None
