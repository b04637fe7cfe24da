"""Fetch published archives: exact version, SHA-256 checked, only the wanted files unpacked.

The package index is reached through its own client (pip), so mirrors and proxies that the user has
configured for pip work here too.
"""

from __future__ import annotations

import fnmatch
import shutil
import stat
import subprocess
import sys
import zipfile
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from tdmi.core.errors import UserError
from tdmi.core.files import read_json, read_yaml, replacing_folder, sha256_of, write_json
from tdmi.core.locks import exclusive_writer

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
    members: tuple[str, ...]
    """Shell patterns of the files to keep, relative to the archive's root."""


def read_sources(path: Path | str = SOURCE_LIST) -> dict[str, Source]:
    """Sources by name; UserError if an entry lacks a field or has an unknown one."""
    sources = {}
    for name, fields in read_yaml(path).items():
        try:
            members = tuple(fields.pop("members"))
            sources[name] = Source(name=name, members=members, **fields)
        except (TypeError, KeyError) as error:
            raise UserError(
                f"{path}: source {name}: {error}; expected the others' fields"
            ) from None
    return sources


def fetch(
    source: Source, root: Path | str, archive: Path | None = None, keep_archive: bool = False
) -> Path:
    """Have the wanted files of `source` under `root/<name>` and return that folder.

    Does nothing if they are there and unchanged. `archive` is an archive fetched before (for
    machines without a network); it is checked like a fresh one. The folder appears only when
    complete, with `source.json` recording the archive and the SHA-256 of every file.
    UserError: no download, wrong SHA-256 (the download is deleted), unsafe or missing members.
    """
    folder = Path(root) / source.name
    with exclusive_writer(folder):
        if not is_complete(source, folder):
            _fetch(source, folder, archive, keep_archive)
    return folder


def _fetch(source: Source, folder: Path, archive: Path | None, keep_archive: bool) -> None:
    with replacing_folder(folder) as temporary:
        wheel = archive or download(source, temporary)
        check_sha256(source, wheel, delete=archive is None)
        names = extract(wheel, source.members, temporary)
        record = {
            "name": source.name,
            "version": source.version,
            "file": source.file,
            "sha256": source.sha256,
            "licence": source.licence,
            "content": source.content,
            "files": {name: sha256_of(temporary / name) for name in names},
        }
        write_json(temporary / RECORD, record)
        if archive is None and not keep_archive:
            wheel.unlink()


def is_complete(source: Source, folder: Path) -> bool:
    """Whether `folder` holds this very version of the source, every file unchanged."""
    if not (folder / RECORD).is_file():
        return False
    record = read_json(folder / RECORD)
    if record.get("sha256") != source.sha256:
        return False
    return all(
        (folder / name).is_file() and sha256_of(folder / name) == digest
        for name, digest in record.get("files", {}).items()
    )


def download(source: Source, folder: Path) -> Path:
    """Download the archive with pip into `folder`; UserError with pip's reason if that fails.

    Platform and Python are fixed, so that every machine gets the same file: it is unpacked for its
    data and never installed.
    """
    command = [sys.executable, "-m", "pip", "download", "--disable-pip-version-check"]
    command += ["--no-deps", "--only-binary", ":all:", "--python-version", "3.11"]
    command += ["--platform", "manylinux2014_x86_64", "-d", str(folder)]
    command += [f"{source.name}=={source.version}"]
    print(f"downloading {source.file}", file=sys.stderr)
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


def check_sha256(source: Source, archive: Path, delete: bool) -> None:
    """UserError if the archive is not the listed one; a wrong download is deleted."""
    if not archive.is_file():
        raise UserError(f"{archive}: no such file, expected {source.file}")
    found = sha256_of(archive)
    if found != source.sha256:
        if delete:
            archive.unlink()
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
            entries = [entry for entry in content.infolist() if not entry.is_dir()]
            wanted = {}
            for pattern in patterns:
                matching = [e for e in entries if fnmatch.fnmatchcase(e.filename, pattern)]
                if not matching:
                    raise UserError(f"{archive.name}: no member matches {pattern}")
                wanted |= {entry.filename: entry for entry in matching}
            for entry in wanted.values():
                check_member(archive.name, entry)
            for name, entry in wanted.items():
                target = folder / name
                target.parent.mkdir(parents=True, exist_ok=True)
                with content.open(entry) as stream, open(target, "wb") as out:
                    shutil.copyfileobj(stream, out)
    except zipfile.BadZipFile as error:
        raise UserError(
            f"{archive.name}: not a readable archive ({error}); fetch it again"
        ) from None
    return sorted(wanted)


def check_member(archive: str, entry: zipfile.ZipInfo) -> None:
    """UserError for a member that is a link or whose name is not a plain relative path."""
    path = PurePosixPath(entry.filename)
    if stat.S_ISLNK(entry.external_attr >> 16):
        raise UserError(f"{archive}: member {entry.filename} is a link; links are not unpacked")
    unsafe = path.is_absolute() or ".." in path.parts
    if unsafe or "\\" in entry.filename or ":" in entry.filename:
        raise UserError(f"{archive}: member {entry.filename} leaves the folder; nothing unpacked")
