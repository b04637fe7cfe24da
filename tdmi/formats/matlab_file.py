"""Read struct arrays, cells, text and numbers from MATLAB files of versions 5 to 7.

scipy's reader trusts what a file says of itself: of damaged label files, some end the Python
process with a segmentation fault or ask for all the memory there is. Here every type, size and
count is checked before it is used. Source: MathWorks' description of the MAT-File Format, level 5.
"""

from __future__ import annotations

import math
import struct
import zlib
from collections.abc import Iterator
from typing import Any

_HEADER = 128
_INT8, _INT32, _UINT32, _MATRIX, _COMPRESSED = 1, 5, 6, 14, 15
# Letters of Python's struct module.
_NUMBERS = {1: "b", 2: "B", 3: "h", 4: "H", 5: "i", 6: "I", 7: "f", 9: "d", 12: "q", 13: "Q"}
_TEXTS = {1: "latin-1", 2: "latin-1", 4: "utf-16", 16: "utf-8", 17: "utf-16", 18: "utf-32"}
_CELL, _STRUCT, _CHAR = 1, 2, 4
_NUMERIC = range(6, 16)
_COMPLEX = 0x0800

# Type of the data of an element, its first byte, and the byte after its last.
_Element = tuple[int, int, int]


def read_variable(data: bytes, name: str) -> Any:
    """The variable `name` of a file with these bytes; KeyError if it has no such variable.

    Struct arrays become lists of objects and cells lists, both in MATLAB's order (down the columns
    first) whatever their shape; lists in a cell are joined. Text becomes a text; numbers and
    logicals become a list of Python numbers, with their exact values. ValueError with the reason if
    the file is damaged, is of another version, or holds anything else in the variable.
    """
    byte_order = {b"IM": "<", b"MI": ">"}.get(data[126:128])
    if byte_order is None or struct.unpack_from(byte_order + "H", data, 124)[0] != 0x0100:
        raise ValueError("no header of MATLAB 5 to 7")
    file = _Bytes(data, byte_order)
    for kind, first, last in file.elements(_HEADER, len(data)):
        held, array = file, (kind, first, last)
        if kind == _COMPRESSED:
            held = _Bytes(_decompressed(data[first:last], first), byte_order)
            array = next(held.elements(0, len(held.data)), (0, 0, 0))
        parts = held.parts(array)
        if len(parts) > 2 and held.data[slice(*parts[2][1:])] == name.encode():
            try:
                return held.value(parts, array)
            except RecursionError:
                raise ValueError("arrays lie in one another too deep") from None
    raise KeyError(name)


def _decompressed(data: bytes, place: int) -> bytes:
    try:
        return zlib.decompress(data)
    except zlib.error as error:
        raise ValueError(f"compressed data at byte {place}: {error}") from None


class _Bytes:
    """Bytes of a file or of one decompressed variable; places are counted in them."""

    def __init__(self, data: bytes, byte_order: str) -> None:
        self.data = data
        self.byte_order = byte_order
        self._tag = struct.Struct(byte_order + "II").unpack_from

    def elements(self, start: int, stop: int) -> Iterator[_Element]:
        """The elements between two places, each behind a tag of its type and size."""
        while start < stop:
            if stop - start < 8:
                raise ValueError(f"{stop - start} bytes left over at byte {start}")
            kind, size = self._tag(self.data, start)
            first = start + 8
            if kind >> 16:  # up to four bytes stand in the tag itself
                kind, size, first, following = kind & 0xFFFF, kind >> 16, start + 4, start + 8
                room = 4
            else:
                padded = size if kind == _COMPRESSED else -(-size // 8) * 8
                following, room = first + padded, stop - first
            if size > room:
                raise ValueError(f"{size} bytes of data at byte {first}, where there are {room}")
            yield kind, first, first + size
            start = following

    def parts(self, array: _Element) -> list[_Element]:
        kind, first, last = array
        if kind != _MATRIX:
            raise ValueError(f"data of type {kind} at byte {first}, expected an array")
        return list(self.elements(first, last))

    def value(self, parts: list[_Element], array: _Element) -> Any:
        """An array as Python objects."""
        if not parts:
            return []
        place, room = array[1], array[2] - array[1]
        if len(parts) < 3:
            raise ValueError(f"an array without size or name at byte {place}")
        flags = self.numbers(parts[0], _UINT32)[:1]
        size = self.numbers(parts[1], _INT32)
        # Every entry takes a byte at least, so that a wrong size cannot ask for much memory.
        if not flags or min(size, default=-1) < 0 or max(size) > room or math.prod(size) > room:
            raise ValueError(f"an array of size {size} at byte {place}, which has {room} bytes")
        count, kind, content = math.prod(size), flags[0] & 0xFF, parts[3:]
        if kind == _STRUCT and len(content) >= 2:
            return self.objects(content, count)
        if kind == _CELL and len(content) == count:
            return [v for part in content for v in _listed(self.value(self.parts(part), part))]
        if kind == _CHAR and len(content) == 1 and size[0] <= 1:
            return self.text(content[0])
        if kind in _NUMERIC and len(content) == 1 and not flags[0] & _COMPLEX:
            values = self.numbers(content[0])
            if len(values) == count:
                return values
        if kind in (_CHAR, *_NUMERIC) and not content and count == 0:
            return []
        raise ValueError(
            f"an array of class {kind}, size {size} and {len(content)} parts at byte {place}"
        )

    def objects(self, content: list[_Element], count: int) -> list[dict[str, Any]]:
        width, names, *arrays = content
        step = (self.numbers(width, _INT32) or [0])[0]
        kind, first, last = names
        if kind != _INT8 or step < 1 or (last - first) % step:
            raise ValueError(f"field names of a struct array at byte {first}")
        fields = [
            self.data[k : k + step].partition(b"\0")[0].decode("latin-1")
            for k in range(first, last, step)
        ]
        if len(arrays) != count * len(fields):
            raise ValueError(
                f"{len(arrays)} values at byte {first}, expected {count} times {len(fields)}"
            )
        values = iter(self.value(self.parts(array), array) for array in arrays)
        return [{field: next(values) for field in fields} for _ in range(count)]

    def text(self, element: _Element) -> str:
        kind, first, last = element
        if kind not in _TEXTS:
            raise ValueError(f"text of type {kind} at byte {first}")
        encoding = _TEXTS[kind]
        if kind in (4, 17, 18):
            encoding += "-le" if self.byte_order == "<" else "-be"
        return self.data[first:last].decode(encoding)

    def numbers(self, element: _Element, wanted: int | None = None) -> list:
        kind, first, last = element
        if kind not in _NUMBERS or wanted not in (None, kind):
            raise ValueError(f"data of type {kind} at byte {first}, expected numbers")
        letter = _NUMBERS[kind]
        count, odd = divmod(last - first, struct.calcsize("=" + letter))
        if odd:
            raise ValueError(f"{last - first} bytes of type {kind} at byte {first}")
        return list(struct.unpack_from(f"{self.byte_order}{count}{letter}", self.data, first))


def _listed(value: Any) -> list:
    return value if isinstance(value, list) else [value]
