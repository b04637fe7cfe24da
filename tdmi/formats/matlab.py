"""Read variables of MATLAB files of versions 5 to 7, however damaged the files are.

scipy's reader trusts what a file says of itself: some damaged label files end the Python process
with a segmentation fault, others ask for all the memory there is. So it runs in a child process,
one for many files, with a bound on its memory; a crash there is one line here. The child is this
file as a script: requests come as one JSON text per line, and an answer is its number of bytes (8,
little endian), then ``(value, reason)`` in Python's marshal format.
"""

from __future__ import annotations

import atexit
import json
import marshal
import os
import subprocess
import sys
import warnings
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
from scipy.io import loadmat

MEMORY = 4 << 30
"""Bytes that the child may take (choice of this project: label files need a few megabytes, and a
damaged file can ask for all there is)."""


class _Child:
    """The reading process; it ends with the process that started it."""

    def __init__(self) -> None:
        self.owner = os.getpid()
        single = {name: "1" for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS")}
        self.process = subprocess.Popen(
            [sys.executable, "-P", __file__],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=os.environ | single,
        )

    def ask(self, request: list[str]) -> tuple[Any, str | None]:
        """Return what `_read` returns; EOFError if the process ended."""
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


def _plain(value: Any) -> Any:
    """Return struct arrays as lists of objects, cells as joined lists, text as text, else numbers.

    Everything comes in MATLAB's order (down the columns first), whatever its shape.
    """
    kind = value.dtype.kind if type(value) is np.ndarray else ""
    if kind and kind in "biuf":
        return value.ravel(order="F").tolist()
    if kind == "V":
        fields = value.dtype.names
        columns = [map(_plain, value[field].ravel(order="F")) for field in fields]
        return [dict(zip(fields, entry, strict=True)) for entry in zip(*columns, strict=True)]
    if kind == "U" and value.size <= 1:
        return "".join(value.ravel())
    if kind == "O":
        parts = map(_plain, value.ravel(order="F"))
        return [v for part in parts for v in (part if isinstance(part, list) else [part])]
    found = f"{value.size} lines of text" if kind == "U" else getattr(value, "dtype", type(value))
    raise ValueError(f"holds {found}, expected structs, cells, real numbers or single texts")


def _read(path: str, variable: str) -> tuple[Any, str | None]:
    """Return a variable (None if there is no such one), or the reason why it cannot be read."""
    try:
        found = loadmat(path, variable_names=[variable], verify_compressed_data_integrity=True)
        return _plain(found[variable]) if variable in found else None, None
    except Exception as error:  # damaged files make scipy raise errors of nearly every type
        return None, " ".join(str(error).split())[:200] or type(error).__name__


def _serve() -> None:
    with suppress(ImportError, ValueError, OSError):  # systems without such limits
        import resource

        resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    warnings.simplefilter("ignore")
    for line in sys.stdin.buffer:
        data = marshal.dumps(_read(*json.loads(line)))
        sys.stdout.buffer.write(len(data).to_bytes(8, "little") + data)
        sys.stdout.buffer.flush()


if __name__ == "__main__":
    _serve()
