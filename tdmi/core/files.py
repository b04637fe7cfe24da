"""Read and write files. Nobody ever sees half of a file: it gets its name when it is complete."""

from __future__ import annotations

import codecs
import errno
import hashlib
import json
import os
import re
import shutil
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from xml.etree import ElementTree
from xml.etree.ElementTree import Element
from xml.parsers import expat

import orjson
import yaml

from tdmi.core.errors import UserError

# The loader in C is ten times as fast, but some builds of PyYAML lack it.
_YAML = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


@contextmanager
def disk_full_as_user_error(path: Path | str) -> Iterator[None]:
    """Turn a full disk, met while `path` is written, into a UserError that names `path`."""
    try:
        yield
    except OSError as error:
        if error.errno not in _NO_ROOM:
            raise
        raise UserError(
            f"{path}: {error.strerror}; free some room there and run the same command again"
        ) from None


@contextmanager
def replacing(path: Path | str) -> Iterator[Path]:
    """Yield a temporary path beside `path`, and rename it to `path` if the block succeeds.

    The temporary name keeps the suffix, because image writers choose the format by it.
    Raises UserError if the disk is full.
    """
    path = Path(path)
    with disk_full_as_user_error(path):
        path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.stem}.{os.getpid()}.part{path.suffix}")
    try:
        with disk_full_as_user_error(path):
            yield temporary
            os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


@contextmanager
def replacing_folder(folder: Path) -> Iterator[Path]:
    """Give an empty temporary folder beside `folder`; it takes its place if the block succeeds."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    temporary = folder.with_name(f".{folder.name}.{os.getpid()}.part")
    shutil.rmtree(temporary, ignore_errors=True)
    temporary.mkdir()
    try:
        yield temporary
        if folder.exists():
            shutil.rmtree(folder)
        temporary.rename(folder)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def check_writable(out: Path, option: str) -> None:
    """Raise UserError, before any work is done, if the file `out` could not be written."""
    folder = next(parent for parent in out.absolute().parents if os.path.lexists(parent))
    try:
        if out.is_dir():
            raise UserError(f"{out}: {option} is a folder, expected a file to write; add a name")
        # With a name at least as long as those under which file and folders are written first.
        missing = out.absolute().relative_to(folder).parts
        longest = max(missing, key=lambda name: len(os.fsencode(name)))
        with tempfile.NamedTemporaryFile(prefix=f".{longest}", suffix=".part", dir=folder):
            pass
    except OSError as error:
        raise UserError(
            f"{out}: {option} cannot be written in {folder} ({error.strerror}), expected a folder "
            "for new files; give another place"
        ) from None


def remove_leftovers(folder: Path) -> None:
    """Delete what killed calls of `replacing` left in a folder that no other process writes."""
    for path in folder.glob(".*.part*"):
        if re.fullmatch(r"\..+\.\d+\.part(\..*)?", path.name):
            path.unlink(missing_ok=True)


def sha256_of(path: Path | str) -> str:
    """Return the SHA-256 of a file's bytes, in hexadecimal."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def hashes_of_folder(folder: Path | str) -> dict[str, str]:
    """SHA-256 of every file that lies directly in `folder`, by its name, in order of the names.

    Hidden files are left out: Snakemake keeps one in every folder that a rule makes.
    """
    files = sorted(path for path in Path(folder).iterdir() if path.is_file())
    return {path.name: sha256_of(path) for path in files if not path.name.startswith(".")}


def digest(hashes: Mapping[str, str]) -> str:
    """One SHA-256 over named hashes, in order of their names."""
    total = hashlib.sha256()
    for name in sorted(hashes):
        total.update(name.encode() + bytes.fromhex(hashes[name]))
    return total.hexdigest()


def check_no_links(root: Path, names: Iterable[str]) -> None:
    """Raise UserError if one of `names` below `root`, or a folder on the way, is a symbolic link.

    What is then written or deleted there would be a file elsewhere.
    """
    ways = {way for name in names for way in (Path(name), *Path(name).parents)} - {Path()}
    for way in sorted(ways):
        if (root / way).is_symlink():
            raise UserError(
                f"{root / way}: a symbolic link to {os.readlink(root / way)}, expected none where "
                "files are written or replaced; move it away, or put what it leads to in its place"
            )


