"""Read MATLAB files with scipy, as a script in a process of its own; see `matlab`.

Paths come on standard input, one JSON text per line. For each, standard output gives the number of
bytes that follow (8 bytes, little endian) and then ``(value, reason)`` in Python's marshal format.
"""

from __future__ import annotations

import json
import marshal
import sys
import warnings
from contextlib import suppress
from typing import Any

import numpy as np
from scipy.io import loadmat

MEMORY = 4 << 30
"""Bytes that this process may take (choice of this project: label files need a few megabytes,
and a damaged file can ask for all there is)."""


def plain(value: Any) -> Any:
    """Return struct arrays as lists of objects, cells as joined lists, text as text, else numbers.

    Everything comes in MATLAB's order (down the columns first), whatever its shape.
    """
    kind = value.dtype.kind if type(value) is np.ndarray else ""
    if kind and kind in "biuf":
        return value.ravel(order="F").tolist()
    if kind == "V":
        fields = value.dtype.names
        columns = [map(plain, value[field].ravel(order="F")) for field in fields]
        return [dict(zip(fields, entry, strict=True)) for entry in zip(*columns, strict=True)]
    if kind == "U" and value.size <= 1:
        return "".join(value.ravel())
    if kind == "O":
        parts = map(plain, value.ravel(order="F"))
        return [v for part in parts for v in (part if isinstance(part, list) else [part])]
    found = f"{value.size} lines of text" if kind == "U" else getattr(value, "dtype", type(value))
    raise ValueError(f"holds {found}, expected structs, cells, real numbers or single texts")


def read(path: str, variable: str) -> tuple[Any, str | None]:
    """Return a variable (None if there is no such one), or the reason why it cannot be read."""
    try:
        found = loadmat(path, variable_names=[variable], verify_compressed_data_integrity=True)
        return plain(found[variable]) if variable in found else None, None
    except Exception as error:  # damaged files make scipy raise errors of nearly every type
        return None, " ".join(str(error).split())[:200] or type(error).__name__


def main() -> None:
    with suppress(ImportError, ValueError, OSError):  # systems without such limits
        import resource

        resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    warnings.simplefilter("ignore")
    for line in sys.stdin.buffer:
        data = marshal.dumps(read(*json.loads(line)))
        sys.stdout.buffer.write(len(data).to_bytes(8, "little") + data)
        sys.stdout.buffer.flush()


if __name__ == "__main__":
    main()
