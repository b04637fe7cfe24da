"""Download archive parts over HTTP so that an interruption costs only the bytes still to come.

A file grows as `<name>.part`; `<name>.validator` keeps the server's validator (ETag, else
Last-Modified). A later call continues the same bytes (Range with If-Range) and never joins two
versions of a file. A server without validators sends the whole file again.
"""

from __future__ import annotations

import os
import shutil
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor, as_completed
from pathlib import Path
from urllib.parse import quote, urlsplit, urlunsplit

import requests
import urllib3

from tdmi import __version__
from tdmi.core.errors import UserError
from tdmi.datasets.public.acquire.catalogue import Piece
from tdmi.datasets.public.acquire.record import Record, byte_bar, size_on_disk

HEADERS = {"User-Agent": f"tdmi-bench/{__version__}", "Accept-Encoding": "identity"}
CHUNK = 1 << 18
TIMEOUT = (20.0, 60.0)  # Seconds to connect, and between two packets
TRIES = 5  # Tries in a row that bring no new byte, before a file is given up
BACKOFF = 1.0
"""Seconds before another try after one with new bytes; doubled with each without, at most 30."""
RETRIED = {408, 425, 429, 500, 502, 503, 504}
CURES = {
    401: "the address asks for a login: download it in a browser",
    403: "the server refuses it: register or renew the link, or download it in a browser",
    404: "it is not at that address: check --base-url",
    410: "it is not at that address any more: give another --base-url",
}


Report = Callable[[int], object]


class DownloadFailed(Exception):
    """A download that is given up: one line of address without secrets, problem and cure."""


class _Interrupted(Exception):
    """This try ended early; another one may continue."""


def download_parts(
    record: Record, pieces: list[Piece], base_url: str | None, jobs: int
) -> dict[str, str]:
    """Download the parts that are not there; return the reasons of failures by part name.

    `jobs` files come at once. Anything but a failed download (a full disk, Ctrl-C) stops all of
    them and is raised. UserError if archives and unpacked files do not fit on the disk, as far as
    sizes are known.
    """
    reasons: dict[str, str] = {}
    urls: dict[str, str] = {}
    sizes: dict[str, int | None] = {}
    for piece in pieces:
        base = piece.base_url if piece.own_address else base_url or piece.base_url
        parts = [part for part in piece.files if not record.part_path(part).is_file()]
        try:
            for part in parts:
                if not base:
                    raise DownloadFailed("no public address: give --base-url or place it by hand")
                url = address(base, part)
                sizes[part] = _size_of(url) or piece.files[part]
                urls[part] = url
        except DownloadFailed as error:  # the other parts have the same address
            reasons |= {part: str(error) for part in parts if part not in urls}
    present = sum(size_on_disk(record.downloads / f"{name}.part") or 0 for name in urls)
    _check_room(record, pieces, sizes, present)
    record.downloads.mkdir(parents=True, exist_ok=True)
    total = sum(size or 0 for size in sizes.values())
    stop, pool = threading.Event(), ThreadPoolExecutor(jobs)
    with byte_bar("downloading", total if all(sizes.values()) else None) as bar:
        bar.update(present)
        futures = {
            pool.submit(download, url, record.downloads / name, bar.update, stop): name
            for name, url in urls.items()
        }
        try:
            for future in as_completed(futures):
                try:
                    future.result()
                    record.check_part(futures[future])
                except DownloadFailed as error:
                    reasons[futures[future]] = str(error)
        finally:
            stop.set()
            pool.shutdown(cancel_futures=True)
    return reasons


def _check_room(
    record: Record, pieces: list[Piece], sizes: dict[str, int | None], present: int
) -> None:
    """UserError if the bytes still to come exceed the free room; `sizes` are those of downloads.

    Unpacked files are taken to need as much as their archives: true for pictures in a tar.
    """
    needed = sum(size or 0 for size in sizes.values()) - present
    for name in [part for piece in pieces for part in piece.files]:
        needed += size_on_disk(record.part_path(name)) or sizes.get(name) or 0
    free = shutil.disk_usage(record.root).free
    if needed > free:
        raise UserError(
            f"{record.root}: {needed / 1e9:.1f} GB are needed (archives and unpacked files), "
            f"{free / 1e9:.1f} GB are free; free some and call again, or give a --root on "
            "another disk"
        )