def write_text(path: Path | str, text: str) -> None:
    """Write text in UTF-8."""
    with replacing(path) as temporary:
        temporary.write_text(text, encoding="utf-8", newline="\n")


def write_json(path: Path | str, value: Any, indent: int | None = 2) -> None:
    """Write JSON. Raises ValueError for NaN and infinity: callers decide what they become."""
    write_text(path, json.dumps(value, indent=indent, allow_nan=False) + "\n")


def write_compact_json(path: Path | str, value: Any) -> None:
    """Write JSON without layout, fast. Every number must be finite.

    Floats get the fewest digits from which a reader recovers every bit.
    """
    try:
        data = orjson.dumps(value)
    except TypeError:  # texts that are not UTF-8, integers beyond 64 bits
        data = json.dumps(value, allow_nan=False, separators=(",", ":")).encode("ascii")
    with replacing(path) as temporary:
        temporary.write_bytes(data + b"\n")


def read_text(path: Path | str) -> str:
    """Return a text in UTF-8, with or without byte order mark, its lines ended by ``\\n``.

    Raises UserError if it cannot be read.
    """
    return _decoded(read_bytes(path), path).replace("\r\n", "\n").replace("\r", "\n")


def read_json(path: Path | str) -> Any:
    """Return the content of a JSON file in UTF-8, with or without byte order mark.

    Bare NaN and Infinity and halves of surrogate pairs are read as Python's own parser reads them.
    Raises UserError if the file cannot be read or is not JSON.
    """
    data = read_bytes(path)
    try:
        return orjson.loads(data.removeprefix(codecs.BOM_UTF8))
    except orjson.JSONDecodeError:
        text = _decoded(data, path)
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise UserError(f"{path}: not valid JSON ({error}); restore or regenerate it") from None


def read_xml(path: Path | str) -> Element:
    """Return the root of an XML file. Raises UserError if it is missing, damaged, or no plain XML.

    A document type is refused, because its entities could make a small file a huge one.
    """
    data = read_bytes(path)

    def refuse(*_: Any) -> None:
        raise UserError(f"{path}: declares a document type, expected plain XML; write it again")

    # ElementTree has no option to refuse declarations, so the parser below it looks first.
    checker = expat.ParserCreate()
    checker.StartDoctypeDeclHandler = refuse
    try:
        checker.Parse(data, True)
        return ElementTree.fromstring(data)
    except (expat.ExpatError, ElementTree.ParseError, ValueError, LookupError) as error:
        _decoded(data, path)
        detail = " ".join(str(error).split())
        raise UserError(f"{path}: not valid XML ({detail}); restore or regenerate it") from None


def read_yaml(path: Path | str) -> Any:
    """Return the content of a YAML file. Raises UserError if it is missing or not YAML."""
    try:
        return yaml.load(read_text(path), Loader=_YAML)
    # A date like 2024-13-01 is a ValueError of PyYAML.
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        detail = " ".join(str(error).split())
        raise UserError(f"{path}: not valid YAML ({detail})") from None


def read_bytes(path: Path | str) -> bytes:
    """Return what a file holds. UserError if it cannot be read."""
    try:
        return Path(path).read_bytes()
    except FileNotFoundError:
        raise UserError(f"{path}: no such file") from None
    except OSError as error:
        raise UserError(f"{path}: cannot be read ({error.strerror}); expected a file") from None


def _decoded(data: bytes, path: Path | str) -> str:
    if data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)) or b"\0" in data[:4]:
        raise UserError(
            f"{path}: found text in UTF-16 or UTF-32, expected UTF-8; save it again as UTF-8"
        )
    try:
        return data.removeprefix(codecs.BOM_UTF8).decode()
    except UnicodeDecodeError as error:
        line = error.object.count(b"\n", 0, error.start) + 1
        raise UserError(
            f"{path}: found byte 0x{error.object[error.start]:02x} in line {line}, which is not "
            "UTF-8, expected UTF-8; save it again as UTF-8"
        ) from None
