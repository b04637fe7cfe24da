"""Download files over HTTP so that an interruption costs only what was not yet on the disk.

A file grows as `<name>.part`; `<name>.part.json` keeps its full size and the server's validator
(ETag, else Last-Modified), so that a later call continues the same bytes (Range with If-Range) and
never glues two versions of a file together. A server without validators starts over.
"""

from __future__ import annotations

import os
import re
import shutil
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import quote, urlsplit, urlunsplit

import requests
from urllib3.exceptions import ConnectTimeoutError, HTTPError, NewConnectionError

from tdmi.core.errors import UserError
from tdmi.core.files import read_json, write_json

CHUNK = 1 << 18
TIMEOUT = (20.0, 60.0)
"""Seconds to connect, and between two packets."""
TRIES = 5
"""Tries in a row that bring no new byte, before a file is given up."""
BACKOFF = 1.0
"""Seconds before another try after one with new bytes; doubled with each without, at most 30."""
RETRIED = {408, 425, 429, 500, 502, 503, 504}
CURES = {
    401: "the address asks for a login: download it in a browser",
    403: "the server refuses it: register or renew the link, or download it in a browser",
    404: "it is not at that address: check --base-url",
    410: "it is not at that address any more: give another --base-url",
}


class DownloadFailed(Exception):
    """One line: address without secrets, what happened, cure."""


class _TryAgain(Exception):
    """This try ended early; another one may go on."""


@dataclass
class Transfers:
    """What all downloads of one call share."""

    session: requests.Session
    report: Callable[[int], None]
    """Called with the number of new bytes; negative when a file starts over."""
    accept: Callable[[Path, str], None] = lambda path, name: None
    """Called with a whole file, still at its temporary place, before it gets its `name`."""
    stop: threading.Event = field(default_factory=threading.Event)
    dead_hosts: set[str] = field(default_factory=set)
    """Hosts that could not be reached at all: not tried again for every part."""


@dataclass(frozen=True)
class Wanted:
    """One file to download to `target`; `size` is its published exact size, if there is one."""

    url: str
    target: Path
    size: int | None = None


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


def sizes_of(wanted: list[Wanted], transfers: Transfers, jobs: int) -> list[int | None]:
    """What the servers say about the sizes, in bytes; None where they do not."""
    with ThreadPoolExecutor(jobs) as pool:
        return list(pool.map(lambda one: _size_of(one.url, transfers), wanted))


def download_all(wanted: list[Wanted], transfers: Transfers, jobs: int) -> dict[str, str]:
    """Download in parallel; reasons of those that failed, by file name.

    Anything but a failed download (a full disk, Ctrl-C) stops all of them and is raised.
    """
    pool = ThreadPoolExecutor(jobs)
    futures = {pool.submit(_download, one, transfers): one.target.name for one in wanted}
    failures = {}
    try:
        for future in as_completed(futures):
            try:
                future.result()
            except DownloadFailed as error:
                failures[futures[future]] = str(error)
    finally:
        transfers.stop.set()
        pool.shutdown(cancel_futures=True)
        transfers.stop.clear()
    return failures


def part_of(target: Path) -> Path:
    """Where the beginning of an unfinished download lies."""
    return target.with_name(f"{target.name}.part")


def _note_of(target: Path) -> Path:
    return target.with_name(f"{target.name}.part.json")


def _size_of(url: str, transfers: Transfers) -> int | None:
    if urlsplit(url).hostname in transfers.dead_hosts:
        return None
    try:
        headers = {"Accept-Encoding": "identity"}
        answer = transfers.session.head(url, headers=headers, allow_redirects=True, timeout=TIMEOUT)
    except requests.RequestException as error:
        _note_dead(url, error, transfers)
        return None
    length = answer.headers.get("Content-Length", "")
    return int(length) or None if answer.ok and length.isdigit() else None


def _download(wanted: Wanted, transfers: Transfers) -> None:
    part, furthest, tries = part_of(wanted.target), 0, 0
    while True:
        try:
            _try_once(wanted, transfers)
            break
        except _TryAgain as problem:
            have = part.stat().st_size if part.exists() else 0
            tries = 0 if have > furthest else tries + 1
            furthest = max(furthest, have)
            unreachable = urlsplit(wanted.url).hostname in transfers.dead_hosts
            if unreachable or tries >= TRIES or transfers.stop.is_set():
                raise DownloadFailed(f"{shown(wanted.url)}: {problem}; try again later") from None
            transfers.stop.wait(min(30.0, BACKOFF * 2**tries))
    transfers.accept(part, wanted.target.name)
    os.replace(part, wanted.target)
    _note_of(wanted.target).unlink(missing_ok=True)


