"""Output of commands on data sets: complete or not at all, and never in place of something."""

from __future__ import annotations

import tempfile
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tdmi.core.errors import UserError
from tdmi.core.files import replacing, replacing_folder


@contextmanager
def new_folder(folder: Path) -> Iterator[Path]:
    """Give an empty temporary folder; it becomes `folder` if the block succeeds.

    UserError if `folder` exists and is anything but an empty folder.
    """
    if folder.is_symlink() or (folder.exists() and not folder.is_dir()):
        raise UserError(f"{folder}: not a folder, expected a new or empty one; give another name")
    if folder.is_dir() and any(folder.iterdir()):
        raise UserError(
            f"{folder}: holds files already, expected a new or empty folder; empty it or give "
            "another name"
        )
    with replacing_folder(folder) as temporary, _named(temporary, folder):
        yield temporary


@contextmanager
def new_zip(path: Path) -> Iterator[Path]:
    """Give an empty temporary folder; its files become the zip file `path` if the block succeeds.

    They lie in its root, and the same files give the same bytes. UserError if `path` exists.
    """
    if path.exists() or path.is_symlink():
        raise UserError(f"{path}: exists already, expected a new file; delete it or rename it")
    with tempfile.TemporaryDirectory() as name, replacing(path) as temporary:
        folder = Path(name)
        with _named(folder, path):
            yield folder
        with zipfile.ZipFile(temporary, "w") as archive:
            for file in sorted(folder.iterdir()):
                entry = zipfile.ZipInfo(file.name, date_time=(1980, 1, 1, 0, 0, 0))
                entry.external_attr = 0o644 << 16
                archive.writestr(entry, file.read_bytes(), compress_type=zipfile.ZIP_DEFLATED)


@contextmanager
def _named(temporary: Path, path: Path) -> Iterator[None]:
    """Errors that name the temporary folder name `path`, which the user asked for."""
    try:
        yield
    except UserError as error:
        raise UserError(str(error).replace(str(temporary), str(path))) from None
