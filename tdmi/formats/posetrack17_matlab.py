"""PoseTrack2017 annotation files as they were released: MATLAB files with one ``annolist``.

    annolist (1 x F) .image.name .imgnum .is_labeled
                     .ignore_regions (1 x R) .point (1 x P) .x .y
                     .annorect (1 x N) .x1 .y1 .x2 .y2 .track_id .score
                                       .annopoints.point (1 x K) .id .x .y .is_visible .score

The released files' layout is inferred from the official converter, from the JSON it writes and from
published code that reads them. So struct arrays may be rows or columns, cells stand for what they
hold, fields may be missing or empty, and a number may be stored as any numeric class, as a logical
or as text. Whole doubles are stored in small integer types, which would wrap round, so every number
becomes a Python number first. Values mean what they mean in `tdmi.formats.posetrack17`.
"""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np
from scipy.io import savemat

from tdmi.core.errors import UserError
from tdmi.core.files import read_bytes, replacing
from tdmi.data.annotations import Annotations
from tdmi.data.records import REGENERATE, Record
from tdmi.formats import posetrack17
from tdmi.formats.annolist_writing import contents
from tdmi.formats.matlab import read_variable

# What MATLAB's save writes when asked for -v7.3: an HDF5 file, behind a text or bare.
_HDF5 = b"\x89HDF\r\n\x1a\n"
# The first 116 bytes of a file are text for people; scipy puts the time there.
_HEADER = b"MATLAB 5.0 MAT-file, PoseTrack2017 labels written by tdmi".ljust(116)
# Doubles hold whole numbers exactly up to here.
_LARGEST_WHOLE = 2**53


def write_folder(annotations: Annotations, folder: Path | str) -> None:
    """Write one ``<video>.mat`` (version 7) per video; reading gives it back to the last bit.

    The same annotations give the same bytes. Raises UserError if the joints are not POSETRACK17, a
    number is not finite, or a track id is beyond 2^53.
    """
    for name, content in contents(annotations, folder, posetrack17.FORM):
        buffer = io.BytesIO()
        savemat(buffer, {"annolist": _matlab(content["annolist"], folder)}, do_compression=True)
        with replacing(Path(folder) / f"{name}.mat") as temporary:
            temporary.write_bytes(_HEADER + buffer.getvalue()[len(_HEADER) :])


def read_content(path: Path | str) -> Record:
    """Return the file's content in the JSON form.

    Raises UserError for a damaged file, and for files of MATLAB version 7.3.
    """
    path = Path(path)
    if _HDF5 in read_bytes(path)[:1024]:
        raise UserError(
            f"{path}: a MATLAB file of version 7.3 (HDF5), expected version 7 or older; load it in "
            "MATLAB or Octave and save it again with the option -v7"
        )
    try:
        annolist = read_variable(path, "annolist")
    except ValueError as error:
        raise UserError(f"{path}: not a readable MATLAB file ({error}); {REGENERATE}") from None
    if annolist is None:
        raise UserError(
            f"{path}: no variable 'annolist', expected PoseTrack2017 labels; {REGENERATE}"
        )
    return {"annolist": _numbered(annolist, f"{path}: annolist")}


def _numbered(value: Any, where: str, text: bool = False) -> Any:
    """Return the content with numbers in place of texts; with `text`, it is a text and stays."""
    if isinstance(value, str):
        return value if text else _number(value, where)
    plain: list[Any] = []
    for entry in value:
        if isinstance(entry, dict):
            plain.append({k: _numbered(v, f"{where}.{k}", k == "name") for k, v in entry.items()})
        elif isinstance(entry, str) and not text:
            plain += _number(entry, where)
        else:
            plain.append(entry)
    return plain


def _number(value: str, where: str) -> list[float]:
    if not value.strip():
        return []
    try:
        return [float(value)]
    except ValueError:
        raise UserError(f"{where}: found {value!r:.40}, expected a number; {REGENERATE}") from None


def _matlab(value: Any, folder: Path | str) -> Any:
    """Return content of the JSON form as what scipy writes as struct arrays and 1 x 1 doubles."""
    if isinstance(value, str):
        return value
    if not value:
        return np.zeros((0, 0))
    if isinstance(value[0], dict):
        names = list(dict.fromkeys(name for record in value for name in record))
        array = np.empty((1, len(value)), dtype=[(name, object) for name in names])
        for row, record in zip(array[0], value, strict=True):
            for name in names:
                row[name] = _matlab(record.get(name, []), folder)
        return array
    if abs(value[0]) > _LARGEST_WHOLE and isinstance(value[0], int):
        raise UserError(
            f"{folder}: not written, found track id {value[0]}, expected at most 2^53, which is "
            "what MATLAB files hold exactly; number the tracks anew"
        )
    return np.array([value], dtype=np.float64)