def _try_once(wanted: Wanted, transfers: Transfers) -> None:
    """One request; the part file is complete if this returns."""
    part, note = part_of(wanted.target), _note_of(wanted.target)
    known = _read_note(note) if part.exists() else {}
    have = part.stat().st_size if known else 0
    if have and have == known["size"]:
        return  # stopped between the last byte and the renaming
    headers = {"Accept-Encoding": "identity"}
    if have and known["validator"] and (known["size"] is None or have < known["size"]):
        headers |= {"Range": f"bytes={have}-", "If-Range": known["validator"]}
    with _request(wanted.url, headers, transfers) as response:
        if response.status_code == 206 and "Range" in headers:
            total = _continued_size(response, have, known)
            if total is None:
                _start_over(part, note, transfers)
                raise _TryAgain("the file changed on the server")
        elif response.status_code == 200:
            _start_over(part, note, transfers)
            have, length = 0, response.headers.get("Content-Length", "")
            total = int(length) if length.isdigit() else None
            # The old bytes are gone before the new validator is written: never both.
            write_json(note, {"size": total, "validator": _validator(response)})
        else:
            _start_over(part, note, transfers)
            raise _TryAgain(f"HTTP {response.status_code}")
        if None not in (total, wanted.size) and total != wanted.size:
            raise DownloadFailed(
                f"{shown(wanted.url)}: offers {total} bytes, published are {wanted.size}; "
                "the address holds another file: check --base-url"
            )
        _check_room(part, (total or 0) - have)
        with open(part, "ab") as out:
            for chunk in _chunks(response):
                out.write(chunk)
                transfers.report(len(chunk))
                if transfers.stop.is_set():
                    raise _TryAgain("stopped")
    got = part.stat().st_size
    if got == 0 or (total is not None and got != total):
        raise _TryAgain(f"the server sent {got} of {total} bytes")


def _request(url: str, headers: dict[str, str], transfers: Transfers) -> requests.Response:
    """The answer, if its status is one to read on from; otherwise the fitting exception."""
    host = urlsplit(url).hostname
    if host in transfers.dead_hosts:
        raise _TryAgain(f"{host} cannot be reached")
    try:
        response = transfers.session.get(url, headers=headers, stream=True, timeout=TIMEOUT)
    except requests.exceptions.SSLError as error:
        reason = f"no valid certificate ({_reason(error)}); download it by hand if you trust it"
        raise DownloadFailed(f"{shown(url)}: {reason}") from None
    except (requests.ConnectionError, requests.Timeout) as error:
        _note_dead(url, error, transfers)
        raise _TryAgain(f"{host} cannot be reached ({_reason(error)})") from None
    except requests.RequestException as error:
        raise DownloadFailed(f"{shown(url)}: {type(error).__name__}; check --base-url") from None
    status = response.status_code
    if status in RETRIED:
        response.close()
        raise _TryAgain(f"HTTP {status}")
    if status not in (200, 206, 416):
        response.close()
        cure = CURES.get(status, "download it by hand")
        raise DownloadFailed(f"{shown(url)}: HTTP {status}; {cure}")
    if status != 416 and response.headers.get("Content-Type", "").startswith("text/html"):
        response.close()
        raise DownloadFailed(
            f"{shown(url)}: a web page instead of the file (HTTP {status}); "
            "a login or a confirmation is asked for: download it in a browser"
        )
    return response


def _chunks(response: requests.Response):
    """The bytes as sent, not unpacked; a connection that ends early is worth another try."""
    try:
        yield from response.raw.stream(CHUNK, decode_content=False)
    except HTTPError as error:
        raise _TryAgain(f"the connection broke ({_reason(error)})") from None


def _read_note(note: Path) -> dict:
    """Size and validator of the bytes in the part file; empty if unknown."""
    try:
        content = read_json(note)
    except UserError:
        return {}
    return content if isinstance(content, dict) and {"size", "validator"} <= set(content) else {}


def _start_over(part: Path, note: Path, transfers: Transfers) -> None:
    if part.exists():
        transfers.report(-part.stat().st_size)
        part.unlink()
    note.unlink(missing_ok=True)


def _validator(response: requests.Response) -> str | None:
    """What If-Range may carry: a strong ETag, else the date of the last change."""
    tag = response.headers.get("ETag")
    if tag and not tag.startswith("W/"):
        return tag
    return response.headers.get("Last-Modified")


def _continued_size(response: requests.Response, have: int, known: dict) -> int | None:
    """Full size, if the answer continues exactly the bytes that are there; otherwise None."""
    match = re.fullmatch(r"bytes (\d+)-\d+/(\d+)", response.headers.get("Content-Range", ""))
    if not match or int(match[1]) != have or int(match[2]) != known["size"]:
        return None
    sent = _validator(response)
    return None if sent and sent != known["validator"] else int(match[2])


def _note_dead(url: str, error: BaseException, transfers: Transfers) -> None:
    """Remember a host to which not even a connection could be made."""
    if any(isinstance(one, NewConnectionError | ConnectTimeoutError) for one in _causes(error)):
        transfers.dead_hosts.add(urlsplit(url).hostname or "")


def _check_room(part: Path, needed: int) -> None:
    free = shutil.disk_usage(part.parent).free
    if needed > free:
        raise UserError(
            f"{part}: {needed / 1e9:.2f} GB more are needed, {free / 1e9:.2f} GB are free; "
            "free some and call again: it goes on where it stopped"
        )


def _reason(error: BaseException) -> str:
    """What the system said, without the library's text, which repeats the address."""
    for one in _causes(error):
        own = not isinstance(one, requests.RequestException)
        if own and isinstance(one, OSError) and one.strerror:
            return " ".join(str(one.strerror).split())
    return type(error).__name__


def _causes(error: BaseException) -> list[BaseException]:
    """The error and everything it came from."""
    found: list[BaseException] = []
    queue: list[object] = [error]
    while queue:
        one = queue.pop()
        if isinstance(one, BaseException) and all(one is not other for other in found):
            found.append(one)
            queue += [one.__cause__, one.__context__, getattr(one, "reason", None), *one.args]
    return found
