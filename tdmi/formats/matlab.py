"""Read variables of MATLAB files of versions 5 to 7, however damaged the files are.

scipy's reader trusts what a file says of itself: some damaged label files end the Python process
with a segmentation fault, others ask for all the memory there is. So it runs in a child process,
one for many files, with a bound on its memory. A crash there is one line here.
"""

from __future__ import annotations

import atexit
import json
import marshal
import os
import subprocess
import sys
from pathlib import Path
from typing import Any


class _Child:
    """The reading process; it ends with the process that started it."""

    def __init__(self) -> None:
        self.owner = os.getpid()
        script = Path(__file__).with_name("matlab_child.py")
        single = {name: "1" for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS")}
        self.process = subprocess.Popen(
            [sys.executable, "-P", str(script)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=os.environ | single,
        )

    def ask(self, request: list[str]) -> tuple[Any, str | None]:
        """Return what `matlab_child.read` returns; EOFError if the process ended."""
        assert self.process.stdin and self.process.stdout
        try:
            self.process.stdin.write(json.dumps(request).encode() + b"\n")
            self.process.stdin.flush()
            size = int.from_bytes(self.process.stdout.read(8), "little")
            return marshal.loads(self.process.stdout.read(size))
        except BrokenPipeError:
            raise EOFError from None

    def stop(self) -> None:
        if self.owner == os.getpid():
            self.process.kill()
            self.process.communicate()


_child: _Child | None = None


def read_variable(path: Path, name: str) -> Any:
    """Return the variable `name` of a file; None if it has no such variable.

    Struct arrays become lists of objects and cells lists, both in MATLAB's order (down the columns
    first) whatever their shape; lists in a cell are joined. Text becomes a text; numbers and
    logicals become a list of Python numbers, with their exact values. ValueError with the reason if
    the file is damaged, is of another version, or holds anything else in the variable.
    """
    global _child
    if _child is None or _child.owner != os.getpid():  # a fork has to start its own
        _child = _Child()
        atexit.register(_child.stop)
    try:
        value, reason = _child.ask([str(path), name])
    except EOFError:
        _child.stop()
        _child = None
        raise ValueError("the MATLAB reader crashed on it") from None
    if reason is not None:
        raise ValueError(reason)
    return value