def address(base_url: str, name: str) -> str:
    """Address of file `name` in the folder `base_url`; a query of the base is kept."""
    parts = urlsplit(base_url)
    if parts.scheme not in ("http", "https") or not parts.netloc:
        raise UserError(f"--base-url: found {shown(base_url)!r}, expected http(s)://host/folder/")
    return urlunsplit(parts._replace(path=f"{parts.path.rstrip('/')}/{quote(name)}", fragment=""))


def shown(url: str) -> str:
    """The address without user, password and query, which may be secret."""
    parts = urlsplit(url)
    return urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2], query="", fragment=""))


def _size_of(url: str) -> int | None:
    """Size in bytes as the server states it, else None; DownloadFailed if nobody answers."""
    try:
        answer = requests.head(url, headers=HEADERS, allow_redirects=True, timeout=TIMEOUT)
    except requests.RequestException as error:
        raise DownloadFailed(
            f"{shown(url)}: {urlsplit(url).hostname} cannot be reached ({type(error).__name__}); "
            "try again later, or give another --base-url"
        ) from None
    length = answer.headers.get("Content-Length", "")
    return int(length) or None if answer.ok and length.isdigit() else None


def download(url: str, target: Path, report: Report, stop: threading.Event) -> None:
    """Download one file; DownloadFailed if the server refuses, or after `TRIES` vain tries.

    `report` is called with the number of new bytes, negative when the file starts over. Once `stop`
    is set, no more is read.
    """
    part, validator = (target.with_name(target.name + end) for end in (".part", ".validator"))
    furthest, tries = 0, 0
    while True:
        try:
            _try_once(url, part, validator, report, stop)
            break
        except _Interrupted as problem:
            have = size_on_disk(part) or 0
            tries = 0 if have > furthest else tries + 1
            furthest = max(furthest, have)
            if tries >= TRIES or stop.is_set():
                raise DownloadFailed(f"{shown(url)}: {problem}; try again later") from None
            stop.wait(min(30.0, BACKOFF * 2**tries))
    os.replace(part, target)
    validator.unlink(missing_ok=True)


def _try_once(url: str, part: Path, validator: Path, report: Report, stop: threading.Event) -> None:
    """Send one request; the part file is complete if this returns."""
    have = size_on_disk(part) or 0
    known = validator.read_text(encoding="utf-8") if have and validator.exists() else ""
    extra = {"Range": f"bytes={have}-", "If-Range": known} if known else {}
    try:
        with requests.get(url, headers=HEADERS | extra, stream=True, timeout=TIMEOUT) as response:
            _check_answer(url, response)
            if not _continues(response, have, known):
                part.unlink(missing_ok=True)
                report(-have)
                have = 0
                if response.status_code != 200:
                    raise _Interrupted("the file changed on the server")
                # The old bytes are gone before the new validator is written: never both.
                validator.write_text(_validator_of(response), encoding="utf-8")
            length = response.headers.get("Content-Length", "")
            total = have + int(length) if length.isdigit() else None
            with open(part, "ab") as out:
                for chunk in response.raw.stream(CHUNK, decode_content=False):
                    out.write(chunk)
                    report(len(chunk))
                    if stop.is_set():
                        raise _Interrupted("stopped")
    except (requests.RequestException, urllib3.exceptions.HTTPError) as error:
        raise _Interrupted(f"the connection broke ({type(error).__name__})") from None
    size = part.stat().st_size
    if not size or total not in (None, size):
        raise _Interrupted(f"the server sent {size} of {total} bytes")


def _check_answer(url: str, response: requests.Response) -> None:
    """DownloadFailed or another try, unless the status is one to read on from."""
    status = response.status_code
    if status in RETRIED:
        raise _Interrupted(f"HTTP {status}")
    if status not in (200, 206, 416):
        cure = CURES.get(status, "download it by hand")
        raise DownloadFailed(f"{shown(url)}: HTTP {status}; {cure}")
    if status != 416 and response.headers.get("Content-Type", "").startswith("text/html"):
        raise DownloadFailed(
            f"{shown(url)}: a web page instead of the file (HTTP {status}); "
            "a login or a confirmation is asked for: download it in a browser"
        )


def _validator_of(response: requests.Response) -> str:
    """Return a value for If-Range: a strong ETag, else the date of the last change, else ""."""
    tag = response.headers.get("ETag", "W/")
    return response.headers.get("Last-Modified", "") if tag.startswith("W/") else tag


def _continues(response: requests.Response, have: int, known: str) -> bool:
    """Return whether the answer holds the bytes after the first `have` of version `known`."""
    span = response.headers.get("Content-Range", "")
    same = _validator_of(response) in ("", known)
    return response.status_code == 206 and span.startswith(f"bytes {have}-") and same
