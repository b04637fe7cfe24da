"""Image files of a data set: sizes from their headers, and whether each is complete.

Without decoding, an image counts as complete if its header can be read and its data reaches the
mark that ends its format (`is_cut`). Decoding also finds damage in between.
"""

from __future__ import annotations

import mmap
import multiprocessing
import os
import warnings
from collections.abc import Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import NamedTuple

from PIL import Image
from tqdm import tqdm

from tdmi.clips.frames import is_cut, is_frame, upright_size

_CHUNK = 64


class Picture(NamedTuple):
    """Size of one image file, and the finding about it."""

    width: int
    """Pixels; 0 if the header cannot be read."""
    height: int
    kind: str = ""
    """Kind of finding; empty if nothing is wrong."""
    detail: str = ""


# A forked process needs no main module that can be imported again, and starts at once.
_PROCESSES = multiprocessing.get_context(
    "fork" if "fork" in multiprocessing.get_all_start_methods() else None
)

Pictures = dict[str, dict[str, Picture]]
"""Image folder relative to the root, as labels name it -> file name -> picture."""


def inspect_tree(root: Path, deep: bool) -> Pictures:
    """Look at every image below ``<root>/images``; folders without images are left out.

    `deep` decodes all, in one process per CPU core of one thread each.
    """
    folders = dict(image_folders(root))
    paths = [(folder, name) for folder, names in folders.items() for name in names]
    found: Pictures = {folder: {} for folder in folders}
    files = [str(root / folder / name) for folder, name in paths]
    with ExitStack() as stack:
        pictures: Iterable[Picture] = map(inspect, files)
        if deep:
            pool = ProcessPoolExecutor(os.cpu_count(), mp_context=_PROCESSES)
            look = partial(inspect, deep=True)
            pictures = stack.enter_context(pool).map(look, files, chunksize=_CHUNK)
        bar = tqdm(pictures, total=len(paths), desc="images", unit="", disable=None)
        for (folder, name), picture in zip(paths, bar, strict=True):
            found[folder][name] = picture
    return found


def image_folders(root: Path) -> Iterator[tuple[str, list[str]]]:
    """Folders below ``images`` that hold images, relative to the root, with the images' names.

    Links to folders are followed, each folder once; hidden files are left out.
    """
    stack, seen = ["images"], set()
    while stack:
        folder = stack.pop()
        try:
            status = os.stat(root / folder)
            entries = list(os.scandir(root / folder))
        except OSError:
            continue
        if (status.st_dev, status.st_ino) in seen:
            continue
        seen.add((status.st_dev, status.st_ino))
        visible = sorted((e for e in entries if not e.name.startswith(".")), key=lambda e: e.name)
        names = [e.name for e in visible if is_frame(e.name)]
        if names:
            yield folder, names
        stack += [f"{folder}/{e.name}" for e in reversed(visible) if e.is_dir()]


def inspect(file: str, deep: bool = False) -> Picture:
    """Look at an image file; `deep` decodes it."""
    width = height = 0
    try:
        with warnings.catch_warnings(), open(file, "rb") as stream:
            warnings.simplefilter("ignore")
            width, height, _ = upright_size(stream)
            with mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ) as data:
                if is_cut(data):
                    return Picture(width, height, "image-truncated", "no end mark")
            if deep:
                with Image.open(stream) as image:
                    image.load()
    # Decoders raise errors of many types on damaged files; each of them is the finding.
    except Exception as error:
        return Picture(width, height, "image-unreadable", f"{type(error).__name__}: {error}")
    return Picture(width, height)
